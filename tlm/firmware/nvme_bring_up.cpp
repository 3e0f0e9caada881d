// SPDX-License-Identifier: Apache-2.0
// Bring-up of a drive, NVMe 2.0 §3.5.1: registers, admin queue, Identify, number of queues, queue pairs.
#include <algorithm>
#include <bit>

#include "base/error.h"
#include "firmware/nvme_driver.h"
#include "nvme/spec_identify.h"

namespace flashpath::firmware {
namespace {
constexpr std::uint64_t at(nvme::Register r) { return static_cast<std::uint64_t>(r); }
}  // namespace

void Driver::bring_up(Time now, Delegate<void(cores::CoreContext&)> ready) {
  ready_ = ready;
  for (std::uint32_t d = 0; d < drives(); ++d) cores_.submit(cores::CoreId{0}, cores::Task::of<&Driver::begin>(this, d), now);
}

void Driver::begin(cores::CoreContext& ctx, std::uint64_t d) {
  setup_[d].step = Step::cap;
  ctx.read_register(bus::bar_base + d * bus::bar_stride + at(nvme::Register::cap), 8, cores::Task::of<&Driver::value>(this, d));
}

void Driver::read_status(cores::CoreContext& ctx, std::uint64_t d) {
  ctx.read_register(bus::bar_base + d * bus::bar_stride + at(nvme::Register::csts), 4, cores::Task::of<&Driver::value>(this, d));
}

/// A register's value has arrived: what next depends on what was asked.
void Driver::value(cores::CoreContext& ctx, std::uint64_t drive, std::uint64_t v) {
  const auto d = static_cast<std::uint32_t>(drive);
  Setup& setup = setup_[d];
  DriveInfo& info = info_[d];
  const std::uint64_t bar = bus::bar_base + drive * bus::bar_stride;
  const auto next = [&](Step step, nvme::Register r) {
    setup.step = step;
    ctx.read_register(bar + at(r), 4, cores::Task::of<&Driver::value>(this, drive));
  };
  switch (setup.step) {
    case Step::cap:
      if (v == ~0ULL) return finish(ctx, d, "nobody answers at its BAR");
      info.cap = {v};
      if ((info.cap.css() & 1U) == 0) return finish(ctx, d, "no NVM command set (CAP.CSS)");
      if (!classes_.empty() && !info.cap.weighted())
        return finish(ctx, d, "no weighted round robin (CAP.AMS), which firmware.queue_classes wants");
      setup.deadline = ctx.now() + info.cap.to() * Duration{500ms};
      return next(Step::vs, nvme::Register::vs);
    case Step::vs: info.version = static_cast<std::uint32_t>(v); return next(Step::cc, nvme::Register::cc);
    case Step::cc:
      if (!nvme::Cc{static_cast<std::uint32_t>(v)}.en()) return enable(ctx, d);
      ctx.post_value(bar + at(nvme::Register::cc), static_cast<std::uint32_t>(v) & ~1U);
      return next(Step::disabling, nvme::Register::csts);
    case Step::disabling:
    case Step::enabling: {
      const nvme::Csts csts{static_cast<std::uint32_t>(v)};
      if (csts.cfs()) return finish(ctx, d, "fatal status (CSTS.CFS)");
      if (csts.rdy() == (setup.step == Step::enabling)) {
        if (setup.step == Step::disabling) return enable(ctx, d);
        setup.step = Step::controller;
        return admin(ctx, d);
      }
      if (ctx.now() > setup.deadline) return finish(ctx, d, "CSTS.RDY did not change within CAP.TO");
      agenda_.post<&Driver::again>(ctx.now() + config_.ready_poll, this, drive);
      return;
    }
    default: return;
  }
}

void Driver::again(Time now, std::uint64_t drive) {
  cores_.submit(cores::CoreId{0}, cores::Task::of<&Driver::read_status>(this, drive), now);
}

void Driver::enable(cores::CoreContext& ctx, std::uint32_t d) {
  const std::uint64_t bar = bus::bar_base + d * bus::bar_stride;
  DriveInfo& info = info_[d];
  const Bytes largest{4096ULL << info.cap.mpsmax()}, smallest{4096ULL << info.cap.mpsmin()};
  info.page = config_.page > largest ? std::max(smallest, Bytes{4096}) : std::max(smallest, config_.page);
  QueuePair& admin_pair = pair(d, 0);
  admin_pair.doorbell_stride(info.cap.dstrd());
  admin_pair.reset();
  const std::uint32_t entries = admin_pair.place().entries;
  ctx.post_value(bar + at(nvme::Register::aqa), ((entries - 1) << 16U) | (entries - 1));
  ctx.post_value(bar + at(nvme::Register::asq), admin_pair.place().sq);
  ctx.post_value(bar + at(nvme::Register::acq), admin_pair.place().cq);
  ctx.post_value(
      bar + at(nvme::Register::cc),
      nvme::Cc::make(true, static_cast<unsigned>(std::countr_zero(info.page.count)) - 12U, 0, 6, 4, classes_.empty() ? 0 : 1).raw);
  setup_[d].step = Step::enabling;
  setup_[d].deadline = ctx.now() + std::max<std::uint32_t>(info.cap.to(), 1) * Duration{500ms};
  read_status(ctx, d);
}

/// Sends the admin command of the present step.
void Driver::admin(cores::CoreContext& ctx, std::uint32_t d) {
  Setup& setup = setup_[d];
  const DriveInfo& info = info_[d];
  nvme::Sqe sqe;
  const auto identify = [&](nvme::Cns cns, std::uint32_t nsid) {
    sqe.opcode = static_cast<std::uint8_t>(nvme::AdminOpcode::identify);
    sqe.nsid = nsid;
    sqe.prp1 = setup.buffer;
    sqe.cdw10 = static_cast<std::uint32_t>(cns);
  };
  const std::uint32_t qid = setup.created + 1;
  switch (setup.step) {
    case Step::controller: identify(nvme::Cns::controller, 0); break;
    case Step::list: identify(nvme::Cns::active_ns_list, 0); break;
    case Step::ns: identify(nvme::Cns::ns, info.nsid); break;
    case Step::queues:
      sqe.opcode = static_cast<std::uint8_t>(nvme::AdminOpcode::set_features);
      sqe.cdw10 = static_cast<std::uint32_t>(nvme::Feature::number_of_queues);
      sqe.cdw11 = ((config_.cores - 1) << 16U) | (config_.cores - 1);
      break;
    case Step::create_cq:
      sqe.opcode = static_cast<std::uint8_t>(nvme::AdminOpcode::create_io_cq);
      sqe.prp1 = pair(d, qid).place().cq;
      sqe.cdw10 = ((info.queue_entries - 1) << 16U) | qid;
      sqe.cdw11 = 1;  // physically contiguous, no interrupts
      break;
    case Step::create_sq:
      sqe.opcode = static_cast<std::uint8_t>(nvme::AdminOpcode::create_io_sq);
      sqe.prp1 = pair(d, qid).place().sq;
      sqe.cdw10 = ((info.queue_entries - 1) << 16U) | qid;
      sqe.cdw11 = (qid << 16U) | 1U;
      if (!classes_.empty()) sqe.cdw11 |= static_cast<std::uint32_t>(classes_[std::min<std::size_t>(qid, classes_.size()) - 1]) << 1U;
      break;
    default: return;
  }
  ctx.cycles(config_.submit_cycles);
  QueuePair& qp = pair(d, 0);
  qp.push(ctx, sqe, Done::to<&Driver::admin_done>(this), d);
  qp.ring(ctx);
}

void Driver::admin_done(cores::CoreContext& ctx, const Completed& completed) {
  const std::uint32_t d = completed.drive;
  Setup& setup = setup_[d];
  DriveInfo& info = info_[d];
  if (!completed.ok()) {
    return finish(ctx, d,
                  "admin command of step " + std::to_string(static_cast<int>(setup.step)) + " failed, status " +
                      std::to_string(static_cast<unsigned>(completed.status)));
  }
  switch (setup.step) {
    case Step::controller:
    case Step::list:
    case Step::ns: return use_identify(ctx, d);
    case Step::queues: {
      const std::uint32_t granted = std::min(completed.result & 0xffffU, completed.result >> 16U) + 1;
      info.queue_pairs = std::min(granted, config_.cores);
      info.queue_entries = std::min(config_.queue_entries, info.cap.mqes() + 1);
      for (std::uint32_t q = 1; q <= info.queue_pairs; ++q) {
        QueuePair::Place place = pair(d, q).place();
        place.entries = info.queue_entries;
        pair(d, q) = QueuePair{place};
        pair(d, q).doorbell_stride(info.cap.dstrd());
      }
      setup.created = 0;
      setup.step = Step::create_cq;
      return admin(ctx, d);
    }
    case Step::create_cq: setup.step = Step::create_sq; return admin(ctx, d);
    case Step::create_sq:
      if (++setup.created == info.queue_pairs) return finish(ctx, d, "");
      setup.step = Step::create_cq;
      return admin(ctx, d);
    default: return;
  }
}

void Driver::use_identify(cores::CoreContext& ctx, std::uint32_t d) {
  Setup& setup = setup_[d];
  DriveInfo& info = info_[d];
  if (setup.step == Step::controller) {
    nvme::IdentifyController id;
    ctx.load_value(setup.buffer, id);
    const Bytes limit{id.mdts == 0 ? ~0ULL : (4096ULL << info.cap.mpsmin()) << std::min<unsigned>(id.mdts, 40)};
    const std::uint64_t by_list = std::min(info.page.count, pair(d, 1).place().list_bytes) / 8;  // one list, no chain
    info.max_transfer = std::min({limit, config_.max_command, Bytes{by_list * info.page.count}});
    info.deallocate = (id.oncs & 4U) != 0;
    info.volatile_cache = (id.vwc & 1U) != 0;
    setup.step = Step::list;
  } else if (setup.step == Step::list) {
    std::uint32_t first = 0;
    ctx.load_value(setup.buffer, first);
    if (first == 0) return finish(ctx, d, "no active namespace");
    info.nsid = first;
    setup.step = Step::ns;
  } else {
    nvme::IdentifyNamespace id;
    ctx.load_value(setup.buffer, id);
    info.blocks = id.nsze;
    info.lba = {1ULL << (id.lbaf[id.flbas & 0xfU].lbads & 63U)};
    if (id.lbaf[id.flbas & 0xfU].ms != 0) {
      const bool tuples_only = id.lbaf[id.flbas & 0xfU].ms == 8 && (id.dps & 7U) != 0;
      if (!tuples_only) return finish(ctx, d, "a namespace with metadata of its host's (nvme.metadata): this driver carries none");
      info.protection = (1U << 29U) | ((id.dps & 7U) == 3 ? 6U : 7U) << 26U;  // PRACT; checks on the way back
    }
    if (info.blocks == 0 || info.lba.count < 512) return finish(ctx, d, "a namespace without blocks");
    setup.step = Step::queues;
  }
  admin(ctx, d);
}

void Driver::finish(cores::CoreContext& ctx, std::uint32_t d, std::string failure) {
  if (setup_[d].step == Step::done) return;
  setup_[d].step = Step::done;
  info_[d].ready = failure.empty();
  info_[d].failure = std::move(failure);
  if (++finished_ == drives() && ready_) ready_(ctx);
}

}  // namespace flashpath::firmware
