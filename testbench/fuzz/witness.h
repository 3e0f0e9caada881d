// SPDX-License-Identifier: Apache-2.0
// An independent judge of what the controller does to host memory. It believes only what the host has said: the bytes of
// submission queue entries at the moment they are fetched, of the lists they point to, and of ASQ, ACQ and AQA when CC.EN is set.
//
//  - An entry is fetched only from memory the host named as a submission queue; a completion goes only to a completion queue's next slot.
//  - Every completion is that of a command fetched and not completed yet: at most once, and none invented.
//  - Data moves only in memory named by a command that is not completed, and only the way its opcode says (bits 1:0 of the opcode:
//    01 from the host, 10 to the host). All other memory is another tenant's.
//
// A list is every PRP entry: eight bytes that name the rest of a page; entries of a descriptor list name address and length too.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "nvme/nvme_state.h"

namespace flashpath::fuzz {

class Witness {
 public:
  std::vector<std::string> wrong;  ///< what should not have happened; empty: nothing

  /// CC.EN was set: the admin queues are where the registers say, pages are this large. Nothing of the past is alive.
  void enabled(std::uint32_t aqa, std::uint64_t asq, std::uint64_t acq, std::uint64_t page) {
    page_ = page;
    forget();
    submission_ = {{asq, ((aqa & 0xfffU) + 1ULL) * sizeof(nvme::Sqe)}};
    completion_ = {{{acq, ((aqa >> 16U) + 1ULL) * sizeof(nvme::Cqe)}}};
  }
  /// CSTS.RDY fell: nothing may come any more.
  void forget() {
    live_.clear();
    submission_.clear();
    completion_.clear();
    shared_.clear();
  }
  /// Commands fetched and not completed; asynchronous event requests may stay.
  std::size_t open() const {
    return static_cast<std::size_t>(std::ranges::count_if(live_, [](const Live& l) { return !l.event_request; }));
  }

  /// Before the access.
  void begins(const nvme::DmaRequest& r) {
    using Purpose = nvme::DmaRequest::Purpose;
    const Range range{r.address, r.size.count};
    switch (r.purpose) {
      case Purpose::sqe_fetch:
        if (r.write || !inside(submission_, range)) say("an entry is fetched outside the submission queues", r);
        return;
      case Purpose::cqe:
        if (!r.write || !in_turn(r)) say("a completion outside the completion queues, or out of turn", r);
        else completed(r);
        return;
      case Purpose::data:
        if (!covered(range, r.write ? 2U : 1U)) say(r.write ? "writes memory nobody named" : "reads memory nobody named", r);
        return;
      default:
        if (inside(shared_, range)) return;
        if (r.write || !covered(range, 0)) say("a list is read, or doorbells shared, in memory nobody named", r);
    }
  }
  /// After a read that succeeded: what it brought is what the host said.
  void read(const nvme::DmaRequest& r, std::uint16_t queue) {
    using Purpose = nvme::DmaRequest::Purpose;
    if (r.purpose == Purpose::data || r.write) return;
    if (r.purpose == Purpose::sqe_fetch) {
      for (std::uint64_t at = 0; at + sizeof(nvme::Sqe) <= r.size.count; at += sizeof(nvme::Sqe)) {
        nvme::Sqe sqe;
        std::memcpy(&sqe, r.bytes + at, sizeof sqe);
        fetched(sqe, queue);
      }
      return;
    }
    for (Live& live : live_) {
      if (!std::ranges::any_of(live.named, [&](const Range& n) { return n.has(r.address); })) continue;
      for (std::uint64_t at = 0; at + 8 <= r.size.count; at += 8) {
        std::uint64_t entry = 0;
        std::memcpy(&entry, r.bytes + at, sizeof entry);
        live.named.push_back({entry, page_ - entry % page_});
        if (at % 16 == 0 && at + 16 <= r.size.count) {  // an SGL descriptor
          std::uint32_t length = 0;
          std::memcpy(&length, r.bytes + at + 8, sizeof length);
          live.named.push_back({entry, length});
        }
      }
    }
  }

 private:
  static constexpr std::uint8_t doorbell_buffer_config = 0x7c;
  struct Range {
    std::uint64_t at = 0, size = 0;
    bool has(std::uint64_t address) const { return address >= at && address - at < size; }
  };
  /// A completion queue is filled slot by slot, its phase turning at each end.
  struct Ring {
    Range range;
    std::uint64_t next = 0;
    bool phase = true;
  };
  struct Live {
    std::uint16_t queue = 0, cid = 0;
    std::uint8_t opcode = 0;
    bool event_request = false;
    nvme::Sqe sqe{};
    std::vector<Range> named;
  };

  void fetched(const nvme::Sqe& sqe, std::uint16_t queue) {
    Live live{.queue = queue, .cid = sqe.cid, .opcode = sqe.opcode, .sqe = sqe, .named = {}};
    live.event_request = queue == 0 && sqe.opcode == static_cast<std::uint8_t>(nvme::AdminOpcode::async_event_request);
    for (const std::uint64_t pointer : {sqe.prp1, sqe.prp2}) live.named.push_back({pointer, page_ - pointer % page_});
    if (sqe.psdt() != 0) live.named.push_back({sqe.prp1, sqe.prp2 & 0xffff'ffffU});
    if (sqe.mptr != 0) live.named.push_back({sqe.mptr, 1ULL << 20U});
    const std::uint64_t entries = (sqe.cdw10 >> 16U) + 1ULL;
    if (queue == 0 && sqe.opcode == static_cast<std::uint8_t>(nvme::AdminOpcode::create_io_sq))
      submission_.push_back({sqe.prp1, entries * sizeof(nvme::Sqe)});
    if (queue == 0 && sqe.opcode == static_cast<std::uint8_t>(nvme::AdminOpcode::create_io_cq))
      completion_.push_back({{sqe.prp1, entries * sizeof(nvme::Cqe)}});
    if (queue == 0 && sqe.opcode == doorbell_buffer_config) {  // read and written from now on, until a reset
      for (const std::uint64_t pointer : {sqe.prp1, sqe.prp2}) shared_.push_back({pointer, page_ - pointer % page_});
    }
    live_.push_back(std::move(live));
  }

  void completed(const nvme::DmaRequest& r) {
    nvme::Cqe cqe;
    std::memcpy(&cqe, r.bytes, sizeof cqe);
    const auto found = std::ranges::find_if(live_, [&](const Live& l) { return l.queue == cqe.sqid && l.cid == cqe.cid; });
    if (found == live_.end()) {
      say("a completion of no command: queue " + std::to_string(cqe.sqid) + ", CID " + std::to_string(cqe.cid), r);
      return;
    }
    const Live done = *found;
    live_.erase(found);
    // A host that uses an identifier twice cannot tell which of the two is done; nor can we: the other one keeps what both named.
    const auto other = std::ranges::find_if(live_, [&](const Live& l) { return l.queue == done.queue && l.cid == done.cid; });
    if (other != live_.end()) other->named.insert(other->named.end(), done.named.begin(), done.named.end());
    const bool deletes = done.queue == 0 && done.opcode == static_cast<std::uint8_t>(nvme::AdminOpcode::delete_io_sq);
    if (deletes && cqe.code() == nvme::Status::success) {  // completions left out are implied
      const auto queue = static_cast<std::uint16_t>(done.sqe.cdw10 & 0xffffU);
      std::erase_if(live_, [&](const Live& l) { return l.queue == queue; });
    }
  }

  bool in_turn(const nvme::DmaRequest& r) {
    nvme::Cqe cqe;
    if (r.size.count != sizeof cqe) return false;
    std::memcpy(&cqe, r.bytes, sizeof cqe);
    for (Ring& ring : completion_) {
      if (r.address != ring.range.at + ring.next || cqe.phase() != ring.phase) continue;
      ring.next += sizeof cqe;
      if (ring.next == ring.range.size) {
        ring.next = 0;
        ring.phase = !ring.phase;
      }
      return true;
    }
    return false;
  }

  static bool inside(const std::vector<Range>& ranges, const Range& r) {
    return std::ranges::any_of(ranges, [&](const Range& n) { return n.has(r.at) && r.size <= n.size - (r.at - n.at); });
  }
  /// Every byte named by some command whose data may go this way (`way`: bits of its opcode, 0: any).
  bool covered(const Range& r, unsigned way) const {
    for (std::uint64_t at = r.at, end = r.at + r.size; at != end;) {
      std::uint64_t reach = at;
      for (const Live& live : live_) {
        if (way != 0 && (live.opcode & way) == 0) continue;
        for (const Range& n : live.named) {
          if (n.has(at)) reach = std::max(reach, at + std::min(n.size - (at - n.at), end - at));
        }
      }
      if (reach == at) return false;
      at = reach;
    }
    return true;
  }
  void say(const std::string& what, const nvme::DmaRequest& r) {
    wrong.push_back(what + ": " + std::to_string(r.size.count) + " bytes at " + std::to_string(r.address));
  }

  std::uint64_t page_ = 4096;
  std::vector<Live> live_;
  std::vector<Range> submission_, shared_;
  std::vector<Ring> completion_;
};

}  // namespace flashpath::fuzz
