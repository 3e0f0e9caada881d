// SPDX-License-Identifier: Apache-2.0
#include "replay/line_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace flashpath::replay {
namespace {

constexpr std::size_t chunk = std::size_t{256} << 10U;

bool starts_with(const std::vector<std::uint8_t>& head, std::initializer_list<unsigned> magic) {
  return head.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), head.begin(), [](unsigned a, std::uint8_t b) { return a == b; });
}

bool is_zstd(const std::vector<std::uint8_t>& head) {  // a frame, or a skippable one (RFC 8878 section 3.1)
  return starts_with(head, {0x28, 0xb5, 0x2f, 0xfd}) ||
         (head.size() >= 4 && (head[0] & 0xf0U) == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18);
}

}  // namespace

std::string_view name_of(Packing packing) {
  switch (packing) {
    case Packing::plain: return "plain";
    case Packing::gzip: return "gzip";
    case Packing::zstd: return "zstd";
  }
  return "?";
}

struct LineSource::Digest {
  Digest() : context{EVP_MD_CTX_new(), EVP_MD_CTX_free} {
    invariant(context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1, "SHA-256 is not available", "replay");
  }
  void add(const std::uint8_t* data, std::size_t size) { EVP_DigestUpdate(context.get(), data, size); }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context.get(), sum.data(), &size);
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", sum[i]);
    return text;
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context;
};

/// One decompressor; `open` while a frame or member has begun and not ended.
struct LineSource::Unpacker {
  explicit Unpacker(Packing packing) : in(packing == Packing::plain ? 0 : chunk) {
    if (packing == Packing::zstd) {
      zstd = ZSTD_createDCtx();
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 31);  // what `zstd --long=31` can have written
    } else if (packing == Packing::gzip) {
      invariant(inflateInit2(&zlib, 15 + 16) == Z_OK, "zlib does not start", "replay");
      inflating = true;
    }
  }
  ~Unpacker() {
    if (zstd != nullptr) ZSTD_freeDCtx(zstd);
    if (inflating) inflateEnd(&zlib);
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  /// Unpacks from `in` into `to`; "" or what is wrong with the stream.
  std::string run(char* to, std::size_t room, std::size_t& made) {
    return zstd != nullptr ? run_zstd(to, room, made) : run_gzip(to, room, made);
  }

  std::vector<std::uint8_t> in;
  std::size_t at = 0, size = 0;
  bool open = false;
  bool more = false;  ///< the last call filled the room: there may be more without further input

 private:
  std::string run_zstd(char* to, std::size_t room, std::size_t& made) {
    ZSTD_inBuffer input{in.data(), size, at};
    ZSTD_outBuffer output{to, room, 0};
    const std::size_t hint = ZSTD_decompressStream(zstd, &output, &input);
    at = input.pos;
    made = output.pos;
    if (ZSTD_isError(hint) != 0) return ZSTD_getErrorName(hint);
    open = hint != 0;
    more = open && output.pos == room;
    return "";
  }
  std::string run_gzip(char* to, std::size_t room, std::size_t& made) {
    zlib.next_in = in.data() + at;
    zlib.avail_in = static_cast<uInt>(size - at);
    zlib.next_out = reinterpret_cast<Bytef*>(to);
    zlib.avail_out = static_cast<uInt>(room);
    open = true;
    const int status = inflate(&zlib, Z_NO_FLUSH);
    at = size - zlib.avail_in;
    made = room - zlib.avail_out;
    more = zlib.avail_out == 0 && status != Z_STREAM_END;
    if (status == Z_STREAM_END) {  // members may follow each other (RFC 1952 section 2.2)
      open = false;
      inflateReset(&zlib);
      return "";
    }
    if (status == Z_OK || status == Z_BUF_ERROR) return "";
    return zlib.msg != nullptr ? zlib.msg : zError(status);
  }
  ZSTD_DCtx* zstd = nullptr;
  z_stream zlib{};
  bool inflating = false;
};

LineSource::LineSource(const std::string& path) : path_{path}, digest_{std::make_unique<Digest>()} {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw UserErrors{fmt::format("{}: {}", path, std::strerror(errno))};
  if (S_ISDIR(status.st_mode)) throw UserErrors{fmt::format("{}: is a folder, not a log file", path)};
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) throw UserErrors{fmt::format("{}: {}", path, std::strerror(errno))};
  try {
    std::vector<std::uint8_t> head(8);
    std::size_t got = 0;
    while (got < head.size()) {
      const std::size_t n = read_raw(head.data() + got, head.size() - got);
      if (n == 0) break;
      got += n;
    }
    head.resize(got);
    head_ = std::move(head);
    if (head_.empty()) throw UserErrors{fmt::format("{}: the file is empty", path)};
    if (is_zstd(head_)) packing_ = Packing::zstd;
    else if (starts_with(head_, {0x1f, 0x8b})) packing_ = Packing::gzip;
    else if (starts_with(head_, {0xfd, '7', 'z', 'X', 'Z', 0x00}))
      throw UserErrors{fmt::format("{}: xz-compressed; only plain, gzip and zstd are read", path)};
    else if (starts_with(head_, {'B', 'Z', 'h'}))
      throw UserErrors{fmt::format("{}: bzip2-compressed; only plain, gzip and zstd are read", path)};
    else if (starts_with(head_, {'P', 'K', 0x03, 0x04}))
      throw UserErrors{fmt::format("{}: a zip archive; only plain, gzip and zstd are read", path)};
    unpacker_ = std::make_unique<Unpacker>(packing_);
    buffer_.resize(2 * chunk + padding);
  } catch (...) {
    ::close(file_);
    throw;
  }
}

LineSource::~LineSource() {
  if (file_ >= 0) ::close(file_);
}

void LineSource::fail(const std::string& what) const {
  throw UserErrors{fmt::format("{}: after line {}, byte {} of the file: {}", path_, line_number_, raw_bytes_, what)};
}

/// Bytes of the file itself; every one of them goes through the digest once.
std::size_t LineSource::read_raw(std::uint8_t* to, std::size_t room) {
  if (head_used_ < head_.size()) {
    const std::size_t n = std::min(room, head_.size() - head_used_);
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(head_used_), n, to);
    head_used_ += n;
    return n;
  }
  for (;;) {
    const ssize_t n = ::read(file_, to, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(std::strerror(errno));
    digest_->add(to, static_cast<std::size_t>(n));
    raw_bytes_ += static_cast<std::uint64_t>(n);
    return static_cast<std::size_t>(n);
  }
}

/// Adds text to the buffer; false at the end of the file.
bool LineSource::refill() {
  if (ended_) return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    scanned_ -= begin_;
    begin_ = 0;
  }
  if (end_ > longest_line) fail(fmt::format("a line longer than {} MiB: not a log", longest_line >> 20U));
  if (buffer_.size() - padding - end_ < chunk) buffer_.resize(buffer_.size() * 2);
  char* to = buffer_.data() + end_;
  const std::size_t room = buffer_.size() - padding - end_;
  if (packing_ == Packing::plain) {
    const std::size_t n = read_raw(reinterpret_cast<std::uint8_t*>(to), room);
    end_ += n;
    ended_ = n == 0;
    return !ended_;
  }
  Unpacker& u = *unpacker_;
  for (;;) {
    if (u.at == u.size && !u.more) {
      u.at = 0;
      u.size = read_raw(u.in.data(), u.in.size());
      if (u.size == 0) {
        if (u.open) fail(fmt::format("the {} stream ends in the middle: the file is cut", name_of(packing_)));
        ended_ = true;
        return false;
      }
    }
    std::size_t made = 0;
    const std::string wrong = u.run(to, room, made);
    if (!wrong.empty()) fail(fmt::format("the {} stream is damaged ({})", name_of(packing_), wrong));
    if (made > 0) {
      end_ += made;
      return true;
    }
    u.more = false;
  }
}

bool LineSource::next(std::string_view& line) {
  for (;;) {
    const char* from = buffer_.data() + scanned_;
    const void* found = scanned_ == end_ ? nullptr : std::memchr(from, '\n', end_ - scanned_);
    std::size_t stop = 0;
    if (found != nullptr) {
      stop = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
    } else {
      scanned_ = end_;
      if (refill()) continue;
      if (begin_ == end_) {
        if (line_number_ == 0) throw UserErrors{fmt::format("{}: the file is empty", path_)};
        if (sha256_.empty()) sha256_ = digest_->finish();
        return false;
      }
      stop = end_;  // the last line has no end of line
    }
    line = std::string_view{buffer_.data() + begin_, stop - begin_};
    begin_ = scanned_ = std::min(stop + 1, end_);
    ++line_number_;
    if (line.find('\0') != std::string_view::npos)
      throw UserErrors{fmt::format("{}:{}: binary content (a zero byte): not a text log", path_, line_number_)};
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return true;
  }
}

}  // namespace flashpath::replay
