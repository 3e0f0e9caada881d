// SPDX-License-Identifier: Apache-2.0
// Protection information: published check values, an independent bit-by-bit reference, and whole commands of every kind of namespace.
#include <string_view>

#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t meta_at = 0x5000'0000;
constexpr std::uint64_t list_at = 0x3000'0000;

/// Division of the message by x^16 + x^15 + x^11 + x^9 + x^8 + x^7 + x^5 + x^4 + x^2 + x + 1, bit by bit.
std::uint16_t reference_crc(const unsigned char* bytes, std::size_t size) {
  std::uint32_t remainder = 0;
  const auto shift = [&](unsigned bit) {
    remainder = remainder << 1U | bit;
    if ((remainder & 0x10000U) != 0) remainder ^= 0x18bb7U;
  };
  for (std::size_t i = 0; i < size; ++i) {
    for (int b = 7; b >= 0; --b) shift(static_cast<unsigned>(bytes[i]) >> b & 1U);
  }
  for (int b = 0; b < 16; ++b) shift(0);
  return static_cast<std::uint16_t>(remainder);
}

TEST(NvmePi, TheGuardHasItsPublishedCheckValues) {
  const std::string_view nine = "123456789";
  const auto crc = [](std::string_view s) { return crc16_t10dif(reinterpret_cast<const unsigned char*>(s.data()), s.size()); };
  EXPECT_EQ(crc(nine), 0xd0db);                     // catalogue of parametrised CRCs: CRC-16/T10-DIF
  EXPECT_EQ(crc(std::string(32, '\0')), 0);         // SBC-4: all zeroes
  EXPECT_EQ(crc(std::string(32, '\xff')), 0xa293);  // SBC-4: all ones
  std::string up;
  for (int i = 0; i < 32; ++i) up.push_back(static_cast<char>(i));
  EXPECT_EQ(crc(up), 0x0224);  // SBC-4: an incrementing pattern of 00h to 1Fh
}

TEST(NvmePi, TheGuardIsThatOfTheBitwiseReference) {
  Random random{3, "pi"};
  for (int i = 0; i < 300; ++i) {
    std::vector<unsigned char> bytes(random.below(700));
    for (auto& b : bytes) b = static_cast<unsigned char>(random.next());
    const std::size_t cut = random.below(bytes.size() + 1);
    ASSERT_EQ(crc16_t10dif(bytes.data() + cut, bytes.size() - cut, crc16_t10dif(bytes.data(), cut)),
              reference_crc(bytes.data(), bytes.size()));
  }
}

struct Shape {
  std::uint64_t lba, metadata;
  bool extended, first;
  Protection protection;
};

Config config_of(const Shape& s) {
  Config c = Host::quick();
  c.lba = {s.lba};
  c.metadata = {s.metadata};
  c.extended_lba = s.extended;
  c.protection_first = s.first;
  c.protection = s.protection;
  return c;
}

/// A host that makes and checks tuples by itself.
struct Protected : Host {
  explicit Protected(const Shape& s) : Host{config_of(s), true}, shape{s} { bring_up(); }

  std::size_t tuple_at() const { return shape.first ? 0 : shape.metadata - 8; }
  static void big(unsigned char* to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to[i] = static_cast<unsigned char>(value >> (8 * (bytes - 1 - i)));
  }
  std::uint16_t guard(const std::vector<unsigned char>& data, const std::vector<unsigned char>& meta, std::size_t block) const {
    std::vector<unsigned char> covered(data.begin() + static_cast<std::ptrdiff_t>(block * shape.lba),
                                       data.begin() + static_cast<std::ptrdiff_t>((block + 1) * shape.lba));
    const auto m = meta.begin() + static_cast<std::ptrdiff_t>(block * shape.metadata);
    if (!shape.first) covered.insert(covered.end(), m, m + static_cast<std::ptrdiff_t>(tuple_at()));
    return reference_crc(covered.data(), covered.size());
  }
  void make(std::uint32_t blocks, std::uint32_t reference, std::uint16_t tag) {
    data.resize(blocks * shape.lba);
    meta.resize(blocks * shape.metadata);
    for (auto* v : {&data, &meta}) {
      for (auto& b : *v) b = static_cast<unsigned char>(random.next());
    }
    for (std::uint32_t i = 0; i < blocks; ++i) {
      unsigned char* const t = meta.data() + i * shape.metadata + tuple_at();
      big(t, guard(data, meta, i), 2);
      big(t + 2, tag, 2);
      big(t + 4, shape.protection == Protection::type3 ? reference : reference + i, 4);
    }
  }
  void place() {  // data and metadata into memory, as the namespace wants them
    const std::size_t blocks = data.size() / shape.lba;
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::uint64_t stride = shape.lba + (shape.extended ? shape.metadata : 0);
      memory.write(data_at + i * stride, data.data() + i * shape.lba, shape.lba);
      memory.write(shape.extended ? data_at + i * stride + shape.lba : meta_at + i * shape.metadata, meta.data() + i * shape.metadata,
                   shape.metadata);
    }
  }
  std::pair<std::vector<unsigned char>, std::vector<unsigned char>> fetch(std::size_t blocks) {
    std::vector<unsigned char> d(blocks * shape.lba), m(blocks * shape.metadata);
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::uint64_t stride = shape.lba + (shape.extended ? shape.metadata : 0);
      memory.read(data_at + i * stride, d.data() + i * shape.lba, shape.lba);
      memory.read(shape.extended ? data_at + i * stride + shape.lba : meta_at + i * shape.metadata, m.data() + i * shape.metadata,
                  shape.metadata);
    }
    return {d, m};
  }
  void wipe() {
    const std::vector<unsigned char> nothing(0x40000, 0xee);
    memory.write(data_at, nothing.data(), nothing.size());
    memory.write(meta_at, nothing.data(), nothing.size());
  }
  Sqe command(IoOpcode op, std::uint64_t slba, std::uint32_t blocks, unsigned prchk, std::uint32_t reference, std::uint16_t tag,
              bool pract) {
    Sqe sqe = Host::rw(op, slba, blocks, 0);
    sqe.mptr = meta_at;
    sqe.cdw12 |= prchk << 26U | (pract ? 1U << 29U : 0U);
    sqe.cdw14 = reference;
    sqe.cdw15 = tag | 0xffff'0000U;
    const bool moves = shape.extended && !(pract && shape.metadata == 8);
    describe(sqe, data_at, blocks * (shape.lba + (moves ? shape.metadata : 0)), list_at);
    return sqe;
  }

  Shape shape;
  std::vector<unsigned char> data, meta;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const std::uint64_t lba : {512U, 4096U}) {
    for (const std::uint64_t metadata : {8U, 16U, 64U}) {
      for (const bool extended : {false, true}) {
        for (const bool first : {false, true}) {
          for (const Protection p : {Protection::type1, Protection::type2, Protection::type3})
            all.push_back({lba, metadata, extended, first, p});
        }
      }
    }
  }
  return all;
}

TEST(NvmePi, TuplesOfTheHostPassEveryNamespaceUnchanged) {
  for (const Shape& s : shapes()) {
    Protected host{s};
    SCOPED_TRACE(testing::Message() << s.lba << "+" << s.metadata << " " << s.extended << s.first << static_cast<int>(s.protection));
    const unsigned check = s.protection == Protection::type3 ? 6 : 7;
    const std::uint32_t slba = 1000, blocks = 20;
    host.make(blocks, slba, 0x1234);
    host.place();
    host.dma_bytes = 0;
    ASSERT_EQ(host.io(host.command(IoOpcode::write, slba, blocks, check, slba, 0x1234, false)).code(), Status::success);
    host.wipe();
    ASSERT_EQ(host.io(host.command(IoOpcode::read, slba, blocks, check, slba, 0x1234, false)).code(), Status::success);
    EXPECT_EQ(host.fetch(blocks), (std::pair{host.data, host.meta}));
    EXPECT_EQ(host.controller.statistics().metadata_sent.value, blocks * s.metadata);
    EXPECT_EQ(host.controller.statistics().metadata_received.value, blocks * s.metadata);
    const std::uint64_t pages = (blocks * (s.lba + (s.extended ? s.metadata : 0)) + 4095) / 4096;
    const std::uint64_t list_bytes = pages > 2 ? (pages - 1) * 8 : 0;
    EXPECT_EQ(host.dma_bytes, 2 * (64 + 16 + list_bytes + blocks * (s.lba + s.metadata)));
    // read from the middle, and not the whole
    ASSERT_EQ(host.io(host.command(IoOpcode::read, slba + 7, 5, check, s.protection == Protection::type3 ? slba : slba + 7, 0x1234, false))
                  .code(),
              Status::success);
    ASSERT_EQ(host.io(host.command(IoOpcode::verify, slba, blocks, check, slba, 0x1234, false)).code(), Status::success);
    host.place();
    ASSERT_EQ(host.io(host.command(IoOpcode::compare, slba, blocks, check, slba, 0x1234, false)).code(), Status::success);
    host.expect_laws();
  }
}

TEST(NvmePi, EveryWrongTupleIsFoundWithItsOwnStatusWhereverItIsChecked) {
  for (const Protection p : {Protection::type1, Protection::type2, Protection::type3}) {
    Protected host{{512, 8, false, false, p}};
    const std::uint32_t slba = 50, blocks = 200;  // 100 KiB: two read chunks
    struct Wrong {
      std::size_t byte;
      unsigned check;
      Status status;
    };
    for (const Wrong w : {Wrong{0, prchk_guard, Status::guard_check_error}, Wrong{3, prchk_app, Status::application_tag_check_error},
                          Wrong{7, prchk_ref, Status::reference_tag_check_error}}) {
      if (w.check == prchk_ref && p == Protection::type3) continue;
      for (const std::size_t block : {0U, 77U, 199U}) {
        host.make(blocks, slba, 0x42);
        host.meta[block * 8 + w.byte] ^= 1U;
        host.place();
        EXPECT_EQ(host.io(host.command(IoOpcode::write, slba, blocks, w.check, slba, 0x42, false)).code(), w.status);
        EXPECT_EQ(
            host.io(host.command(IoOpcode::write, slba, blocks, 7U & ~w.check & (p == Protection::type3 ? 6U : 7U), slba, 0x42, false))
                .code(),
            Status::success);
        for (const IoOpcode op : {IoOpcode::read, IoOpcode::verify, IoOpcode::compare}) {
          EXPECT_EQ(host.io(host.command(op, slba, blocks, w.check, slba, 0x42, false)).code(), w.status) << static_cast<int>(op);
          EXPECT_EQ(host.io(host.command(op, slba, blocks, 0, slba, 0x42, false)).code(), Status::success);
        }
        EXPECT_EQ(
            host.io(host.command(IoOpcode::read, slba, block == 0 ? 1 : static_cast<std::uint32_t>(block), w.check, slba, 0x42, false))
                .code(),
            block == 0 ? w.status : Status::success);  // what lies before it
      }
    }
    // a wrong bit of the data is the guard's to find
    host.make(blocks, slba, 0x42);
    host.data[777] ^= 4U;
    host.place();
    EXPECT_EQ(host.io(host.command(IoOpcode::write, slba, blocks, prchk_guard, slba, 0x42, false)).code(), Status::guard_check_error);
    host.expect_laws();
  }
}

TEST(NvmePi, InsertedAndStrippedOnRequest) {
  for (const Shape& s : shapes()) {
    Protected host{s};
    SCOPED_TRACE(testing::Message() << s.lba << "+" << s.metadata << " " << s.extended << s.first << static_cast<int>(s.protection));
    const unsigned check = s.protection == Protection::type3 ? 6 : 7;
    const std::uint32_t slba = 300, blocks = 4;
    host.make(blocks, slba, 0x77);
    host.place();
    if (s.extended && s.metadata == 8) {  // data only cross the link
      for (std::size_t i = 0; i < blocks; ++i) host.memory.write(data_at + i * s.lba, host.data.data() + i * s.lba, s.lba);
    }
    host.dma_bytes = 0;
    ASSERT_EQ(host.io(host.command(IoOpcode::write, slba, blocks, 0, slba, 0x77, true)).code(), Status::success);
    const std::uint64_t crossed = s.metadata == 8 ? 0 : blocks * s.metadata;
    EXPECT_EQ(host.controller.statistics().metadata_received.value, crossed);
    host.wipe();
    ASSERT_EQ(host.io(host.command(IoOpcode::read, slba, blocks, check, slba, 0x77, false)).code(), Status::success);
    const auto [data, meta] = host.fetch(blocks);
    EXPECT_EQ(data, host.data);
    for (std::size_t i = 0; i < blocks; ++i) {
      unsigned char want[8];
      Protected::big(want, host.guard(data, meta, i), 2);
      Protected::big(want + 2, 0x77, 2);
      Protected::big(want + 4, s.protection == Protection::type3 ? slba : slba + i, 4);
      EXPECT_EQ(std::memcmp(meta.data() + i * s.metadata + host.tuple_at(), want, 8), 0) << i;
    }
    host.wipe();
    ASSERT_EQ(host.io(host.command(IoOpcode::read, slba, blocks, check, slba, 0x77, true)).code(), Status::success);
    EXPECT_EQ(host.memory.at<std::uint64_t>(data_at + blocks * s.lba) == 0xeeee'eeee'eeee'eeeeULL, !s.extended || s.metadata == 8);
    host.expect_laws();
  }
}

TEST(NvmePi, WhatWasNeverWrittenOrIsEscapedIsNotChecked) {
  for (const Protection p : {Protection::type1, Protection::type2, Protection::type3}) {
    Protected host{{4096, 8, false, false, p}};
    const unsigned check = p == Protection::type3 ? 6 : 7;
    EXPECT_EQ(host.io(host.command(IoOpcode::read, 5, 2, check, 5, 1, false)).code(), Status::success);
    EXPECT_EQ(host.fetch(2).second, std::vector<unsigned char>(16, 0xff));
    host.make(2, 5, 0xffff);
    host.meta[0] ^= 1U;  // the guard, behind an application tag of FFFFh
    host.place();
    const Status escaped = p == Protection::type3 ? Status::guard_check_error : Status::success;
    EXPECT_EQ(host.io(host.command(IoOpcode::write, 5, 2, check, 5, 1, false)).code(), p == Protection::type3 ? escaped : Status::success);
    host.make(2, 0xffff'ffffU - (p == Protection::type3 ? 0U : 1U), 0xffff);
    host.meta[8] ^= 1U;
    host.place();
    EXPECT_EQ(host.io(host.command(IoOpcode::write, 5, 2, check & 6U, 5, 1, false)).code(), Status::success);
    // deallocated: as never written; zeroes with and without tuples
    host.make(2, 5, 9);
    host.place();
    EXPECT_EQ(host.io(host.command(IoOpcode::write, 5, 2, 0, 5, 9, false)).code(), Status::success);
    const DsmRange range{.context = 0, .length = 1, .slba = 5};
    host.memory.write(list_at, &range, sizeof range);
    EXPECT_EQ(host.io({.opcode = 0x09, .nsid = 1, .prp1 = list_at, .cdw11 = dsm_deallocate}).code(), Status::success);
    EXPECT_EQ(host.io(host.command(IoOpcode::read, 5, 2, 0, 5, 9, false)).code(), Status::success);
    EXPECT_EQ(host.fetch(1).second, std::vector<unsigned char>(8, 0xff));
    EXPECT_EQ(host.io(host.command(IoOpcode::write_zeroes, 5, 2, 0, 5, 9, true)).code(), Status::success);
    EXPECT_EQ(host.io(host.command(IoOpcode::read, 5, 2, check, 5, 9, false)).code(), Status::success);
    EXPECT_EQ(host.fetch(2).second[1], 0);  // CRC of zeroes
    EXPECT_EQ(host.fetch(2).second[3], 9);
    EXPECT_EQ(host.io(host.command(IoOpcode::write_zeroes, 5, 2, 0, 5, 9, false)).code(), Status::success);
    EXPECT_EQ(host.io(host.command(IoOpcode::read, 5, 2, check, 5, 9, false)).code(), Status::success);
    host.expect_laws();
  }
}

TEST(NvmePi, TagsOfTheCommandAreChecked) {
  Protected one{{512, 8, false, false, Protection::type1}};
  // §3.2.4: type 1 wants the low LBA bits as initial reference tag
  EXPECT_EQ(one.io(one.command(IoOpcode::read, 5, 2, prchk_ref, 6, 1, false)).code(), Status::invalid_protection_information);
  EXPECT_EQ(one.io(one.command(IoOpcode::read, 5, 2, prchk_guard, 6, 1, false)).code(), Status::success);
  Protected three{{512, 8, false, false, Protection::type3}};
  EXPECT_EQ(three.io(three.command(IoOpcode::read, 5, 2, prchk_ref, 5, 1, false)).code(), Status::invalid_protection_information);
  Protected two{{512, 8, false, false, Protection::type2}};
  two.make(2, 0xffff'ffffU, 0x1234);  // counted over the end
  two.place();
  EXPECT_EQ(two.io(two.command(IoOpcode::write, 5, 2, 7, 0xffff'ffffU, 0x1234, false)).code(), Status::success);
  EXPECT_EQ(two.io(two.command(IoOpcode::read, 5, 2, 7, 0xffff'ffffU, 0x1234, false)).code(), Status::success);
  Sqe masked = two.command(IoOpcode::read, 5, 2, 7, 0xffff'ffffU, 0x12ff, false);
  EXPECT_EQ(two.io(masked).code(), Status::application_tag_check_error);
  masked.cdw15 = 0xff00'12ffU;
  EXPECT_EQ(two.io(masked).code(), Status::success);
  // without protection the fields are ignored, and so is the metadata pointer
  Host plain{Host::quick(), true};
  plain.bring_up();
  Sqe sqe = Host::rw(IoOpcode::read, 5, 1, data_at);
  sqe.cdw12 |= 15U << 26U;
  sqe.mptr = unmapped;
  EXPECT_EQ(plain.io(sqe).code(), Status::success);
}

TEST(NvmePi, MetadataByADescriptorOfItsOwn) {
  Protected host{{512, 64, false, true, Protection::type2}};
  host.make(8, 5, 0x1234);
  host.place();
  const auto with = [&](IoOpcode op, const SglDescriptor& metadata, std::uint64_t mptr = list_at) {
    Sqe sqe = host.command(op, 5, 8, 7, 5, 0x1234, false);
    sqe.flags = 0x80;
    sqe.mptr = mptr;
    const SglDescriptor d = SglDescriptor::make(SglType::data_block, data_at, 8 * 512);
    std::memcpy(&sqe.prp1, &d, sizeof d);
    host.memory.write(list_at, &metadata, sizeof metadata);
    return host.io(sqe).code();
  };
  const SglDescriptor good = SglDescriptor::make(SglType::data_block, meta_at, 8 * 64);
  EXPECT_EQ(with(IoOpcode::write, good), Status::success);
  host.wipe();
  EXPECT_EQ(with(IoOpcode::read, good), Status::success);
  EXPECT_EQ(host.fetch(8), (std::pair{host.data, host.meta}));
  EXPECT_EQ(with(IoOpcode::read, SglDescriptor::make(SglType::data_block, meta_at, 8 * 64 - 1)), Status::metadata_sgl_length_invalid);
  EXPECT_EQ(with(IoOpcode::read, SglDescriptor::make(SglType::keyed_data_block, meta_at, 8 * 64)), Status::sgl_type_invalid);
  EXPECT_EQ(with(IoOpcode::read, good, list_at + 4), Status::invalid_sgl_segment);
  EXPECT_EQ(with(IoOpcode::read, good, unmapped), Status::data_transfer_error);
  EXPECT_EQ(with(IoOpcode::read, SglDescriptor::make(SglType::data_block, unmapped, 8 * 64)), Status::data_transfer_error);
  host.expect_laws();
}

TEST(NvmePi, CopyChecksAtTheSourceAndMakesNewTuplesAtTheDestination) {
  Protected host{{512, 8, false, false, Protection::type1}};
  host.make(20, 100, 0x55);
  host.place();
  ASSERT_EQ(host.io(host.command(IoOpcode::write, 100, 20, 7, 100, 0x55, false)).code(), Status::success);
  const auto copy = [&](std::uint32_t reference, unsigned source_checks, unsigned target_checks, bool insert) {
    const CopyRange range{.slba = 100, .nlb = 19, .eilbrt = reference, .elbat = 0x55, .elbatm = 0xffff};
    host.memory.write(list_at, &range, sizeof range);
    return host.io({.opcode = 0x19,
                    .nsid = 1,
                    .prp1 = list_at,
                    .cdw10 = 700,
                    .cdw12 = source_checks << 12U | target_checks << 26U | (insert ? 1U << 29U : 0U),
                    .cdw14 = 700,
                    .cdw15 = 0xffff'0066U});
  };
  EXPECT_EQ(copy(100, 7, 0, true).code(), Status::success);
  host.wipe();
  EXPECT_EQ(host.io(host.command(IoOpcode::read, 700, 20, 7, 700, 0x66, false)).code(), Status::success);
  EXPECT_EQ(host.fetch(20).first, host.data);
  EXPECT_EQ(copy(101, 7, 0, true).code(), Status::reference_tag_check_error);
  EXPECT_EQ(copy(100, 7, 7, false).code(), Status::application_tag_check_error);  // tuples as they are do not fit there
  EXPECT_EQ(copy(100, 7, prchk_guard, false).code(), Status::success);
  EXPECT_EQ(host.io(host.command(IoOpcode::read, 700, 20, 7, 700, 0x55, false)).code(), Status::reference_tag_check_error);
  Sqe format1{.opcode = 0x19, .nsid = 1, .prp1 = list_at, .cdw10 = 700, .cdw12 = 1U << 8U};
  EXPECT_EQ(host.io(format1).code(), Status::invalid_field);  // for guards of 32 and 64 bits
  host.expect_laws();
}

/// §5.2: metadata count towards MDTS where they are part of the data, and the link carries them in timing mode, too.
TEST(NvmePi, MetadataOnTheLink) {
  for (const bool extended : {false, true}) {
    Host host{config_of({4096, 64, extended, false, Protection::none})};
    host.bring_up();
    Sqe sqe = Host::rw(IoOpcode::read, 0, 256, 0);
    host.describe(sqe, data_at, 256 * 4160, list_at);
    sqe.mptr = meta_at;
    EXPECT_EQ(host.io(sqe).code(), extended ? Status::invalid_field : Status::success);
    sqe = Host::rw(IoOpcode::read, 0, 2, data_at, extended ? list_at : data_at + 4096);
    if (extended) host.describe(sqe, data_at, 2 * 4160, list_at);
    sqe.mptr = meta_at;
    host.dma_bytes = 0;
    EXPECT_EQ(host.io(sqe).code(), Status::success);
    EXPECT_EQ(host.dma_bytes, 64U + 2 * 4160U + 16U + (extended ? 16U : 0U));
    host.expect_laws();
  }
}

TEST(NvmePi, ConfigurationsThatCannotBeAreRefused) {
  const auto errors = [](auto change) {
    Config c;
    change(c);
    UserErrors e;
    c.check("nvme", e);
    return e.list.size();
  };
  EXPECT_EQ(errors([](Config&) {}), 0U);
  EXPECT_EQ(errors([](Config& c) { c.metadata = 8_B, c.protection = Protection::type1; }), 0U);
  EXPECT_EQ(errors([](Config& c) { c.metadata = 12_B; }), 1U);
  EXPECT_EQ(errors([](Config& c) { c.protection = Protection::type1; }), 1U);
  EXPECT_EQ(errors([](Config& c) { c.metadata = 8_B, c.lba = 8_KiB; }), 1U);
}

}  // namespace
}  // namespace flashpath::nvme::test
