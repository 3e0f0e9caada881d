// SPDX-License-Identifier: Apache-2.0
// Files of every packing and every defect.
#include "replay/line_source.h"

#include <zlib.h>
#include <zstd.h>

#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

using replay::LineSource;
using replay::Packing;

std::string zstd(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the zstd command does: without, some damage cannot be seen
  if (window_log != 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  // Streaming without a pledged size: the frame then really asks for the window.
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (ZSTD_compressStream2(context, &to, &in, ZSTD_e_end) != 0) {}
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::vector<std::string> lines_of(const std::string& path) {
  LineSource source{path};
  std::vector<std::string> lines;
  std::string_view line;
  while (source.next(line)) lines.emplace_back(line);
  return lines;
}

std::string defect_of(const std::string& path) {
  return errors_of([&] { lines_of(path); });
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += "line number " + std::to_string(i) + " of many\n";
  return text;
}

TEST(LineSource, gives_the_same_lines_whatever_the_packing) {
  const Folder folder;
  const std::string text = "first\n\nthird, with CR\r\nlast, without end";
  const std::vector<std::string> expected = {"first", "", "third, with CR", "last, without end"};
  EXPECT_EQ(lines_of(folder.write("a.txt", text)), expected);
  EXPECT_EQ(lines_of(folder.write("named.zst", gzip(text))), expected) << "the content decides, not the name";
  EXPECT_EQ(lines_of(folder.write("named.gz", zstd(text))), expected);
  EXPECT_EQ(lines_of(folder.write("one.gz", gzip("first\n\nthi") + gzip("rd, with CR\r\nlast, without end"))), expected)
      << "members in a row are one file";
  EXPECT_EQ(lines_of(folder.write("two.zst", zstd("first\n\nthi") + zstd("rd, with CR\r\nlast, without end"))), expected);
  EXPECT_EQ(LineSource{folder.path() + "/one.gz"}.packing(), Packing::gzip);
  EXPECT_EQ(LineSource{folder.path() + "/two.zst"}.packing(), Packing::zstd);
}

TEST(LineSource, streams_what_is_larger_than_its_buffers) {
  const Folder folder;
  const std::string text = long_text();
  for (const std::string& path : {folder.write("p", text), folder.write("g", gzip(text)), folder.write("z", zstd(text, 30))}) {
    LineSource source{path};
    std::string_view line;
    std::uint64_t n = 0;
    while (source.next(line)) {
      ASSERT_EQ(line, "line number " + std::to_string(n) + " of many");
      ASSERT_EQ(source.line_number(), ++n);
    }
    EXPECT_EQ(n, 60'000U);
  }
  const std::string one_line(3'000'000, 'x');
  EXPECT_EQ(lines_of(folder.write("l", one_line + "\nend\n")), (std::vector<std::string>{one_line, "end"}));
}

TEST(LineSource, names_the_file_by_its_digest) {
  const Folder folder;
  LineSource source{folder.write("a", "abc")};
  std::string_view line;
  while (source.next(line)) {}
  EXPECT_EQ(source.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
}

TEST(LineSource, a_cut_stream_is_told_with_its_place) {
  const Folder folder;
  const std::string text = long_text();
  for (const auto& [name, packed] : {std::pair{std::string("zstd"), zstd(text)}, {std::string("gzip"), gzip(text)}}) {
    for (const std::size_t keep : {std::size_t{6}, packed.size() / 2, packed.size() - 1}) {
      const std::string message = defect_of(folder.write("cut", packed.substr(0, keep)));
      EXPECT_TRUE(contains(message, "the " + name + " stream ends in the middle")) << message;
      EXPECT_TRUE(contains(message, "byte " + std::to_string(keep) + " of the file")) << message;
    }
  }
}

TEST(LineSource, a_damaged_stream_is_told) {
  const Folder folder;
  const std::string text = long_text();
  for (const auto& [name, packed] : {std::pair{std::string("zstd"), zstd(text)}, {std::string("gzip"), gzip(text)}}) {
    std::string bad = packed;
    for (std::size_t i = bad.size() / 2; i < bad.size() / 2 + 40; ++i) bad[i] = static_cast<char>(bad[i] ^ 0x5a);
    const std::string message = defect_of(folder.write("bad", bad));
    EXPECT_TRUE(contains(message, "the " + name + " stream is damaged")) << name << ": " << message;
  }
}

TEST(LineSource, what_is_no_text_log_is_told) {
  const Folder folder;
  EXPECT_TRUE(contains(defect_of(folder.write("bin", std::string("good\nba\0d\n", 10))), "bin:2: binary content"));
  EXPECT_TRUE(contains(defect_of(folder.write("empty", "")), "the file is empty"));
  EXPECT_TRUE(contains(defect_of(folder.write("empty.zst", zstd(""))), "the file is empty"));
  EXPECT_TRUE(contains(defect_of(folder.write("empty.gz", gzip(""))), "the file is empty"));
  EXPECT_TRUE(contains(defect_of(folder.path()), "is a folder"));
  EXPECT_TRUE(contains(defect_of(folder.path() + "/absent"), "No such file"));
  EXPECT_TRUE(contains(defect_of(folder.write("x", std::string("\xfd"
                                                               "7zXZ\0",
                                                               6) +
                                                       "..")),
                       "xz-compressed"));
  EXPECT_TRUE(contains(defect_of(folder.write("b", "BZh91AY")), "bzip2-compressed"));
  EXPECT_TRUE(contains(defect_of(folder.write("k", "PK\x03\x04....")), "zip archive"));
}

TEST(LineSource, an_unreadable_file_is_told) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const Folder folder;
  const std::string path = folder.write("secret", "x\n");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  EXPECT_TRUE(contains(defect_of(path), "Permission denied"));
}

}  // namespace
}  // namespace flashpath::serving_test
