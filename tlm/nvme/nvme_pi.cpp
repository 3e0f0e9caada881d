// SPDX-License-Identifier: Apache-2.0
#include "nvme/nvme_pi.h"

#include <array>

namespace flashpath::nvme {
namespace {
constexpr std::uint16_t polynomial = 0x8bb7;

constexpr std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned i = 0; i < 256; ++i) {
    unsigned crc = i << 8U;
    for (unsigned bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ polynomial : crc << 1U;
    table[i] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr std::array<std::uint16_t, 256> table = make_table();

std::uint16_t big16(const unsigned char* p) { return static_cast<std::uint16_t>(p[0] << 8U | p[1]); }
std::uint32_t big32(const unsigned char* p) { return std::uint32_t{big16(p)} << 16U | big16(p + 2); }
void put16(unsigned char* p, std::uint32_t value) {
  p[0] = static_cast<unsigned char>(value >> 8U);
  p[1] = static_cast<unsigned char>(value);
}

std::uint16_t guard_of(const Namespace& ns, const unsigned char* data, const unsigned char* meta) {
  return crc16_t10dif(meta, ns.tuple_at(), crc16_t10dif(data, ns.lba));
}
}  // namespace

std::string_view name_of(Protection protection) {
  switch (protection) {
    case Protection::none: return "none";
    case Protection::type1: return "type1";
    case Protection::type2: return "type2";
    case Protection::type3: return "type3";
  }
  return "";
}

std::span<const Protection> all_of(const Protection*) {
  static constexpr std::array all{Protection::none, Protection::type1, Protection::type2, Protection::type3};
  return all;
}

std::uint16_t crc16_t10dif(const unsigned char* bytes, std::size_t size, std::uint16_t crc) {
  unsigned c = crc;
  for (std::size_t i = 0; i < size; ++i) c = ((c << 8U) & 0xff00U) ^ table[(c >> 8U) ^ bytes[i]];
  return static_cast<std::uint16_t>(c);
}

Status check_tuples(const Namespace& ns, const Expected& expected, std::uint64_t blocks, const unsigned char* data,
                    const unsigned char* meta) {
  std::uint32_t reference = expected.reference;
  for (std::uint64_t i = 0; i < blocks; ++i, data += ns.lba, meta += ns.metadata) {
    const unsigned char* const tuple = meta + ns.tuple_at();
    const std::uint16_t tag = big16(tuple + 2);
    const std::uint32_t ref = big32(tuple + 4);
    const std::uint32_t wanted = reference;
    if (ns.protection != Protection::type3) ++reference;
    if (tag == 0xffffU && (ns.protection != Protection::type3 || ref == 0xffff'ffffU)) continue;
    if ((expected.prchk & prchk_guard) != 0 && big16(tuple) != guard_of(ns, data, meta)) return Status::guard_check_error;
    if ((expected.prchk & prchk_app) != 0 && ((tag ^ expected.tag) & expected.mask) != 0) return Status::application_tag_check_error;
    if ((expected.prchk & prchk_ref) != 0 && ns.protection != Protection::type3 && ref != wanted) return Status::reference_tag_check_error;
  }
  return Status::success;
}

void insert_tuples(const Namespace& ns, std::uint32_t reference, std::uint16_t tag, std::uint64_t blocks, const unsigned char* data,
                   unsigned char* meta) {
  for (std::uint64_t i = 0; i < blocks; ++i, data += ns.lba, meta += ns.metadata) {
    unsigned char* const tuple = meta + ns.tuple_at();
    put16(tuple, guard_of(ns, data, meta));
    put16(tuple + 2, tag);
    put16(tuple + 4, reference >> 16U);
    put16(tuple + 6, reference);
    if (ns.protection != Protection::type3) ++reference;
  }
}

}  // namespace flashpath::nvme
