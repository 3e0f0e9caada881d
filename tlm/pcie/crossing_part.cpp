// SPDX-License-Identifier: Apache-2.0
#include "pcie/crossing_part.h"

#include <cstring>
#include <string>

#include "base/error.h"
#include "pcie/switch_model.h"

namespace flashpath::pcie {

Crossing::Side::Side(Crossing& c, Agenda& agenda, const char* in_name, const char* out_name, bool is_host)
    : crossing{c},
      host{is_host},
      in{in_name, agenda, SplitPort::Arrived::to<&Side::arrived>(this)},
      out{out_name, agenda, InitiatorPort::Event::to<&Side::responded>(this), InitiatorPort::Event::to<&Side::accepted>(this),
          InitiatorPort::Ahead{.write_responses = true}} {}

Crossing::Crossing(Environment& environment, stats::Group& stats, const Config& config, const Shape& shape)
    : link{config,
           shape.extra,
           shape.tags,
           environment.agenda,
           stats,
           Surroundings{.seed = environment.seed, .path = shape.name, .arbitration = shape.arbitration, .shares = shape.shares}},
      agenda_{environment.agenda},
      messages_{config.forwarding == Forwarding::store_and_forward},
      shape_{shape},
      host_{*this, environment.agenda, "from_host", "to_host", true},
      refused_{stats, "refused", stats::Unit::count, "malformed accesses answered at once"},
      posted_errors_{stats, "posted_errors", stats::Unit::count, "posted writes that failed further on"},
      unsupported_{stats, "unsupported", stats::Unit::count, "accesses that no drive claims"},
      stats_{stats} {
  if (config.ordering == Ordering::rules || shape.arbitration != Arbitration::fifo || config.completion_timeout != Duration{} ||
      config.translation != Translation::none || shape.peers)
    extras_ = std::make_unique<Extras>(config, shape, stats);
  for (std::uint32_t i = 0; i < shape.devices; ++i) {
    const std::string suffix = shape.decode ? "_" + std::to_string(i) : std::string{};
    devices_.push_back(std::make_unique<Side>(*this, agenda_, ("from_device" + suffix).c_str(), ("to_device" + suffix).c_str(), false));
    devices_.back()->index = static_cast<std::uint16_t>(i);
  }
  const Direction::Events events{.started = Direction::Event::to<&Crossing::started>(this),
                                 .delivered = Direction::Event::to<&Crossing::delivered>(this),
                                 .sent = Direction::Event::to<&Crossing::sent>(this)};
  link.connect(events, events);
}

Crossing::Extras::Extras(const Config& c, const Shape& shape, stats::Group& parent)
    : named{c.ordering == Ordering::rules || shape.arbitration != Arbitration::fifo},
      ats{c.translation == Translation::ats},
      peers{shape.peers},
      timeout{c.completion_timeout},
      group{"crossing", parent},
      relaxed{c.relaxed_ordering} {
  const auto counter = [&](const char* name, stats::Unit unit, const char* what) {
    return std::make_unique<stats::Counter>(group, name, unit, what);
  };
  if (c.translation != Translation::none) translation = std::make_unique<TranslationCache>(c, group);
  if (timeout != Duration{}) {
    timeouts = counter("timeouts", stats::Unit::count, "reads of devices that failed for want of a completion in time");
    late = counter("late", stats::Unit::count, "of these, completions that came later and were dropped");
  }
  if (peers) {
    peer_payload = counter("peer_payload", stats::Unit::byte, "data from device to device");
    peer_reads = counter("peer_reads", stats::Unit::count, "reads from device to device");
  }
}

inline Crossing::Hop& Crossing::take() {
  if (free_.empty()) {
    hops_.push_back(std::make_unique<Hop>());
    free_.push_back(hops_.back().get());
  }
  Hop& hop = *free_.back();
  free_.pop_back();
  return hop;
}

void Crossing::arrived(Side& side, Payload& p, Time now) {
  const bool write = p.is_write();
  if ((!write && !p.is_read()) || p.get_byte_enable_ptr() != nullptr || p.get_data_length() == 0) {
    p.set_response_status(p.get_byte_enable_ptr() != nullptr ? tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE
                          : p.get_data_length() == 0         ? tlm::TLM_BURST_ERROR_RESPONSE
                                                             : tlm::TLM_COMMAND_ERROR_RESPONSE);
    ++refused_;
    side.in.respond(p, now);
    return;
  }
  Transfer& t = transfer_of(p);
  if (shape_.name_drive && !side.host) {
    t.master = Master::drive;
    t.source = shape_.drive;
  }
  Hop& hop = take();
  hop.from = &side;
  hop.asked = &p;
  hop.sent_on = nullptr;
  hop.address = p.get_address();
  hop.size = size_of(p);
  hop.tags = hop.requests = 0;
  if (extras_ != nullptr) [[unlikely]] {
    hop.early = false;
    hop.peer = nullptr;
    if (extras_->named) {
      hop.port = side.index;
      hop.id = t.source;
      hop.relaxed = extras_->relaxed && !write;
    }
  }
  if (write) {
    hop.kind = Kind::posted;
    hop.in = {std::max(now, t.stream.first), std::max(now, t.stream.last)};
    hop.users = 2;
    ++posted_in_;
    ++posted_inside_;
    if (messages_) side.in.accept(p, now);  // a message that is not whole yet holds up nobody
    if (extras_ != nullptr && !side.host) [[unlikely]]
      enter(hop, now);
    else way(side).offer(hop, now);
    return;
  }
  hop.in = {now, now};
  hop.users = 1;
  ++reads_in_;
  ++reads_inside_;
  side.in.accept(p, now);
  if (side.host) {
    hop.kind = Kind::non_posted;
    link.down.offer(hop, now);
  } else if (extras_ != nullptr) [[unlikely]] {
    hop.kind = Kind::non_posted;
    enter(hop, now);
  } else {
    link.read(hop, now);
  }
}

/// A device's access, where the configuration asks for more than a link.
void Crossing::enter(Hop& hop, Time now) {
  if (extras_->peers && to_peer(hop, now)) return;
  if (hop.kind == Kind::non_posted && extras_->timeout != Duration{}) watch(hop, now);
  if (extras_->ats) {
    const Time ready = extras_->translation->ready(hop.address, hop.size, now);
    if (ready > now) {
      if (hop.kind == Kind::posted && !messages_) {
        hop.early = true;
        hop.from->in.accept(*hop.asked, now);
      }
      agenda_.post<&Crossing::entered_later>(ready, this, reinterpret_cast<std::uint64_t>(&hop));
      return;
    }
  }
  if (hop.kind == Kind::posted) link.up.offer(hop, now);
  else link.read(hop, now);
}

void Crossing::entered_later(Time now, std::uint64_t arg) {
  Hop& hop = *reinterpret_cast<Hop*>(arg);
  hop.in = {now, std::max(now, hop.in.last)};
  if (hop.kind == Kind::posted) link.up.offer(hop, now);
  else link.read(hop, now);
}

/// The read goes on as ours, so that the caller's can be answered without it.
void Crossing::watch(Hop& hop, Time now) {
  Payload& p = *hop.asked;
  const Transfer& from = transfer_of(p);
  unsigned char* data = nullptr;
  if (from.carries_data) {
    hop.bytes.assign(hop.size.count, 0);
    data = hop.bytes.data();
  }
  Payload& q = pool_.take(p.get_command(), hop.address, hop.size, data);
  Transfer& to = *q.get_extension<Transfer>();
  to.journey = from.journey;
  to.master = from.master;
  to.source = from.source;
  to.hop = &hop;
  hop.sent_on = &q;
  hop.serial = ++extras_->serial;
  agenda_.post<&Crossing::timed_out>(now + extras_->timeout, this, reinterpret_cast<std::uint64_t>(&hop), hop.serial, Priority::late);
}

void Crossing::timed_out(Time now, std::uint64_t arg, std::uint64_t serial) {
  Hop& hop = *reinterpret_cast<Hop*>(arg);
  if (hop.serial != serial || hop.asked == nullptr) return;
  Payload& p = *hop.asked;
  hop.asked = nullptr;
  ++*extras_->timeouts;
  p.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  Transfer& t = transfer_of(p);
  t.journey.mark(Stage::link, now);
  t.stream = {now, now};
  hop.from->in.respond(p, now);
}

bool Crossing::to_peer(Hop& hop, Time now) {
  const std::uint32_t drive = drive_of(hop.address, shape_.devices);
  if (drive >= shape_.devices || devices_[drive].get() == hop.from) return false;
  hop.peer = devices_[drive].get();
  hop.start = hop.offered = now;
  hop.out = {now + shape_.extra, std::max(now, hop.in.last) + shape_.extra};
  depart(hop);
  if (hop.kind == Kind::posted) *extras_->peer_payload += hop.size;
  else ++*extras_->peer_reads;
  agenda_.post<&Crossing::peer_arrives>(hop.out.first, this, reinterpret_cast<std::uint64_t>(&hop));
  return true;
}

void Crossing::peer_arrives(Time now, std::uint64_t arg) {
  Hop& hop = *reinterpret_cast<Hop*>(arg);
  hop.peer->send(hop, now);
}

void Crossing::peer_returns(Time now, std::uint64_t arg) {
  Hop& hop = *reinterpret_cast<Hop*>(arg);
  Payload& p = *hop.asked;
  Side& from = *hop.from;
  ++reads_answered_;
  let_go(hop);
  from.in.respond(p, now);
}

/// The payload for the next stage.
inline void Crossing::depart(Hop& hop) {
  if (hop.kind == Kind::non_posted && hop.sent_on != nullptr) {  // with a completion timeout
    Transfer& t = transfer_of(*hop.sent_on);
    t.journey.mark(Stage::link_wait, hop.start);
    t.journey.mark(Stage::link, hop.out.first);
    t.stream = {hop.out.first, hop.out.first};
    return;
  }
  Payload& p = *hop.asked;
  Transfer& from = transfer_of(p);
  if (hop.kind == Kind::non_posted && p.has_mm()) {
    hop.found = from.hop;
    from.hop = &hop;
    from.journey.mark(Stage::link_wait, hop.start);
    from.journey.mark(Stage::link, hop.out.first);
    from.stream = {hop.out.first, hop.out.first};
    hop.sent_on = &p;
    return;
  }
  unsigned char* data = nullptr;
  if (from.carries_data) {
    data = p.get_data_ptr();
    if (hop.kind == Kind::posted) {
      hop.bytes.resize(hop.size.count);
      std::memcpy(hop.bytes.data(), data, hop.size.count);
      data = hop.bytes.data();
    }
  }
  from.journey.mark(Stage::link_wait, hop.start);
  PooledPayload& q = pool_.take(p.get_command(), hop.address, hop.size, data, from.journey,
                                hop.kind == Kind::posted ? hop.out : Stream{hop.out.first, hop.out.first}, from.master, from.source);
  q.transfer.journey.mark(Stage::link, hop.out.first);
  q.transfer.owner = nullptr;
  q.transfer.hop = &hop;
  hop.sent_on = &q;
}

void Crossing::started(Burst& burst, Time at) {
  Hop& hop = static_cast<Hop&>(burst);
  if (hop.kind == Kind::completion) {
    if (hop.asked == nullptr) return;  // it has timed out
    Transfer& t = transfer_of(*hop.asked);
    t.journey.mark(Stage::link_wait, at);
    t.journey.mark(Stage::link, hop.out.first);
    t.stream = hop.out;
    return;
  }
  depart(hop);
  if (hop.kind != Kind::posted || messages_) return;
  SplitPort& in = hop.from->in;
  if (extras_ != nullptr && hop.early) [[unlikely]]
    return;
  in.accept(*hop.asked, at);
  if (!in.inside(*hop.asked)) return;
  // Nobody was before it, so its end is known while the caller is still on the line: answered for that moment.
  hop.unsent = false;
  answer_posted(hop, hop.sent);
}

void Crossing::delivered(Burst& burst, Time now) {
  Hop& hop = static_cast<Hop&>(burst);
  if (hop.kind == Kind::completion) {
    Payload* const p = hop.asked;
    Side& from = *hop.from;
    ++reads_answered_;
    hop.serial = 0;
    let_go(hop);
    if (p != nullptr) from.in.respond(*p, now);
    else ++*extras_->late;
    return;
  }
  if (!hop.from->host) {
    if (extras_ != nullptr && extras_->translation != nullptr && !extras_->ats) [[unlikely]]
      hand_on(hop, now);
    else host_.send(hop, now);
    return;
  }
  const std::uint32_t drive = shape_.decode ? drive_of(hop.address, shape_.devices) : 0;
  if (drive < shape_.devices) {
    devices_[drive]->send(hop, now);
    return;
  }
  ++unsupported_;
  hop.sent_on->set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  link.down.taken(hop, now);
  returned(hop, now);
}

/// Through the translation at the root complex.
void Crossing::hand_on(Hop& hop, Time now) {
  const Time ready = extras_->translation->ready(hop.address, hop.size, now);
  if (ready > now) agenda_.post<&Crossing::handed_later>(ready, this, reinterpret_cast<std::uint64_t>(&hop));
  else host_.send(hop, now);
}

void Crossing::handed_later(Time now, std::uint64_t arg) {
  Hop& hop = *reinterpret_cast<Hop*>(arg);
  Transfer& t = transfer_of(*hop.sent_on);
  t.journey.mark(Stage::link, now);
  t.stream = {now, std::max(now, t.stream.last)};
  host_.send(hop, now);
}

void Crossing::retrain(Time now) {
  if (retrains_ == nullptr)
    retrains_ = std::make_unique<stats::Counter>(stats_, "retrains", stats::Unit::count, "retrains by configuration (faults)");
  ++*retrains_;
  link.retrain(now);
}

void Crossing::sent(Burst& burst, Time now) { answer_posted(static_cast<Hop&>(burst), now); }

void Crossing::answer_posted(Hop& hop, Time at) {
  Payload& p = *hop.asked;
  SplitPort& in = hop.from->in;
  p.set_response_status(tlm::TLM_OK_RESPONSE);
  transfer_of(p).journey.mark(Stage::link, at);
  hop.asked = nullptr;
  ++posted_answered_;
  let_go(hop);
  in.respond(p, at);
}

inline Crossing::Hop& Crossing::hop_of(Payload& payload) { return *static_cast<Hop*>(transfer_of(payload).hop); }

inline void Crossing::Side::send(Hop& hop, Time now) {
  sent.push_back(&hop);
  out.send(*hop.sent_on, now);
}

void Crossing::accepted(Side& side, Time now) {
  Hop& hop = *side.sent.front();
  side.sent.pop_front();
  if (extras_ != nullptr && hop.peer != nullptr) [[unlikely]] {
    if (hop.kind == Kind::posted) answer_posted(hop, now);
    return;
  }
  way(*hop.from).taken(hop, now);
}

void Crossing::responded(Payload& payload, Time now) { returned(hop_of(payload), now); }

void Crossing::returned(Hop& hop, Time now) {
  Payload& q = *hop.sent_on;
  if (hop.kind == Kind::posted) {
    if (!q.is_response_ok()) ++posted_errors_;
    q.release();
    let_go(hop);
    return;
  }
  Transfer& t = transfer_of(q);
  const Stream stream = t.stream;
  const bool ok = q.is_response_ok();
  if (&q == hop.asked) {
    t.hop = hop.found;
  } else {
    if (hop.asked != nullptr) {
      hop.asked->set_response_status(q.get_response_status());
      Transfer& asked = transfer_of(*hop.asked);
      asked.journey = t.journey;
      asked.stream = stream;
      if (extras_ != nullptr && hop.serial != 0 && asked.carries_data)
        std::memcpy(hop.asked->get_data_ptr(), hop.bytes.data(), hop.size.count);
    }
    q.release();
  }
  hop.sent_on = nullptr;
  return_data(hop, now, stream, ok);
}

/// The data of a read, or its failure, goes back the other way.
inline void Crossing::return_data(Hop& hop, Time now, Stream stream, bool ok) {
  hop.in = {now, std::max(now, stream.last)};
  if (!ok) {
    hop.size = {};
    hop.in.last = now;
  }
  if (hop.from->host) {
    hop.kind = Kind::completion;
    link.up.offer(hop, now);
  } else if (extras_ != nullptr && hop.peer != nullptr) [[unlikely]] {
    Transfer& t = transfer_of(*hop.asked);
    t.stream = {now + shape_.extra, hop.in.last + shape_.extra};
    t.journey.mark(Stage::link, t.stream.first);
    agenda_.post<&Crossing::peer_returns>(t.stream.first, this, reinterpret_cast<std::uint64_t>(&hop));
  } else {
    link.complete(hop, now);
  }
}

inline void Crossing::let_go(Hop& hop) {
  if (--hop.users != 0) return;
  if (hop.kind == Kind::posted) --posted_inside_;
  else --reads_inside_;
  free_.push_back(&hop);
}

void Crossing::check(Laws& laws, Time now) const {
  link.check(laws, now);
  laws.expect(posted_answered_ <= posted_in_ && posted_in_ - posted_answered_ <= posted_inside_, "posted writes accounted for");
  laws.equal("reads asked", reads_in_, "answered + in flight", Wide{reads_answered_} + reads_inside_);
  laws.equal("bursts held", hops_.size() - free_.size(), "posted + reads inside", Wide{posted_inside_} + reads_inside_);
  laws.expect(pool_.outstanding() <= posted_inside_ + reads_inside_, "payloads lost");
}

void Crossing::explain(Stall& stall) const {
  stall.waits(link.up.waiting(), "bursts towards the host", link.up.blocked() ? "credits (the host takes no more)" : "the serialiser");
  stall.waits(link.down.waiting(), "bursts towards devices", link.down.blocked() ? "credits (the device takes no more)" : "the serialiser");
  stall.waits(link.up.untaken(), "bursts sent", "the host to take them");
  stall.waits(link.down.untaken(), "bursts sent", "the device to take them");
  stall.waits(link.tag_waiting(), "reads", "tags");
  stall.waits(reads_inside_, "reads", "their answer");
}

}  // namespace flashpath::pcie
