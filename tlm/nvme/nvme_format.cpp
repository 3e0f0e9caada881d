// SPDX-License-Identifier: Apache-2.0
// Format NVM, NVMe 2.0 §5.14. I/O commands before it end first; those that come while it waits or works get Format In Progress.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::format_nvm(Command& c, Time now) {
  const std::uint32_t options = c.sqe.cdw10;
  const unsigned lbaf = (options & 0xfU) | (options >> 8U & 0x30U), protection = options >> 5U & 7U, secure = options >> 9U & 7U;
  if ((c.sqe.nsid == 0 || c.sqe.nsid > namespaces) && c.sqe.nsid != 0xffff'ffffU) return fail(c, Status::invalid_namespace);
  if (lbaf != 0 || protection != 0) return fail(c, Status::invalid_format);  // one LBA format, without metadata
  if (secure > 1) return fail(c, Status::invalid_field);                     // no cryptographic erase
  if (format_ != nullptr) return fail(c, Status::format_in_progress);
  format_ = &c;
  ++c.pending;
  format_waits_ = 0;
  for (const Command* other = newest_; other != nullptr; other = other->older) format_waits_ += other->executing ? 1U : 0U;
  if (format_waits_ == 0) send_format(now);
}

void ControllerModel::send_format(Time now) {
  Command& c = *format_;
  if (c.abandoned) {  // a reset came first
    format_ = nullptr;
  } else {
    Chunk& chunk = new_chunk(c, ftl::RequestKind::format, 0, 0);
    chunk.request.address = {};
    chunk.request.erase = (c.sqe.cdw10 >> 9U & 7U) == 1;
    outside.ftl(chunk.request, now);
  }
  release(c, now);
}

}  // namespace flashpath::nvme
