// SPDX-License-Identifier: Apache-2.0
#include "ftl/image.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace flashpath::ftl {
namespace {
constexpr std::array<unsigned char, 8> magic{'F', 'P', 'D', 'R', 'I', 'V', 'E', '\n'};
constexpr std::size_t header_bytes = 32;

/// Over pieces that are multiples of 8 bytes, but for the last one.
std::uint64_t checksum(std::uint64_t h, const unsigned char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t word = 0;
    for (std::size_t k = 0; k < 8 && i + k < size; ++k) word |= std::uint64_t{data[i + k]} << (8 * k);
    h = (h ^ word) * 0x9e3779b97f4a7c15U;
    h ^= h >> 29U;
  }
  return h ^ size;
}

void store(unsigned char* to, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) to[i] = static_cast<unsigned char>(value >> (8 * i));
}
std::uint64_t fetch(const unsigned char* from, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value |= std::uint64_t{from[i]} << (8 * i);
  return value;
}
}  // namespace

ImageWriter::ImageWriter(std::string path) : path_{std::move(path)}, temporary_{path_ + ".part"} {
  buffer_.reserve(chunk);
  file_ = std::fopen(temporary_.c_str(), "wb");
  const std::array<unsigned char, header_bytes> empty{};
  if (file_ == nullptr || std::fwrite(empty.data(), 1, header_bytes, file_) != header_bytes) fail("cannot be written");
}

ImageWriter::~ImageWriter() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(temporary_.c_str());
}

void ImageWriter::fail(const char* what) {
  if (error_.empty()) error_ = path_ + ": " + what + ": " + std::strerror(errno);
}

void ImageWriter::flush() {
  checksum_ = checksum(checksum_, buffer_.data(), buffer_.size());
  body_ += buffer_.size();
  if (error_.empty() && std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size()) fail("cannot be written");
  buffer_.clear();
}

bool ImageWriter::finish() {
  flush();
  std::array<unsigned char, header_bytes> header{};
  std::memcpy(header.data(), magic.data(), magic.size());
  store(header.data() + 8, image_version, 4);
  store(header.data() + 16, body_, 8);
  store(header.data() + 24, checksum_, 8);
  if (error_.empty() && (std::fseek(file_, 0, SEEK_SET) != 0 || std::fwrite(header.data(), 1, header_bytes, file_) != header_bytes))
    fail("cannot be written");
  if (file_ != nullptr && std::fclose(file_) != 0) fail("cannot be written");
  file_ = nullptr;
  if (error_.empty() && std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be put in place");
  if (!error_.empty()) std::remove(temporary_.c_str());
  return error_.empty();
}

ImageReader::ImageReader(const std::string& path, UserErrors& errors) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    errors.add(path + ": is a folder, not the image of a drive (flashpath age writes them)");
    return;
  }
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    errors.add(path + ": cannot be read: " + std::strerror(errno));
    return;
  }
  const auto refuse = [&](const std::string& what) {
    errors.add(path + ": " + what);
    body_.clear();
  };
  std::array<unsigned char, header_bytes> header{};
  const std::size_t got = std::fread(header.data(), 1, header_bytes, file);
  if (got < magic.size() || std::memcmp(header.data(), magic.data(), magic.size()) != 0) {
    refuse("is not the image of a drive (flashpath age writes them)");
  } else if (got < header_bytes) {
    refuse("is cut off");
  } else if (const auto version = fetch(header.data() + 8, 4); version != image_version) {
    refuse("is an image of version " + std::to_string(version) + ", not " + std::to_string(image_version) + "; make it again");
  } else {
    // By chunks, so that a length that is not true costs nothing.
    const std::uint64_t expected = fetch(header.data() + 16, 8);
    std::uint64_t sum = 0;
    constexpr std::size_t chunk = std::size_t{1} << 20U;
    for (std::size_t n = chunk; n == chunk;) {
      const std::size_t before = body_.size();
      if (body_.capacity() < before + chunk) body_.reserve(2 * before + chunk);
      body_.resize(before + chunk);
      n = std::fread(body_.data() + before, 1, chunk, file);
      body_.resize(before + n);
      sum = checksum(sum, body_.data() + before, n);
    }
    if (body_.size() < expected) refuse("is cut off");
    else if (body_.size() > expected || sum != fetch(header.data() + 24, 8)) refuse("is damaged: its checksum does not fit");
  }
  std::fclose(file);
}

}  // namespace flashpath::ftl
