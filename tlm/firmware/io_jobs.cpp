// SPDX-License-Identifier: Apache-2.0
#include "firmware/io_jobs.h"

#include <algorithm>
#include <cstring>

namespace flashpath::firmware {

using cores::CoreContext;
using cores::Task;

namespace {
constexpr std::uint32_t under_way = 0x8000'0000U;
}

IoJobs::IoJobs(const Config& config, Agenda& agenda, cores::Model& cores, Driver& driver, Staging& staging, SparseMemory* memory)
    : config_{config}, agenda_{agenda}, cores_{cores}, driver_{driver}, staging_{staging}, memory_{memory} {}

void IoJobs::add(const JobSpec& spec, UserErrors& errors) {
  const std::size_t before = errors.list.size();
  const auto wrong = [&](const std::string& what) { errors.add("job \"" + spec.name + "\": " + what); };
  std::vector<std::uint32_t> drives = spec.drives;
  if (drives.empty())
    for (std::uint32_t d = 0; d < driver_.drives(); ++d) drives.push_back(d);
  for (const std::uint32_t d : drives) {
    if (d >= driver_.drives()) wrong("drive " + std::to_string(d) + ": there are " + std::to_string(driver_.drives()));
    else if (!driver_.drive(d).ready) wrong("drive " + std::to_string(d) + ": " + driver_.drive(d).failure);
  }
  if (spec.iodepth == 0) wrong("iodepth = 0");
  if (spec.numjobs == 0) wrong("numjobs = 0");
  if (spec.rwmixread > 100) wrong("rwmixread = " + std::to_string(spec.rwmixread) + ": a percentage");
  if (spec.bs.count == 0) wrong("bs = 0");
  if (spec.ramp.count() < 0 || spec.runtime.count() < 0) wrong("a negative time");
  if (spec.ramp.count() > 0 && spec.runtime.count() == 0) wrong("ramp without a runtime");
  if (spec.verify && memory_ == nullptr) wrong("verify needs data mode");
  if (errors.list.size() != before || drives.empty()) return;

  const Bytes lba = driver_.drive(drives[0]).lba;
  std::uint64_t blocks = ~0ULL;
  for (const std::uint32_t d : drives) {
    if (driver_.drive(d).lba != lba) wrong("drives with different block sizes");
    blocks = std::min(blocks, driver_.drive(d).blocks);
  }
  if (spec.requests != nullptr) check_requests(spec, lba, blocks, errors);
  else if (spec.bs % lba != Bytes{})
    wrong("bs = " + std::to_string(spec.bs.count) + " B: not a multiple of the drive's block of " + std::to_string(lba.count) + " B");
  if (spec.requests == nullptr && spec.bs > std::min(driver_.max_transfer(), config_.frame)) wrong("bs larger than the largest command");
  if (spec.offset % lba != Bytes{} || spec.offset_increment % lba != Bytes{}) wrong("offset: not a multiple of the drive's block");
  if (errors.list.size() != before) return;
  const std::uint64_t spread = spec.stripe ? drives.size() : 1;
  const std::uint64_t sharing = spec.stripe ? spec.numjobs : ceil_div(spec.numjobs, drives.size());
  const Bytes last = spec.offset + (sharing - 1) * spec.offset_increment;
  const Bytes drive_size = blocks * lba;
  const Bytes size = spec.size.count != 0 ? spec.size : last < drive_size ? spread * (drive_size - last) : Bytes{};
  if (size < spec.bs) wrong("size smaller than bs");
  if (last + Bytes{ceil_div(size.count / spec.bs.count, spread) * spec.bs.count} > drive_size)
    wrong("offset and size reach beyond the end of the drive");
  if (spec.verify) {
    if (size / spec.bs < 2ULL * spec.iodepth) wrong("verify needs a size of at least 2 x iodepth x bs");
    if (sharing > 1 && spec.offset_increment * spread < size) wrong("verify needs jobs that do not share blocks: set offset_increment");
  }
  const std::uint64_t buffer = align_up(spec.bs.count, 4096);
  const std::uint64_t per_frame = config_.encrypt ? 1 : std::max<std::uint64_t>(1, config_.frame.count / buffer);
  const std::uint64_t frames = ceil_div(spec.iodepth, per_frame);
  if (frames * spec.numjobs > staging_.available())
    wrong("needs " + std::to_string(frames * spec.numjobs) + " staging frames: raise firmware.frames");
  if (errors.list.size() != before) return;

  groups_.push_back(std::make_unique<Group>());
  groups_.back()->spec = spec;
  for (std::uint32_t j = 0; j < spec.numjobs; ++j) {
    const auto number = static_cast<std::uint32_t>(jobs_.size());
    jobs_.push_back(std::make_unique<Job>(spec.seed, number));
    Job& job = *jobs_.back();
    job.group = groups_.back().get();
    job.core = number % driver_.cores_ready();
    if (spec.stripe) job.drives = drives;
    else job.drives.assign(1, drives[j % drives.size()]);
    const std::uint64_t share = spec.stripe ? j : j / drives.size();
    job.lba_blocks = spec.bs / lba;
    job.blocks = size / spec.bs;
    job.first_lba = (spec.offset + share * spec.offset_increment) / lba;
    if (spec.runtime.count() == 0) job.limit = spec.number_ios != 0 ? spec.number_ios : job.blocks;
    else if (spec.number_ios != 0) job.limit = spec.number_ios;
    if (spec.requests != nullptr)
      job.limit = std::min<std::uint64_t>(spec.requests->size(), spec.number_ios != 0 ? spec.number_ios : ~0ULL);
    staging_.take(static_cast<std::uint32_t>(frames), 0, Time{}, job.frames);
    for (std::uint32_t s = 0; s < spec.iodepth; ++s) {
      job.slots.push_back({.buffer = staging_.address_of(job.frames[s / per_frame]) + (s % per_frame) * buffer});
      job.free.push_back(spec.iodepth - 1 - s);
    }
    if (spec.verify) job.generations.assign(job.blocks, 0);
  }
}

/// Every request must lie on the drive, on its blocks, and in one command; the first ten that do not are named.
void IoJobs::check_requests(const JobSpec& spec, Bytes lba, std::uint64_t blocks, UserErrors& errors) const {
  const auto wrong = [&](const std::string& what) { errors.add("job \"" + spec.name + "\": " + what); };
  if (spec.requests->empty()) wrong("no requests");
  if (spec.numjobs != 1) wrong("a list of requests is one job's: numjobs = 1");
  if (spec.verify) wrong("verify does not know lists of requests");
  if (spec.stripe) wrong("a list of requests is one drive's: without stripe");
  const Bytes most = std::min(driver_.max_transfer(), config_.frame);
  std::uint64_t bad = 0;
  for (const Access& a : *spec.requests) {
    std::string what;
    if (a.size == 0) what = "no bytes";
    else if (a.begin % lba.count != 0 || a.size % lba.count != 0)
      what = "not on the drive's blocks of " + std::to_string(lba.count) + " B (nvme.lba)";
    else if (a.size > most.count)
      what = std::to_string(a.size) + " B: more than the largest command of " + std::to_string(most.count) + " B";
    else if (a.begin / lba.count >= blocks || a.size / lba.count > blocks - a.begin / lba.count) what = "beyond the end of the drive";
    else continue;
    if (++bad <= 10) wrong("line " + std::to_string(a.line) + ": " + what);
  }
  if (bad > 10) wrong("and " + std::to_string(bad - 10) + " more lines");
}

void IoJobs::start(Time now, Delegate<void(Time)> done) {
  done_ = done;
  for (; started_ < jobs_.size(); ++started_) {
    Job& job = *jobs_[started_];
    const JobSpec& spec = job.group->spec;
    job.start = now;
    job.measure = now + spec.ramp;
    if (spec.runtime.count() != 0) job.end = job.measure + spec.runtime;
    job.group->result.begin = job.measure;
    job.group->result.end = spec.runtime.count() != 0 ? job.end : now;
    ++running_;
    cores_.submit(cores::CoreId{job.core}, Task::of<&IoJobs::begin>(this, started_), now);
  }
}

void IoJobs::begin(CoreContext& ctx, std::uint64_t index) {
  fill(ctx, *jobs_[index]);
  driver_.ring(ctx);
}

void IoJobs::due(Time now, std::uint64_t index) {
  jobs_[index]->timer = false;
  cores_.submit(cores::CoreId{jobs_[index]->core}, Task::of<&IoJobs::begin>(this, index), now);
}

/// Creates commands while there are slots and the rate allows.
void IoJobs::fill(CoreContext& ctx, Job& job) {
  const std::uint64_t rate = job.group->spec.rate_iops;
  while (!job.free.empty() && job.issued < job.limit && ctx.now() < job.end) {
    if (rate != 0) {
      const Time due = job.start + seconds_ratio(job.issued, rate);
      if (due > ctx.now()) {
        if (!job.timer && due < job.end) {
          job.timer = true;
          agenda_.post<&IoJobs::due>(due, this, job.number);
        }
        return end_if_done(job, ctx.now());
      }
    }
    create(ctx, job);
  }
  end_if_done(job, ctx.now());
}

std::uint64_t IoJobs::pick(Job& job) {
  const JobSpec& spec = job.group->spec;
  const bool shuffled = is_random(spec.rw) && !spec.norandommap;
  if (shuffled && job.in_pass == 0) job.shuffle = Shuffle{job.blocks, mix64(spec.seed) + job.key + job.pass};
  std::uint64_t block = job.in_pass;
  if (shuffled) block = job.shuffle(block);
  else if (is_random(spec.rw)) block = job.random.below(job.blocks);
  if (++job.in_pass == job.blocks) {
    job.in_pass = 0;
    ++job.pass;
  }
  if (spec.verify)
    while ((job.generations[block] & under_way) != 0) block = block + 1 == job.blocks ? 0 : block + 1;
  return block;
}

void IoJobs::create(CoreContext& ctx, Job& job) {
  const JobSpec& spec = job.group->spec;
  const std::uint32_t s = job.free.back();
  job.free.pop_back();
  Slot& slot = job.slots[s];
  slot.created = ctx.now();
  if (spec.requests == nullptr) {
    slot.block = pick(job);
    slot.write = is_mixed(spec.rw) ? job.random.below(100) >= spec.rwmixread : writes(spec.rw);
    const std::uint64_t drives = job.drives.size();
    slot.drive = job.drives[drives == 1 ? 0 : slot.block % drives];
    slot.lba = job.first_lba + (drives == 1 ? slot.block : slot.block / drives) * job.lba_blocks;
    slot.blocks = static_cast<std::uint32_t>(job.lba_blocks);
  } else {
    const Access& a = (*spec.requests)[job.issued];
    const std::uint64_t lba = spec.bs.count / job.lba_blocks;
    slot.write = a.write;
    slot.drive = job.drives[0];
    slot.lba = a.begin / lba;
    slot.blocks = static_cast<std::uint32_t>(a.size / lba);
  }
  slot.index = job.issued++;
  ++in_flight_;
  ctx.cycles(config_.job_cycles);
  if (spec.verify) {
    slot.generation = job.generations[slot.block] + (slot.write ? 1U : 0U);
    job.generations[slot.block] = slot.generation | under_way;
    if (slot.write) write_pattern(job, slot);
  }
  driver_.submit(ctx, {.kind = slot.write ? Kind::write : Kind::read,
                       .drive = slot.drive,
                       .lba = slot.lba,
                       .blocks = slot.blocks,
                       .buffer = slot.buffer,
                       .done = Done::to<&IoJobs::completed>(this),
                       .tag = (std::uint64_t{job.number} << 32U) | s});
}

void IoJobs::completed(CoreContext& ctx, const Completed& completed) {
  Job& job = *jobs_[completed.tag >> 32U];
  Slot& slot = job.slots[completed.tag & 0xffffffffU];
  JobResult& result = job.group->result;
  const JobSpec& spec = job.group->spec;
  const Time now = ctx.now();
  if (!completed.ok()) ++result.errors;
  else if (now >= job.measure && now <= job.end) {
    DirectionResult& direction = result.direction[slot.write ? 1 : 0];
    ++direction.ios;
    direction.bytes += spec.requests == nullptr ? spec.bs : slot.blocks * Bytes{spec.bs.count / job.lba_blocks};
    direction.slat.add(completed.submitted - slot.created);
    direction.clat.add(now - completed.submitted);
    direction.lat.add(now - slot.created);
  }
  if (each_) each_({.index = slot.index, .created = slot.created, .done = now, .ok = completed.ok()});
  if (job.end == never) result.end = std::max(result.end, now);
  if (spec.verify) {
    if (!slot.write && slot.generation != 0 && completed.ok()) {
      ++result.verified;
      if (!matches(job, slot)) ++result.verify_errors;
    }
    job.generations[slot.block] = slot.write && !completed.ok() ? 0 : slot.generation;
  }
  job.free.push_back(static_cast<std::uint32_t>(completed.tag & 0xffffffffU));
  --in_flight_;
  fill(ctx, job);
}

void IoJobs::end_if_done(Job& job, Time now) {
  const std::uint64_t rate = job.group->spec.rate_iops;
  const bool over = job.issued >= job.limit || now >= job.end || (rate != 0 && job.start + seconds_ratio(job.issued, rate) >= job.end);
  if (job.ended || !over || job.free.size() != job.slots.size()) return;
  job.ended = true;
  staging_.give(job.frames, now);
  if (--running_ == 0 && done_) done_(now);
}

void IoJobs::write_pattern(const Job& job, const Slot& slot) {
  const std::uint64_t size = job.group->spec.bs.count, lba = size / job.lba_blocks;
  bytes_.resize(size);
  for (std::uint64_t at = 0; at < size; at += 8) {
    const std::uint64_t word = pattern_word(slot.lba * lba + at, job.number, slot.generation);
    std::memcpy(&bytes_[at], &word, 8);
  }
  memory_->write(slot.buffer, bytes_);
}

bool IoJobs::matches(const Job& job, const Slot& slot) {
  const std::uint64_t size = job.group->spec.bs.count, lba = size / job.lba_blocks;
  bytes_.resize(size);
  memory_->read(slot.buffer, bytes_);
  for (std::uint64_t at = 0; at < size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes_[at], 8);
    if (word != pattern_word(slot.lba * lba + at, job.number, slot.generation)) return false;
  }
  return true;
}

}  // namespace flashpath::firmware
