// SPDX-License-Identifier: Apache-2.0
#include "nand/cells.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace flashpath::nand {

Cells::Cells(const Geometry& geometry, bool data_mode)
    : geometry_{geometry}, data_mode_{data_mode}, next_(std::size_t{geometry.dies()} * geometry.blocks() * geometry.planes()) {}

void Cells::read(const Op& op) const {
  if (!data_mode_ || op.data == nullptr) return;
  const std::uint64_t page = geometry_.page().count;
  const std::uint64_t type = geometry_.type_of(op.page);
  const std::uint32_t wordline = geometry_.wordline_of(op.page).value;
  std::uint64_t from = op.offset.count;
  unsigned char* to = op.data;
  for (std::uint64_t left = op.size.count; left != 0;) {
    const std::uint64_t in_page = from % page;
    const std::uint64_t piece = std::min(left, page - in_page);
    const auto block = blocks_.find(index(op.die, op.block, static_cast<std::uint32_t>(op.plane + from / page)));
    const unsigned char* bytes = block == blocks_.end() ? nullptr : block->second.wordlines[wordline].get();
    if (bytes != nullptr) std::memcpy(to, bytes + type * page + in_page, piece);
    else std::memset(to, 0xFF, piece);
    to += piece;
    from += piece;
    left -= piece;
  }
}

bool Cells::may(const Op& op) const {
  const std::uint32_t number = geometry_.program_of(op.page);
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    const std::size_t at = index(op.die, op.block, p);
    if (next_[at] != number && std::find(failed_.begin(), failed_.end(), Failed{at, number}) == failed_.end()) return false;
  }
  return true;
}

OpStatus Cells::fail(const Op& op) {
  if (!may(op)) return OpStatus::program_failed;
  const std::uint32_t number = geometry_.program_of(op.page);
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    const std::size_t at = index(op.die, op.block, p);
    if (next_[at] != number) continue;  // failed before
    next_[at] = static_cast<std::uint16_t>(number + 1);
    failed_.push_back({at, number});
  }
  return OpStatus::program_failed;
}

OpStatus Cells::program(const Op& op) {
  const std::uint32_t number = geometry_.program_of(op.page);
  if (!may(op)) return OpStatus::program_failed;
  const std::uint32_t wordline = geometry_.wordline_of(op.page).value;
  const std::uint32_t first_type = geometry_.type_of(op.page);
  const std::uint64_t page = geometry_.page().count;
  for (std::uint32_t i = 0; i < op.planes; ++i) {
    const std::size_t at = index(op.die, op.block, op.plane + i);
    if (next_[at] == number) next_[at] = static_cast<std::uint16_t>(number + 1);
    else std::erase(failed_, Failed{at, number});
    if (!data_mode_ || op.data == nullptr) continue;
    Block& block = blocks_[at];
    block.wordlines.resize(geometry_.wordlines());
    Wordline& bytes = block.wordlines[wordline];
    if (bytes == nullptr) {
      bytes = std::make_unique_for_overwrite<unsigned char[]>(page * geometry_.bits());
      if (geometry_.program_pages() != geometry_.bits()) std::memset(bytes.get(), 0xFF, page * geometry_.bits());
      ++block.kept;
      ++kept_;
    }
    for (std::uint32_t k = 0; k < geometry_.program_pages(); ++k) {
      std::memcpy(bytes.get() + (first_type + k) * page, op.data + (std::uint64_t{k} * op.planes + i) * page, page);
    }
  }
  return OpStatus::ok;
}

OpStatus Cells::erase(const Op& op) {
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    const std::size_t at = index(op.die, op.block, p);
    next_[at] = 0;
    if (!failed_.empty()) std::erase_if(failed_, [&](const Failed& f) { return f.block == at; });
    forget(at);
  }
  return OpStatus::ok;
}

void Cells::precondition(DieId die, BlockId block, std::uint32_t wordlines) {
  invariant(wordlines <= geometry_.wordlines(), "preconditioned more wordlines than a block has", "nand");
  for (std::uint32_t p = 0; p < geometry_.planes(); ++p) {
    const std::size_t at = index(die, block, p);
    next_[at] = static_cast<std::uint16_t>(wordlines * geometry_.bits() / geometry_.program_pages());
    forget(at);
  }
}

void Cells::forget(std::size_t block) {
  if (blocks_.empty()) return;
  const auto found = blocks_.find(block);
  if (found == blocks_.end()) return;
  kept_ -= found->second.kept;
  blocks_.erase(found);
}

}  // namespace flashpath::nand
