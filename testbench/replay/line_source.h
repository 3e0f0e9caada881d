// SPDX-License-Identifier: Apache-2.0
// The lines of a log file, plain or compressed: told by what the file begins with, never by its name.
//
//   file ──► SHA-256 ──► (plain | gzip | zstd) ──► lines
//
// Streaming: memory is one line plus one chunk, whatever the file's size. The digest is that of the file as
// stored, so that a result can name exactly what it was computed from. Every defect of a file (a folder, no
// permission, nothing in it, a cut or damaged stream, binary content) is a UserErrors naming file and place.
// Not modelled: other compressors (told by name, and refused), byte-order marks, encodings other than UTF-8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flashpath::replay {

enum class Packing : std::uint8_t { plain, gzip, zstd };
std::string_view name_of(Packing packing);

class LineSource {
 public:
  /// A line longer than this is not a log's (the longest published one is below 4 MiB).
  static constexpr std::size_t longest_line = std::size_t{64} << 20U;
  /// So many bytes behind every line may be read (not used): what a SIMD parser asks for.
  static constexpr std::size_t padding = 64;

  explicit LineSource(const std::string& path);
  ~LineSource();
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  /// The next line, without its end; valid until the next call. False when there is none.
  bool next(std::string_view& line);

  std::uint64_t line_number() const { return line_number_; }  ///< of the line last returned, from 1
  Packing packing() const { return packing_; }
  const std::string& path() const { return path_; }
  /// 64 hexadecimal digits, once next() has returned false.
  const std::string& sha256() const { return sha256_; }

 private:
  struct Digest;
  struct Unpacker;
  bool refill();
  std::size_t read_raw(std::uint8_t* to, std::size_t room);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::unique_ptr<Digest> digest_;
  std::unique_ptr<Unpacker> unpacker_;
  int file_ = -1;
  Packing packing_ = Packing::plain;
  std::vector<std::uint8_t> head_;  // what was read to tell the packing
  std::size_t head_used_ = 0;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0, scanned_ = 0;
  bool ended_ = false;
  std::uint64_t raw_bytes_ = 0;
  std::uint64_t line_number_ = 0;
  std::string sha256_;
};

}  // namespace flashpath::replay
