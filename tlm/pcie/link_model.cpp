// SPDX-License-Identifier: Apache-2.0
#include "pcie/link_model.h"

namespace flashpath::pcie {
namespace {
std::uint64_t as_arg(Burst& b) { return reinterpret_cast<std::uint64_t>(&b); }
Burst& as_burst(std::uint64_t arg) { return *reinterpret_cast<Burst*>(arg); }
constexpr std::size_t index_of(Kind k) { return static_cast<std::size_t>(k); }
}  // namespace

Direction::Direction(const char* name, const Config& c, Duration extra, Agenda& agenda, stats::Group& parent, const Surroundings& around,
                     Width* width)
    : agenda_{agenda},
      wire_{c},
      latency_{wire_.latency() + extra},
      round_trip_{static_cast<std::uint64_t>(c.credit_round_trip.count())},
      credits_{{c.posted_data.count, c.posted_headers}, {0, c.non_posted_headers}, {c.completion_data.count, c.completion_headers}},
      shared_{c.shared_data.count, c.shared_headers},
      flit_{c.flit()},
      rcb_{c.rcb.count},
      group_{name, parent} {
  if (c.packing == Packing::exact || c.dllps == Dllps::counted || c.fber > 0 || c.replay_buffer.count != 0 || width != nullptr)
    options_ = std::make_unique<Options>(c, wire_, latency_, around.seed, around.path + "." + name, width, group_);
  if (c.ordering == Ordering::rules || around.arbitration != Arbitration::fifo)
    ordered_ = std::make_unique<Waiting>(c, around.arbitration, around.shares, group_);
}

void Direction::offer(Burst& b, Time now) {
  const Measured& m = measured(b);
  b.load = m.load;
  b.wire = m.wire;
  b.piece = m.piece;
  b.pace = m.pace;
  b.offered = now;
  flow_.enter(now);
  offered_bytes_ += b.load.data.count;
  if (wire_.messages() && b.in.last > now) {
    waiting_bytes_ += b.load.data.count;
    agenda_.post<&Direction::complete_here>(b.in.last, this, as_arg(b));
    return;
  }
  line_up(b, now);
}

/// A message's last byte is there: it may go.
void Direction::complete_here(Time now, std::uint64_t burst) {
  Burst& b = as_burst(burst);
  waiting_bytes_ -= b.load.data.count;
  line_up(b, now);
}

inline void Direction::line_up(Burst& b, Time now) {
  if (ordered_ != nullptr) [[unlikely]] {
    line_up_ordered(b, now);
    return;
  }
  // Nobody waits for the start of a read or a completion, and nothing can overtake it: it is booked ahead, which saves an event.
  if (queue_.empty() && !starting_ && (b.kind != Kind::posted || server_.free_at() <= now) && room(b)) {
    start(b, std::max(now, server_.free_at()));
    arm();  // for those that came while it started
    return;
  }
  waiting_bytes_ += b.load.data.count;
  queue_.push(b);
  if (queue_.size() == 1 && !starting_) pump(now);
}

inline Direction::Measured& Direction::measured(const Burst& b) {
  std::uint64_t at = b.address % page.count;
  if (at + b.size.count <= page.count)
    at = b.kind == Kind::completion ? at % rcb_ : at % 4;  // within a page a completion's place counts, and byte enables
  const std::uint64_t key = b.size.count << 16U | at << 2U | index_of(b.kind);
  Measured& m = known_[(key ^ key >> 18U ^ key >> 24U) % known_.size()];
  if (m.key != key) {
    measure(b, m);
    m.pace = pace(b.kind, m);
    m.key = key;
  }
  return m;
}

void Direction::measure(const Burst& b, Measured& m) const {
  if (wire_.messages()) {
    m.load = b.kind == Kind::posted       ? wire_.write_message(b.size)
             : b.kind == Kind::non_posted ? wire_.read_message()
                                          : wire_.completion_message(b.size);
    m.wire = m.piece = wire_.message_time(m.load.wire);
    return;
  }
  Duration one{};
  switch (b.kind) {
    case Kind::posted:
      m.load = wire_.write(b.address, b.size);
      one = wire_.full_write();
      break;
    case Kind::non_posted:
      m.load = wire_.read(b.address, b.size);
      one = wire_.one_request();
      break;
    case Kind::completion:
      m.load = wire_.completion(b.address, b.size);
      one = wire_.full_completion();
      break;
  }
  m.wire = wire_.time(m.load.wire);
  m.piece = std::min(one, m.wire);
}

Duration Direction::pace(Kind kind, const Measured& m) const {
  const Credits own = credits_[index_of(kind)];
  const Credits c{own.data == 0 ? 0 : own.data + shared_.data, own.headers == 0 ? 0 : own.headers + shared_.headers};
  auto longest = static_cast<std::uint64_t>(m.wire.count());
  const std::uint64_t data = align_up(m.load.data.count, 16);
  // Compared before dividing: credits hardly ever bind.
  if (c.data != 0 && data * round_trip_ > longest * c.data) longest = ceil_div(data * round_trip_, c.data);
  if (c.headers != 0 && m.load.tlps * round_trip_ > longest * c.headers) longest = ceil_div(m.load.tlps * round_trip_, c.headers);
  return Duration{static_cast<std::int64_t>(longest)};
}

inline bool Direction::room(const Burst& b) const {
  if (b.kind == Kind::completion) return true;
  const Held& held = held_[index_of(b.kind)];
  if (held.bursts == 0) return true;
  const Credits& c = credits_[index_of(b.kind)];
  if ((c.data == 0 || held.data + b.load.data.count <= c.data) && held.headers + b.load.tlps <= c.headers) return true;
  if (shared_.data == 0 && shared_.headers == 0) return false;
  // What each kind holds beyond its own credits is of the shared ones.
  std::uint64_t data = 0, headers = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    const bool this_one = k == index_of(b.kind);
    const std::uint64_t all_data = held_[k].data + (this_one ? b.load.data.count : 0);
    const std::uint64_t all_headers = held_[k].headers + (this_one ? b.load.tlps : 0);
    if (credits_[k].data != 0 && all_data > credits_[k].data) data += all_data - credits_[k].data;
    if (all_headers > credits_[k].headers) headers += all_headers - credits_[k].headers;
  }
  return data <= shared_.data && headers <= shared_.headers;
}

void Direction::start(Burst& b, Time at) {
  const Duration paced = b.pace;
  Duration takes = paced;
  if (options_ != nullptr) [[unlikely]] {
    takes = options_->occupy(b, at, server_.free_at(), paced);
    busy += takes - paced;
  }
  if (back_ != nullptr) [[unlikely]]
    back_->answer(b.load.tlps);
  const Window window = server_.serve(Stream{at, b.in.last}, takes, b.piece);
  b.start = at;
  b.sent = window.done;
  b.out = {at + b.piece + latency_, window.done + latency_};
  if (options_ != nullptr) [[unlikely]]
    options_->deliver(b);
  if (b.kind != Kind::completion) {
    Held& held = held_[index_of(b.kind)];
    ++held.bursts;
    held.data += b.load.data.count;
    held.headers += b.load.tlps;
  }
  ++bursts;
  payload += b.load.data;
  wire_bytes += b.load.wire;
  tlps += b.load.tlps;
  wait += at - b.offered;
  credit_stall += paced - b.wire;
  busy += b.wire;
  flying_bytes_ += b.load.data.count;
  agenda_.post<&Direction::delivered>(b.out.first, this, as_arg(b));
  b.unsent = b.kind == Kind::posted;
  starting_ = true;
  events_.started(b, at);
  starting_ = false;
  if (!b.unsent) return;
  agenda_.post<&Direction::sent>(b.sent, this, as_arg(b), 0, Priority::release);
  if (b.sent == server_.free_at()) pump_at_ = b.sent;
}

/// Starts what may start now; sees to it that somebody comes back for the rest.
void Direction::pump(Time now) {
  if (ordered_ != nullptr) [[unlikely]] {
    pump_ordered(now);
    return;
  }
  while (!queue_.empty() && server_.free_at() <= now) {
    Burst& b = queue_.front();
    if (!room(b)) {
      if (blocked_since_ == never) blocked_since_ = now;
      return;  // taken() comes back
    }
    if (blocked_since_ != never) {
      credit_stall += now - blocked_since_;
      blocked_since_ = never;
    }
    queue_.pop();
    waiting_bytes_ -= b.load.data.count;
    start(b, now);
  }
  arm();
}

void Direction::line_up_ordered(Burst& b, Time now) {
  waiting_bytes_ += b.load.data.count;
  ordered_->push(b);
  if (!starting_) pump(now);
}

void Direction::pump_ordered(Time now) {
  while (!ordered_->empty() && server_.free_at() <= now) {
    Burst* const b = ordered_->pick([this](const Burst& x) { return room(x); }, now);
    if (b == nullptr) {
      if (blocked_since_ == never) blocked_since_ = now;
      return;  // taken() comes back, or somebody who may pass
    }
    if (blocked_since_ != never) {
      credit_stall += now - blocked_since_;
      blocked_since_ = never;
    }
    waiting_bytes_ -= b->load.data.count;
    start(*b, now);
  }
  arm();
}

void Direction::stop(Time now, Duration time) {
  server_.serve(now, time);
  arm();
}

inline void Direction::arm() {
  if (none_waits() || pump_at_ == server_.free_at()) return;
  pump_at_ = server_.free_at();
  agenda_.post<&Direction::turn>(pump_at_, this, 0, 0, Priority::release);
}

void Direction::turn(Time now) {
  if (pump_at_ == now) pump_at_ = never;
  pump(now);
}

void Direction::sent(Time now, std::uint64_t burst) {
  if (pump_at_ == now) pump_at_ = never;
  pump(now);
  events_.sent(as_burst(burst), now);
}

void Direction::delivered(Time now, std::uint64_t burst) {
  Burst& b = as_burst(burst);
  flow_.leave(now, b.offered);
  flying_bytes_ -= b.load.data.count;
  delivered_bytes_ += b.load.data.count;
  events_.delivered(b, now);
}

void Direction::taken(const Burst& b, Time now) {
  Held& held = held_[index_of(b.kind)];
  --held.bursts;
  held.data -= b.load.data.count;
  held.headers -= b.load.tlps;
  if (blocked()) pump(now);
}

void Direction::check(Laws& laws, Time now) const {
  flow_.check(laws, group_.name(), now);
  laws.equal(group_.name() + ": bytes offered", offered_bytes_, "delivered + waiting + on the wire",
             Wide{delivered_bytes_} + waiting_bytes_ + flying_bytes_);
  laws.expect(held_[0].bursts != 0 || (held_[0].data == 0 && held_[0].headers == 0), group_.name() + ": posted credits lost");
  laws.expect(held_[1].bursts != 0 || held_[1].headers == 0, group_.name() + ": non-posted credits lost");
  laws.expect(server_.busy() >= busy.value, group_.name() + ": more wire time than the serialiser was taken");
  laws.expect(server_.busy() <= server_.free_at() - Time{}, group_.name() + ": the serialiser was taken twice at once");
}

void Direction::finish(Time now) {
  // What is booked beyond the end of the run is not busy yet; a run may go on and end again.
  busy.value += trimmed_;
  trimmed_ = std::clamp(server_.free_at() - now, Duration{}, busy.value);
  busy.value -= trimmed_;
  if (flit_) flits.value = ceil_div(wire_bytes.value, flit_tlp_bytes.count);
}

bool Tags::take(std::uint32_t n, Time now) {
  while (head_ < returns_.size() && returns_[head_].at <= now) in_use_ -= returns_[head_++].n;
  if (head_ == returns_.size()) {
    returns_.clear();
    head_ = 0;
  } else if (head_ >= 64 && 2 * head_ >= returns_.size()) {
    returns_.erase(returns_.begin(), returns_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  if (in_use_ != 0 && in_use_ + n > count_) return false;
  in_use_ += n;
  return true;
}

void Tags::give_back(std::uint32_t n, Time at) {
  returns_.push_back({at, n});
  for (std::size_t i = returns_.size() - 1; i > head_ && returns_[i - 1].at > at; --i) std::swap(returns_[i - 1], returns_[i]);
}

Time Tags::enough(std::uint32_t n) const {
  std::uint32_t left = in_use_;
  for (std::size_t i = head_; i < returns_.size(); ++i) {
    left -= returns_[i].n;
    if (left == 0 || left + n <= count_) return returns_[i].at;
  }
  return never;
}

Link::Link(const Config& config, Duration extra, std::uint32_t tags, Agenda& agenda, stats::Group& parent, const Surroundings& around)
    : width_{config.l0p_lanes != 0 ? std::make_unique<Width>(config, parent) : nullptr},
      up{"up", config, extra, agenda, parent, around, width_.get()},
      down{"down", config, extra, agenda, parent, around, width_.get()},
      agenda_{agenda},
      retrain_time_{config.retrain_time},
      tags_{tags},
      limited_{tags != 0 && config.forwarding == Forwarding::cut_through},
      group_{"tags", parent} {
  if (config.dllps == Dllps::counted) {
    up.answered_by(down);
    down.answered_by(up);
  }
}

void Link::connect(const Direction::Events& up_events, const Direction::Events& down_events) {
  up.connect(up_events);
  down_started_ = down_events.started;
  Direction::Events mine = down_events;
  mine.started = Direction::Event::to<&Link::down_started>(this);
  down.connect(mine);
}

void Link::read(Burst& b, Time now) {
  b.kind = Kind::non_posted;
  b.asked = now;
  reads_.enter(now);
  if (limited_) {
    b.requests = static_cast<std::uint32_t>(up.wire().read(b.address, b.size).tlps);
    b.tags = std::min(b.requests, tags_.count());
    if (!tag_queue_.empty() || !tags_.take(b.tags, now)) {
      ++reads_waited;
      tag_queue_.push(b);
      arm();
      return;
    }
  }
  up.offer(b, now);
}

void Link::complete(Burst& b, Time now) {
  reads_.leave(now, b.asked);
  b.asked = b.start;
  b.kind = Kind::completion;
  down.offer(b, now);
}

void Link::down_started(Burst& b, Time at) {
  if (b.tags != 0) {
    if (b.requests > b.tags) {
      const auto loop = static_cast<std::uint64_t>((b.out.first - b.asked).count());
      const Duration stretch{static_cast<std::int64_t>(ceil_div((b.requests - b.tags) * loop, b.tags))};
      b.out.last = std::max(b.out.last, b.out.first + stretch);
    }
    tags_.give_back(b.tags, b.out.last);
    b.tags = 0;
    if (!tag_queue_.empty()) arm();
  }
  down_started_(b, at);
}

void Link::arm() {
  const Time at = tags_.enough(tag_queue_.front().tags);
  if (at >= retry_at_) return;
  retry_at_ = at;
  agenda_.post<&Link::retry>(at, this, 0, 0, Priority::release);
}

void Link::retry(Time now) {
  if (retry_at_ <= now) retry_at_ = never;
  while (!tag_queue_.empty() && tags_.take(tag_queue_.front().tags, now)) {
    Burst& b = tag_queue_.pop();
    tag_stall += now - b.asked;
    up.offer(b, now);
  }
  if (!tag_queue_.empty()) arm();
}

void Link::check(Laws& laws, Time now) const {
  up.check(laws, now);
  down.check(laws, now);
  reads_.check(laws, "reads", now);
  laws.expect(tag_queue_.empty() || tags_.in_use() != 0, "reads wait for tags that nobody holds");
}

void Link::retrain(Time now) {
  up.stop(now, retrain_time_);
  down.stop(now, retrain_time_);
  if (width_ != nullptr) width_->active(now + retrain_time_);
}

void Link::finish(Time now) {
  if (width_ != nullptr) width_->finish(now);
  up.finish(now);
  down.finish(now);
}

}  // namespace flashpath::pcie
