// SPDX-License-Identifier: Apache-2.0
#include "pcie/options.h"

namespace flashpath::pcie {
namespace {
constexpr Bytes dllp_bytes = 8_B;  // two of framing, four, two of CRC (PCIe Base 5.0 §3.5, §4.2.2.3)
constexpr std::int64_t picoseconds(Time t) { return t.time_since_epoch().count(); }
}  // namespace

void Width::wake(Time at) {
  if (at < active_until_ + idle_) return;
  ++entries;
  total_ += at + up_ - (active_until_ + idle_);
  full_from_ = at + up_;
}

Duration Width::stretch(Time at, Duration full) const {
  if (at >= full_from_) return full;
  const Duration left = full_from_ - at;
  const Duration narrow{static_cast<std::int64_t>(
      ceil_div(static_cast<std::uint64_t>(full.count()) * static_cast<std::uint64_t>(lanes_), static_cast<std::uint64_t>(few_)))};
  return narrow <= left ? narrow : left + full - Duration{left.count() * few_ / lanes_};
}

void Width::finish(Time now) {
  const Duration resting = std::max(Duration{}, now - (active_until_ + idle_));
  const Duration beyond = std::max(Duration{}, full_from_ - now);
  const std::int64_t few = (total_ + resting - beyond).count();
  narrow.value = static_cast<std::uint64_t>(few);
  lane_time.value = static_cast<std::uint64_t>(picoseconds(now) * lanes_ - few * (lanes_ - few_));
}

Time FlitRow::flit(std::uint64_t k) const {
  const Wide ps = static_cast<Wide>(k) * static_cast<Wide>(flit_time_.count()) * 1000U;
  return Time{Duration{static_cast<std::int64_t>((ps + useful_ - 1) / useful_)}};
}

Time FlitRow::begins(std::uint64_t n) const {
  const std::uint64_t inside = n % flit_tlp_bytes.count * static_cast<std::uint64_t>(flit_time_.count());
  return flit(n / flit_tlp_bytes.count) + Duration{static_cast<std::int64_t>(ceil_div(inside, flit_bytes.count))};
}

std::uint64_t FlitRow::position(Time at) const {
  const Wide scaled = static_cast<Wide>(picoseconds(at)) * useful_;
  auto k = static_cast<std::uint64_t>(scaled / (static_cast<Wide>(flit_time_.count()) * 1000U));
  if (flit(k) > at) --k;
  // A byte that begins now, rounded up to 1 ps, can be filled.
  const auto inside = static_cast<std::uint64_t>((at - flit(k)).count());
  const std::uint64_t byte = inside == 0 ? 0 : ceil_div((inside - 1) * flit_bytes.count, static_cast<std::uint64_t>(flit_time_.count()));
  return k * flit_tlp_bytes.count + std::min(align_up(byte, 4), flit_tlp_bytes.count);
}

Options::Options(const Config& c, const Wire& wire, Duration latency, std::uint64_t seed, const std::string& path, Width* width,
                 stats::Group& parent)
    : wire_{wire},
      latency_{latency - wire.flit_time()},
      buffer_{c.replay_buffer.count},
      round_trip_{static_cast<std::uint64_t>(c.replay_round_trip.count())},
      width_{width},
      group_{"options", parent} {
  if (c.dllps == Dllps::counted) {
    ack_ = c.ack_tlps;
    update_ = c.update_fc_tlps;
  }
  if (c.packing == Packing::exact) row_ = std::make_unique<FlitRow>(wire, c);
  if (c.fber > 0) replay_ = std::make_unique<Replay>(c, seed, path, c.flit() ? wire.time(flit_tlp_bytes) : wire.full_write(), group_);
}

void Options::answer(std::uint64_t n) {
  if (ack_ == 0) return;
  acks_ += n;
  updates_ += n;
  const std::uint64_t whole = acks_ / ack_ + updates_ / update_;
  acks_ %= ack_;
  updates_ %= update_;
  owed_ += whole;
  dllps += whole;
}

Bytes Options::first_tlp(const Burst& b) const {
  const Bytes full = b.kind == Kind::posted       ? wire_.write_bytes()
                     : b.kind == Kind::non_posted ? wire_.request_bytes()
                                                  : wire_.completion_bytes();
  return std::min(full, b.load.wire);
}

Duration Options::occupy(Burst& b, Time at, Time free, Duration takes) {
  if (width_ != nullptr) {
    width_->wake(at);
    takes = width_->stretch(at, takes);
    b.piece = width_->stretch(at, b.piece);
  }
  if (buffer_ != 0 && b.load.wire.count * round_trip_ > static_cast<std::uint64_t>(takes.count()) * buffer_)
    takes = Duration{static_cast<std::int64_t>(ceil_div(b.load.wire.count * round_trip_, buffer_))};
  if (row_ != nullptr) {
    const std::uint64_t begin = std::max(next_, row_->position(at));
    next_ = align_up(begin + b.load.wire.count, 4);
    first_flit_ = row_->complete(begin + first_tlp(b).count - 1);
    last_flit_ = row_->complete(next_ - 1);
    packed += row_->begins(begin) - at;
    takes = std::max(takes, row_->begins(next_) - at);
  }
  if (owed_ != 0) {
    const Duration needed = wire_.time(owed_ * dllp_bytes), idle = at - free;
    owed_ = 0;
    if (needed > idle) {
      takes += needed - idle;
      dllp_time += needed - idle;
    }
  }
  hit_ = replay_ != nullptr && replay_->send(b.load.wire.count, cost_ = {});
  if (hit_) {
    takes += cost_.line;
    last_flit_ += cost_.line;
  }
  if (width_ != nullptr) width_->active(at + takes);
  return takes;
}

void Options::deliver(Burst& b) {
  if (row_ != nullptr) b.out = {first_flit_ + latency_, std::max(last_flit_, b.in.last + b.piece) + latency_};
  if (hit_) {
    const bool in_first = cost_.first_at <= first_tlp(b).count;
    if (replay_->selective()) {
      const auto replayed = [&](std::uint64_t byte, Duration late) {
        return b.start + wire_.time(Bytes{byte}) + late + latency_ + wire_.flit_time();
      };
      if (in_first) b.out.first = std::max(b.out.first, replayed(cost_.first_at, cost_.first));
      b.out.last = std::max(b.out.last, replayed(cost_.last_at, cost_.last));
      held_ = std::max(held_, b.out.last);  // of two replays under way the later one counts
    } else if (in_first) {
      b.out.first += cost_.first;
    }
  }
  b.out.first = std::max(b.out.first, held_);
  b.out.last = std::max(b.out.last, b.out.first);
}

}  // namespace flashpath::pcie
