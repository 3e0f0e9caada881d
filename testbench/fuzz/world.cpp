// SPDX-License-Identifier: Apache-2.0
#include "fuzz/world.h"

#include <algorithm>

namespace flashpath::fuzz {

using nvme::DmaRequest;
using nvme::Register;
using nvme::Sqe;

nvme::Config World::nvme_config(std::uint8_t choice) {
  nvme::Config c;
  c.max_queues = queues;
  c.enable_time = 1us;
  c.mdts = 128_KiB;
  c.staging = 128_KiB;
  c.read_chunk = 32_KiB;
  c.write_chunk = 64_KiB;
  c.dma_outstanding = 3;
  c.fetches = 3;
  c.fetch_batch = 5;
  c.engines = 2;
  c.max_queue_entries = 64;
  c.contexts = (choice & 1U) != 0 ? 4 : 24;
  c.doorbell_stride = (choice & 2U) != 0 ? 16_B : 4_B;
  c.lba = (choice & 4U) != 0 ? 512_B : 4_KiB;
  return c;
}

ftl::Geometry World::geometry() {
  return {.channels = 2, .dies = 4, .planes = 2, .blocks_per_plane = 24, .wordlines_per_block = 4, .bits_per_cell = 3, .page = 4_KiB};
}

ftl::Config World::ftl_config() {
  ftl::Config c;
  c.capacity = 6_MiB;
  c.write_buffer = 256_KiB;
  c.write_streams = 2;
  c.gc_low = 3;
  c.gc_high = 4;
  c.gc_moves = 16;
  c.gc_moves_urgent = 64;
  return c;
}

World::World(Input& input)
    : input_{input},
      choice_{input.u8()},
      config_{nvme_config(choice_)},
      flash_{agenda_, geometry()},
      ftl_{agenda_,
           ftl_config(),
           geometry(),
           (choice_ & 8U) == 0,
           ftl::FtlModel::IssueFlash::to<&Flash::submit>(&flash_),
           ftl::FtlModel::Event::to<&nvme::ControllerModel::ftl_accepted>(&controller_),
           ftl::FtlModel::Event::to<&nvme::ControllerModel::ftl_answered>(&controller_)},
      controller_{agenda_, config_, ftl_config().capacity, (choice_ & 8U) == 0, "FUZZ", group_},
      function_{controller_, config_},
      memory_(memory_size) {
  flash_.answered = Delegate<void(nand::Op&, Time)>::to<&ftl::FtlModel::flash_answered>(&ftl_);
  ftl_.on_health(Delegate<void(Time)>::to<&nvme::ControllerModel::health_changed>(&controller_));
  function_.dma = Delegate<void(DmaRequest&, Time)>::to<&World::dma>(this);
  function_.on_message(pcie::Msix::Message::to<&World::message>(this));
  function_.place(0x1'0000'0000, Time{});
  controller_.outside.ftl = Delegate<void(ftl::Request&, Time)>::to<&World::ask_ftl>(this);
  controller_.outside.health = Delegate<ftl::Health()>::to<&ftl::FtlModel::health>(&ftl_);
  for (std::uint64_t page = 32; page < 48; ++page) {  // lists of pages, as hosts have them
    for (std::uint64_t i = 0; i < page_bytes / 8; ++i) {
      const std::uint64_t entry = memory_base + (64 + (page * 5 + i) % 192) * page_bytes;
      std::memcpy(at(memory_base + page * page_bytes + i * 8, 8), &entry, sizeof entry);
    }
  }
  if ((choice_ & 0x20U) != 0) return;  // the host begins with nothing; else with a drive that is up
  bring_up(32, choice_ >= 0xc0U ? 1 : 0);
  create_pairs();
}

void World::create_pairs() {
  create_pair(1, 16);
  create_pair(2, 5);
}

std::vector<std::string> World::run() {
  for (std::size_t i = 0; i < most_operations && !input_.empty() && witness_.wrong.empty(); ++i) operation();
  if (witness_.wrong.empty()) settle();
  return witness_.wrong;
}

// ---- the host ----

void World::operation() {
  const std::uint8_t what = input_.u8();
  switch (what < 232 ? what % 20 : 20 + what % 3) {
    case 0:
    case 1: pass(Duration{std::int64_t{1} << (input_.u8() % 37U)}); return;
    case 2: write_register(); return;
    case 3: {
      const unsigned size = input_.u8() % 10U;
      const std::uint64_t offset = (input_.u8() & 1U) != 0 ? input_.u64() : input_.u16();
      const std::uint64_t value = function_.bar_read(offset, size);
      if (size < 8 && (value >> (8U * size)) != 0) witness_.wrong.push_back("a register read wider than it is");
      return;
    }
    case 4: {
      const std::uint8_t entries = input_.u8(), how = input_.u8();
      bring_up(entries % 64U + 1U, (how & 0xfU) == 0 ? 1 + (how >> 4U & 3U) : 0);
      if ((how & 0x80U) == 0) create_pairs();
      return;
    }
    case 5: create_pair(1 + input_.u8() % queues, 2 + input_.u8() % 63U); return;
    case 6: {
      const std::uint32_t q = input_.u8() % (queues + 1);
      ring(q, queue_[q].tail);
      return;
    }
    case 7: {
      const std::uint32_t q = input_.u8() % (queues + 1);
      ring(q, input_.u16());
      return;
    }
    case 8: poll(input_.u8() % (queues + 1)); return;
    case 9: fill_memory(); return;
    case 10:
      if (!rarely()) return;
      bad_begin_ = memory_base + input_.u8() * page_bytes;
      bad_end_ = bad_begin_ + input_.u8() * page_bytes;
      return;
    case 11: bad_begin_ = bad_end_ = 0; return;
    case 12: flash_.failing_reads = input_.u8() % 8U; return;
    case 13:
      if (rarely()) set_enable(nvme::Cc::make(false).raw);
      return;
    case 14:
      if (rarely()) set_enable(nvme::Cc::make(true, 0, 1 + input_.u8() % 2U).raw);
      return;
    case 20: configure(); return;
    case 21: msix_table(); return;
    case 22:
      switch (input_.u8() & 7U) {
        case 7: reset_function(); return;
        case 5:
        case 6: function_.cfg_write(pcie::ConfigSpace::command, 2, pcie::ConfigSpace::memory_enable, agenda_.now()); return;
        default: function_.place(input_.u16() * 0x100'0000ULL, agenda_.now()); return;
      }
    case 15:
      if (input_.u16() == 0xdead) {
        controller_.fail(agenda_.now());
        dead_ = true;
      } else {
        controller_.set_temperature(input_.u16(), agenda_.now());
      }
      return;
    case 16:
    case 17: {  // a command that moves data, mostly legal
      const std::uint32_t q = 1 + input_.u8() % 2U;
      const Sqe sqe = data_command();
      const std::uint8_t how = input_.u8();
      for (unsigned n = 0; n <= (how & 7U); ++n) put(q, sqe);
      if ((how & 8U) == 0) ring(q, queue_[q].tail);
      if ((how & 16U) == 0) pass(200us);
      if ((how & 32U) == 0) poll(q);
      return;
    }
    default: {  // a command, or several of a kind
      const std::uint8_t choice = input_.u8();
      const std::uint32_t q = choice < 240 ? choice % 3U : choice % (queues + 1);
      const Sqe sqe = any_command(q == 0);
      const unsigned copies = 1 + (input_.u8() & 3U) * 3;
      for (unsigned n = 0; n < copies; ++n) put(q, sqe);
      if ((input_.u8() & 3U) != 0) ring(q, queue_[q].tail);
    }
  }
}

void World::write_register() {
  constexpr std::array<std::uint16_t, 16> spots{0x0c, 0x10, 0x14, 0x1c, 0x20, 0x24, 0x28,  0x2c,
                                                0x30, 0x34, 0x38, 0x40, 0x50, 0x58, 0xe00, 0x1000};
  const std::uint8_t how = input_.u8();
  std::uint64_t offset = spots[how % 16U];
  if ((how & 0x40U) != 0) offset += input_.u8();
  if ((how & 0x80U) != 0) offset = input_.u64();
  const unsigned size = (how & 0x10U) != 0 ? input_.u8() % 10U : 4;
  const std::uint64_t value = (how & 0x20U) != 0 ? input_.u64() : input_.u32();
  mmio(offset, size, value);
}

/// Every write of a register goes through here, so that the witness hears what the host names.
void World::mmio(std::uint64_t offset, unsigned size, std::uint64_t value) {
  const auto read32 = [&](Register r) { return static_cast<std::uint32_t>(controller_.mmio_read(static_cast<std::uint64_t>(r), 4)); };
  const auto read64 = [&](Register r) { return controller_.mmio_read(static_cast<std::uint64_t>(r), 8); };
  const bool was_ready = (status() & 1U) != 0;
  const nvme::Cc before{read32(Register::cc)};
  function_.bar_write(offset, size, value, agenda_.now());
  const nvme::Cc after{read32(Register::cc)};
  if (dead_) return;
  if (was_ready && (status() & 1U) == 0) witness_.forget();
  if (after.en() && !before.en())
    witness_.enabled(read32(Register::aqa), read64(Register::asq), read64(Register::acq), page_bytes << after.mps());
}

void World::set_enable(std::uint32_t cc) { mmio(static_cast<std::uint64_t>(Register::cc), 4, cc); }

void World::bring_up(std::uint32_t entries, unsigned mps) {
  function_.place(0x1'0000'0000, agenda_.now());
  if (function_.cfg_read(pcie::ConfigSpace::power, 1) % 4U != 0) function_.cfg_write(pcie::ConfigSpace::power, 1, 0, agenda_.now());
  set_enable(0);
  rest("after CC.EN = 0");
  if (!dead_ && (status() & 1U) != 0) witness_.wrong.push_back("CSTS.RDY stays after CC.EN = 0");
  if (!dead_) witness_.forget();
  queue_ = {};
  queue_[0].size = entries;
  std::fill_n(at(cq_at(0), page_bytes), page_bytes, static_cast<unsigned char>(0));
  mmio(static_cast<std::uint64_t>(Register::aqa), 4, (entries - 1) | ((entries - 1) << 16U));
  mmio(static_cast<std::uint64_t>(Register::asq), 8, sq_at(0));
  mmio(static_cast<std::uint64_t>(Register::acq), 8, cq_at(0));
  set_enable(nvme::Cc::make(true, mps).raw);
  pass(config_.enable_time);
}

void World::create_pair(std::uint32_t q, std::uint32_t size) {
  queue_[q] = {.size = size};
  std::fill_n(at(cq_at(q), page_bytes), page_bytes, static_cast<unsigned char>(0));
  put(0, {.opcode = 0x05, .prp1 = cq_at(q), .cdw10 = q | ((size - 1) << 16U), .cdw11 = 3U | (q << 16U)});
  ring(0, queue_[0].tail);
  pass(50us);
  put(0, {.opcode = 0x01, .prp1 = sq_at(q), .cdw10 = q | ((size - 1) << 16U), .cdw11 = 1U | (q << 16U)});
  ring(0, queue_[0].tail);
  pass(50us);
  poll(0);
}

void World::put(std::uint32_t q, const Sqe& sqe) {
  Queue& queue = queue_[q];
  if (queue.size == 0) return;
  Sqe mine = sqe;
  mine.cid = next_cid_++;
  std::memcpy(at(sq_at(q) + queue.tail * sizeof mine, sizeof mine), &mine, sizeof mine);
  queue.tail = queue.tail + 1 >= queue.size ? 0 : queue.tail + 1;
}

void World::ring(std::uint32_t q, std::uint32_t value) {
  mmio(nvme::sq_tail_doorbell(q, static_cast<unsigned>(std::countr_zero(config_.doorbell_stride.count)) - 2U), 4, value);
}

void World::poll(std::uint32_t q) {
  Queue& queue = queue_[q];
  for (std::uint32_t n = 0; n < queue.size; ++n) {
    nvme::Cqe cqe;
    std::memcpy(&cqe, at(cq_at(q) + queue.head * sizeof cqe, sizeof cqe), sizeof cqe);
    if (cqe.phase() != queue.phase) break;
    if (++queue.head >= queue.size) {
      queue.head = 0;
      queue.phase = !queue.phase;
    }
  }
  mmio(nvme::cq_head_doorbell(q, static_cast<unsigned>(std::countr_zero(config_.doorbell_stride.count)) - 2U), 4, queue.head);
}

/// A page of data: pointers as a list of pages has them, or small structures, or anything.
void World::fill_memory() {
  const std::uint64_t page = memory_base + (32 + input_.u8() % 224U) * page_bytes;
  const std::uint8_t how = input_.u8();
  if ((how & 1U) != 0) {
    const std::uint64_t first = input_.u8(), step = input_.u8() & 3U;
    for (std::uint64_t i = 0; i < page_bytes / 8; ++i) {
      const std::uint64_t entry = memory_base + (32 + (first + i * step) % 224) * page_bytes;
      std::memcpy(at(page + i * 8, 8), &entry, sizeof entry);
    }
  }
  for (unsigned n = 0; n < how / 16U; ++n) {
    const std::uint64_t value = (how & 2U) != 0 ? any_address() : input_.u64();
    const std::uint64_t where = (how & 4U) != 0 ? page_bytes / 8 - 1 - n : input_.u16() % (page_bytes / 8);
    std::memcpy(at(page + where * 8, 8), &value, sizeof value);
  }
}

std::uint64_t World::any_address() {
  const std::uint8_t kind = input_.u8();
  if (kind < 224) return memory_base + (32ULL + kind) * page_bytes;
  if (kind < 244) return memory_base + (32 + input_.u8() % 224U) * page_bytes + input_.u16() % page_bytes;
  if (kind < 250) return memory_base + memory_size - input_.u16();
  return input_.u64();
}

Sqe World::any_command(bool admin) {
  constexpr std::array<std::uint8_t, 16> io{0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0c, 0x0d, 0x0e, 0x12, 0x19, 0x1d, 0x10, 0x14, 0x06};
  constexpr std::array<std::uint8_t, 24> adm{0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x10,
                                             0x11, 0x14, 0x15, 0x18, 0x19, 0x1a, 0x7c, 0x80, 0x81, 0x84, 0x86, 0xc0};
  Sqe s;
  const std::uint8_t which = input_.u8();
  if (which >= 240) s.opcode = input_.u8();
  else s.opcode = admin ? adm[which % adm.size()] : io[which % io.size()];
  const std::uint8_t how = input_.u8();
  if ((how & 1U) != 0) s.flags = input_.u8();
  constexpr std::array<std::uint32_t, 4> namespaces{1, 0, 0xffff'ffff, 2};
  s.nsid = (how & 2U) == 0 ? namespaces[(how >> 2U) & 3U] : input_.u32();
  if (!admin && (how & 0x0eU) == 4U) s.nsid = 1;
  s.prp1 = any_address();
  s.prp2 = (how & 0x10U) != 0 ? input_.u64() : any_address();
  if ((how & 0x20U) != 0) s.mptr = any_address();
  const std::uint8_t widths = input_.u8();
  s.cdw10 = input_.by_width(widths);
  s.cdw11 = input_.by_width(widths >> 2U);
  s.cdw12 = input_.by_width(widths >> 4U);
  s.cdw13 = input_.by_width(widths >> 6U);
  if ((how & 0x40U) != 0) {
    const std::uint8_t more = input_.u8();
    s.cdw14 = input_.by_width(more);
    s.cdw15 = input_.by_width(more >> 2U);
    s.cdw2 = input_.by_width(more >> 4U);
    s.cdw3 = input_.by_width(more >> 6U);
  }
  if (admin && (how & 0x80U) != 0) s.cdw10 |= std::uint32_t{input_.u8()} << 16U;  // sizes and lengths
  return s;
}

Sqe World::data_command() {
  constexpr std::array<std::uint8_t, 8> opcodes{0x02, 0x01, 0x02, 0x01, 0x09, 0x08, 0x05, 0x0c};
  Sqe s;
  s.opcode = opcodes[input_.u8() % opcodes.size()];
  s.nsid = 1;
  const std::uint8_t how = input_.u8();
  s.prp1 = any_address();
  s.prp2 = (how & 1U) != 0 ? any_address()
                           : memory_base + (32 + input_.u8() % 16U) * page_bytes + ((how & 2U) != 0 ? 4096 - 8U * (1U + (how >> 5U)) : 0);
  s.cdw10 = input_.u16() % static_cast<std::uint32_t>(ftl_config().capacity / config_.lba + 4);
  s.cdw12 = input_.u8() % static_cast<std::uint32_t>(config_.mdts / config_.lba + 1);
  if ((how & 4U) != 0) s.cdw12 |= static_cast<std::uint32_t>(input_.u16()) << 16U;
  if ((how & 8U) != 0) s.cdw13 = input_.u32();
  if (s.opcode == 0x09) {
    s.cdw10 &= 0xffU;
    s.cdw11 = nvme::dsm_deallocate;
  }
  return s;
}

void World::pass(Duration time) {
  const Time limit = agenda_.now() + time;
  for (std::uint64_t n = 0; agenda_.next() <= limit; ++n) {
    if (n == patience) return witness_.wrong.push_back("no end of actions in a bounded time");
    agenda_.step();
  }
  agenda_.advance_to(limit);
}

void World::rest(const char* when) {
  for (std::uint64_t n = 0; !agenda_.empty(); ++n) {
    if (n == patience) return witness_.wrong.push_back(std::string("no rest ") + when);
    agenda_.step();
  }
}

void World::settle() {
  bad_begin_ = bad_end_ = 0;
  function_.cfg_write(pcie::ConfigSpace::power, 1, 0, agenda_.now());
  function_.place(0x1'0000'0000, agenda_.now());
  rest("at the end");
  for (std::uint32_t n = 0; n < 64 && witness_.open() != 0; ++n) {  // takes completions until none comes
    for (std::uint32_t q = 0; q <= queues; ++q) poll(q);
    rest("while completions are taken");
  }
  const std::uint32_t csts = status();
  const bool running = !dead_ && (csts & 3U) == 1U;
  Laws laws;
  laws.about("nvme");
  controller_.check(laws, agenda_.now());
  laws.about("ftl");
  ftl_.check(laws, agenda_.now());
  function_.check(laws);
  for (const std::string& broken : laws.broken()) witness_.wrong.push_back(broken);
  seen_ = controller_.statistics().reads.value + controller_.statistics().writes.value;
  if (running) {
    Stall stall;
    controller_.explain(stall);
    for (const std::string& line : stall.lines()) {
      if (line.find("completion queue") == std::string::npos && line.find("their queues") == std::string::npos)
        witness_.wrong.push_back("left over: " + line);
    }
  }
  if (dead_) return;
  set_enable(0);
  rest("after the last reset");
  if ((status() & 1U) != 0) witness_.wrong.push_back("CSTS.RDY stays after the last reset");
  if (!controller_.idle()) witness_.wrong.push_back("something is left after the last reset");
  Laws last;
  controller_.check(last, agenda_.now());
  for (const std::string& broken : last.broken()) witness_.wrong.push_back("after the last reset: " + broken);
}

// ---- the function ----

void World::configure() {
  const std::uint8_t where = input_.u8();
  const std::uint32_t offset = (where & 0x80U) != 0 ? input_.u16() : where * 4U % 0x90U + input_.u8() % 4U;
  const unsigned bytes = input_.u8() % 6U;
  const std::uint32_t value = input_.u32();
  const std::uint64_t before = function_.function().resets();
  function_.cfg_write(offset, bytes, value, agenda_.now());
  if (function_.function().resets() != before && !dead_ && (status() & 1U) == 0) witness_.forget();
  const std::uint32_t now = function_.cfg_read(offset, bytes);
  if (bytes < 4 && bytes != 0 && (now >> (8U * bytes)) != 0) witness_.wrong.push_back("a configuration register wider than it is");
}

void World::msix_table() {
  const std::uint32_t vector = input_.u8() % (queues + 2);
  const std::uint8_t how = input_.u8();
  if ((how & 1U) != 0) function_.cfg_write(pcie::ConfigSpace::msix + 2, 2, std::uint32_t{how} << 8U, agenda_.now());
  if ((how & 2U) != 0) mmio(nvme::NvmeFunction::table_offset + vector * 16U, 8, input_.u32());
  if ((how & 4U) != 0) mmio(nvme::NvmeFunction::table_offset + vector * 16U + 8, 4, input_.u16());
  if ((how & 8U) != 0) mmio(nvme::NvmeFunction::table_offset + vector * 16U + 12, 4, how >> 4U & 1U);
}

void World::reset_function() {
  function_.flr(agenda_.now());
  if (!dead_ && (status() & 1U) == 0) witness_.forget();
}

/// Only what the table says, only as bus master.
void World::message(std::uint64_t address, std::uint32_t data, Time) {
  bool known = false;
  const pcie::Msix& msix = function_.function().msix();
  for (std::uint32_t v = 0; v < msix.vectors(); ++v) {
    const std::uint64_t entry = msix.table_read(v * 16) | (static_cast<std::uint64_t>(msix.table_read(v * 16 + 4)) << 32U);
    known = known || (entry == address && msix.table_read(v * 16 + 8) == data && msix.table_read(v * 16 + 12) == 0);
  }
  if (!known || !function_.function().may_master() || !function_.function().config().msix_on())
    witness_.wrong.push_back("an MSI-X message that no unmasked entry has, or that may not be sent");
}

// ---- memory ----

unsigned char* World::at(std::uint64_t address, std::uint64_t) { return memory_.data() + (address - memory_base); }

void World::dma(DmaRequest& r, Time now) {
  if (!function_.function().may_master()) witness_.wrong.push_back("an access of a function that is no bus master");
  witness_.begins(r);
  const std::uint64_t latency = (choice_ & 0x10U) != 0 ? 500'000 : random_.below(4) * 400'000;
  if (latency == 0) answer_dma(now, reinterpret_cast<std::uint64_t>(&r));
  else agenda_.post<&World::answer_dma>(now + Duration{static_cast<std::int64_t>(latency)}, this, reinterpret_cast<std::uint64_t>(&r));
}

void World::answer_dma(Time now, std::uint64_t arg) {
  DmaRequest& r = *reinterpret_cast<DmaRequest*>(arg);
  const bool there = r.address >= memory_base && r.size.count <= memory_size && r.address - memory_base <= memory_size - r.size.count;
  r.ok = there && (r.address >= bad_end_ || r.address + r.size.count <= bad_begin_);
  if (r.ok && r.bytes != nullptr) {
    if (r.write) std::memcpy(at(r.address, r.size.count), r.bytes, r.size.count);
    else std::memcpy(r.bytes, at(r.address, r.size.count), r.size.count);
  }
  if (!r.write) r.stream = {now, now};
  r.journey.mark(Stage::link, now);
  if (r.ok && r.bytes != nullptr) {
    const bool fetch = r.purpose == DmaRequest::Purpose::sqe_fetch;
    witness_.read(r, fetch ? static_cast<nvme::Fetch*>(r.owner)->sq : std::uint16_t{0});
  }
  function_.dma_done(r, r.ok ? pcie::DmaStatus::ok : there ? pcie::DmaStatus::completer_abort : pcie::DmaStatus::unsupported_request, now);
}

}  // namespace flashpath::fuzz
