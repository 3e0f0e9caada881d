// SPDX-License-Identifier: Apache-2.0
// Flash of constant times that keeps its bytes, and fails when told to.
#pragma once
#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "base/agenda.h"
#include "base/delegate.h"
#include "ftl/geometry.h"
#include "nand/nand_op.h"

namespace flashpath::fuzz {

class Flash {
 public:
  Flash(Agenda& agenda, const ftl::Geometry& geometry) : agenda_{agenda}, g_{geometry}, free_at_(geometry.dies) {}
  Delegate<void(nand::Op&, Time)> answered;
  std::uint32_t failing_reads = 0;  ///< that many of the next ones

  void submit(nand::Op& op, Time now) {
    const std::uint64_t at = key(op);
    Time& free = free_at_[op.die.value];
    free = std::max(free, now) + (op.kind == nand::OpKind::read ? 40us : op.kind == nand::OpKind::program ? 600us : 3ms);
    if (op.kind == nand::OpKind::read && failing_reads != 0) {
      --failing_reads;
      op.status = nand::OpStatus::uncorrectable;
    }
    if (op.kind == nand::OpKind::program && op.data != nullptr) store_[at].assign(op.data, op.data + op.size.count);
    if (op.kind == nand::OpKind::erase) store_.erase(store_.lower_bound(at), store_.upper_bound(at + g_.wordlines_per_block - 1));
    agenda_.post<&Flash::done>(free, this, reinterpret_cast<std::uint64_t>(&op));
  }

 private:
  std::uint64_t key(const nand::Op& op) const {
    const std::uint64_t block = std::uint64_t{op.die.value} * g_.blocks_per_plane + op.block.value;
    return block * g_.wordlines_per_block + (op.kind == nand::OpKind::erase ? 0 : op.page.value / g_.bits_per_cell);
  }
  void done(Time now, std::uint64_t arg) {
    nand::Op& op = *reinterpret_cast<nand::Op*>(arg);
    op.stream = {now, now};
    if (op.kind == nand::OpKind::read) {
      op.journey.mark(Stage::sense, now);
      if (op.data != nullptr && op.status == nand::OpStatus::ok) {
        const auto found = store_.find(key(op));
        const std::uint64_t from = op.page.value % g_.bits_per_cell * g_.stripe().count + op.plane * g_.page.count + op.offset.count;
        const std::uint64_t have = found == store_.end() ? 0 : found->second.size();
        std::memset(op.data, 0xee, op.size.count);  // never programmed
        if (from < have) std::memcpy(op.data, found->second.data() + from, std::min(op.size.count, have - from));
      }
    }
    answered(op, now);
  }
  Agenda& agenda_;
  ftl::Geometry g_;
  std::vector<Time> free_at_;
  std::map<std::uint64_t, std::vector<unsigned char>> store_;
};

}  // namespace flashpath::fuzz
