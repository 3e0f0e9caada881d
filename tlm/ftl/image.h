// SPDX-License-Identifier: Apache-2.0
// A saved drive as a file: header, then fields in order. Little endian; numbers are of variable length (7 bits a byte).
//
//   8 bytes  "FPDRIVE\n"      4  version      4  zero      8  bytes of the body      8  checksum of the body      body
//
// A file that is not one, is of another version, was cut off or damaged is refused; what the body says is checked where it is used.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"

namespace flashpath::ftl {

inline constexpr std::uint32_t image_version = 1;

/// Writes to a temporary file, which takes its place when all is there.
class ImageWriter {
 public:
  explicit ImageWriter(std::string path);
  ~ImageWriter();
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  void put(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) byte(static_cast<unsigned char>(value | 0x80U));
    byte(static_cast<unsigned char>(value));
  }
  void put_raw(unsigned char b) { byte(b); }  ///< a byte of the body, whatever it means
  /// False: it could not be written; error() says why.
  bool finish();
  const std::string& error() const { return error_; }
  std::uint64_t bytes() const { return body_; }

 private:
  void byte(unsigned char b) {
    buffer_.push_back(b);
    if (buffer_.size() == chunk) flush();
  }
  void flush();
  void fail(const char* what);
  static constexpr std::size_t chunk = std::size_t{1} << 20U;
  std::string path_, temporary_, error_;
  std::FILE* file_ = nullptr;
  std::vector<unsigned char> buffer_;
  std::uint64_t body_ = 0, checksum_ = 0;
};

class ImageReader {
 public:
  /// Reads and checks the whole file; `errors` gets what is wrong with it.
  ImageReader(const std::string& path, UserErrors& errors);
  /// 0 behind the end, and ok() is false.
  std::uint64_t get() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ < body_.size() && shift < 64; shift += 7) {
      const unsigned char b = body_[at_++];
      value |= std::uint64_t{b & 0x7fU} << shift;
      if (b < 0x80U) return value;
    }
    ok_ = false;
    return 0;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return at_ == body_.size(); }

 private:
  std::vector<unsigned char> body_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace flashpath::ftl
