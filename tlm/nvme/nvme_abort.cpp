// SPDX-License-Identifier: Apache-2.0
// Abort, NVMe 2.0 §5.1: ends what has been fetched and not begun yet - on its way through a front end, a write that nothing has been
// asked of the host for, an asynchronous event request - with Command Abort Requested; its completion comes before Abort's own.
// Anything else ends by itself (completion dword 0, bit 0 set). Entries not yet fetched are not looked for.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::abort(Command& c, Time now) {
  const auto sq = static_cast<std::uint16_t>(c.sqe.cdw10 & 0xffffU);
  const auto cid = static_cast<std::uint16_t>(c.sqe.cdw10 >> 16U);
  if (sq >= sqs_.size() || !sqs_[sq].exists) return fail(c, Status::invalid_field);
  if (aborts_ == abort_limit) return fail(c, Status::abort_limit_exceeded);
  c.result = 1;
  for (Command* victim = newest_; victim != nullptr; victim = victim->older) {
    if (victim->sq != sq || victim->sqe.cid != cid || victim == &c || victim->aborter != nullptr) continue;
    if (victim->abandoned || victim->finished || victim->status != Status::success) continue;
    const bool event = victim->admin && victim->sqe.opcode == static_cast<std::uint8_t>(AdminOpcode::async_event_request);
    const bool waits = victim->io && victim->direction == Direction::from_host && victim->asked == 0;
    if (victim->begun && !event && !waits) continue;
    c.result = 0;
    ++c.pending;  // until the victim has left
    ++aborts_;
    ++stats_.aborted;
    victim->aborter = &c;
    fail(*victim, Status::abort_requested);
    if (event && victim->begun) {
      async_requests_.remove(*victim);
      release(*victim, now);
    }
    return;
  }
}

void ControllerModel::aborted(Command& victim, Time now) {
  Command& c = *victim.aborter;
  victim.aborter = nullptr;
  --aborts_;
  release(c, now);
}

}  // namespace flashpath::nvme
