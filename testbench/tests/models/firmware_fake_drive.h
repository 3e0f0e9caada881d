// SPDX-License-Identifier: Apache-2.0
// The rig's drive at work (included by firmware_rig.h): registers, doorbells, commands; breaches of protocol are counted in `bad`.
#pragma once
#include "models/firmware_rig.h"

namespace firmware_rig {

inline void FakeDrive::write(std::uint64_t offset, std::uint64_t value, Time now) {
  if (offset >= 0x1000) {
    const std::uint64_t n = (offset - 0x1000) / (4ULL << dstrd);
    return doorbell(static_cast<std::uint32_t>(n / 2), n % 2 == 1, static_cast<std::uint32_t>(value), now);
  }
  switch (static_cast<nvme::Register>(offset)) {
    case nvme::Register::aqa: aqa = static_cast<std::uint32_t>(value); break;
    case nvme::Register::asq: asq = value; break;
    case nvme::Register::acq: acq = value; break;
    case nvme::Register::cc:
      if ((value & 1U) != 0 && (cc & 1U) == 0) {
        pairs.clear();
        pairs[0] = {.sq = asq, .cq = acq, .entries = (aqa & 0xfffU) + 1, .cq_made = true, .sq_made = true};
        if (!never_ready) rig->agenda.post<&FakeDrive::ready>(now + 25us, this);
      }
      if ((value & 1U) == 0) csts = 0;
      cc = static_cast<std::uint32_t>(value);
      break;
    default: ++bad;
  }
}

inline std::uint64_t FakeDrive::read(std::uint64_t offset) const {
  switch (static_cast<nvme::Register>(offset)) {
    case nvme::Register::cap: return nvme::Cap::make(mqes, 4, dstrd, 0, mpsmax).raw;
    case nvme::Register::vs: return nvme::version_2_0;
    case nvme::Register::cc: return cc;
    case nvme::Register::csts: return csts;
    default: return 0;
  }
}

inline void FakeDrive::doorbell(std::uint32_t qid, bool cq, std::uint32_t value, Time now) {
  Queue& q = pairs[qid];
  if (value >= q.entries) {
    ++bad;
    return;
  }
  if (cq) {
    ++cq_doorbells;
    q.cq_head = value;
    return;
  }
  ++sq_doorbells;
  rung.push_back(now);
  q.tail = value;
  for (; q.head != q.tail; q.head = q.head + 1 == q.entries ? 0 : q.head + 1) {
    nvme::Sqe sqe;
    rig->memory.read(q.sq + 64ULL * q.head, {reinterpret_cast<unsigned char*>(&sqe), sizeof sqe});
    if (qid != 0) seen.push_back(sqe);
    if (hold && qid != 0) continue;
    Time done = now + latency;
    if (service.count() != 0 && qid != 0) {
      busy_until = std::max(now, busy_until) + service;
      done = busy_until + latency;
    }
    late.push_back({sqe, qid});
    rig->agenda.post<&FakeDrive::finish>(done, this, late.size() - 1);
  }
}

inline std::vector<std::uint64_t> FakeDrive::pages(const nvme::Sqe& sqe, std::uint64_t size) const {
  const std::uint64_t page = 4096ULL << nvme::Cc{cc}.mps();
  std::vector<std::uint64_t> out{sqe.prp1};
  std::uint64_t left = size - std::min(size, page - sqe.prp1 % page);
  if (left == 0) return out;
  if (left <= page) out.push_back(sqe.prp2);
  else {
    out.resize(1 + (left + page - 1) / page);
    rig->memory.read(sqe.prp2, {reinterpret_cast<unsigned char*>(&out[1]), 8 * (out.size() - 1)});
  }
  return out;
}

inline nvme::Cqe FakeDrive::execute(const nvme::Sqe& sqe, std::uint32_t qid) {
  nvme::Cqe cqe;
  nvme::Status status = nvme::Status::success;
  if (qid == 0) {
    std::vector<unsigned char> page(4096);
    switch (static_cast<nvme::AdminOpcode>(sqe.opcode)) {
      case nvme::AdminOpcode::identify:
        if (sqe.cdw10 == 1) {
          auto& id = *reinterpret_cast<nvme::IdentifyController*>(page.data());
          id.mdts = static_cast<std::uint8_t>(mdts);
          id.oncs = 4;
        } else if (sqe.cdw10 == 2) {
          const std::uint32_t nsid = 1;
          std::memcpy(page.data(), &nsid, 4);
        } else {
          auto& id = *reinterpret_cast<nvme::IdentifyNamespace*>(page.data());
          id.nsze = blocks;
          id.lbaf[0].lbads = 12;
        }
        rig->memory.write(sqe.prp1, page);
        break;
      case nvme::AdminOpcode::set_features: cqe.dw0 = ((queues - 1) << 16U) | (queues - 1); break;
      case nvme::AdminOpcode::create_io_cq: {
        Queue& q = pairs[sqe.cdw10 & 0xffffU];
        q.cq = sqe.prp1;
        q.entries = (sqe.cdw10 >> 16U) + 1;
        q.cq_made = true;
        if (sqe.prp1 % (4096ULL << nvme::Cc{cc}.mps()) != 0) ++bad;
        break;
      }
      case nvme::AdminOpcode::create_io_sq: {
        Queue& q = pairs[sqe.cdw10 & 0xffffU];
        q.sq = sqe.prp1;
        q.sq_made = true;
        if (!q.cq_made || (sqe.cdw11 >> 16U) != (sqe.cdw10 & 0xffffU)) ++bad;
        break;
      }
      default: status = nvme::Status::invalid_opcode;
    }
  } else {
    const bool data = sqe.opcode == 1 || sqe.opcode == 2;
    if (data && sqe.slba() + sqe.nlb() + 1 > blocks) status = nvme::Status::lba_out_of_range;
    if (const auto f = fail.find(sqe.slba()); data && f != fail.end()) status = f->second;
    const std::uint64_t size = (sqe.nlb() + 1) * lba;
    if (data && size > (4096ULL << mdts)) ++bad;
    if (data && status == nvme::Status::success) {
      const std::uint64_t page = 4096ULL << nvme::Cc{cc}.mps();
      const auto list = pages(sqe, size);
      std::uint64_t at = 0;
      for (std::size_t i = 0; i < list.size(); ++i) {
        if (i > 0 && list[i] % page != 0) ++bad;
        const std::uint64_t n = std::min(size - at, page - list[i] % page);
        if (rig->data) {
          std::vector<unsigned char> bytes(n);
          if (sqe.opcode == 2) {
            flash.read(sqe.slba() * lba + at, bytes);
            rig->memory.write(list[i], bytes);
          } else {
            rig->memory.read(list[i], bytes);
            flash.write(sqe.slba() * lba + at, bytes);
          }
        }
        at += n;
      }
      if (at != size) ++bad;
    }
  }
  cqe.status = static_cast<std::uint16_t>(static_cast<unsigned>(status) << 1U);
  return cqe;
}

inline void FakeDrive::finish(Time now, std::uint64_t i) {
  const Late l = late[i];
  Queue& q = pairs[l.qid];
  nvme::Cqe cqe = execute(l.sqe, l.qid);
  cqe.sqhd = static_cast<std::uint16_t>(q.head);
  cqe.sqid = static_cast<std::uint16_t>(l.qid);
  cqe.cid = l.sqe.cid;
  cqe.status = static_cast<std::uint16_t>(cqe.status | (q.phase ? 1U : 0U));
  const std::uint64_t at = q.cq + 16ULL * q.cq_tail;
  if (++q.cq_tail == q.entries) {
    q.cq_tail = 0;
    q.phase = !q.phase;
  }
  if (q.cq_tail == q.cq_head) ++bad;  // completion queue overrun
  rig->dma(at, &cqe, sizeof cqe, now);
}

}  // namespace firmware_rig
