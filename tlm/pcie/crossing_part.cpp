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
    : link{config, shape.extra, shape.tags, environment.agenda, stats},
      agenda_{environment.agenda},
      messages_{config.forwarding == Forwarding::store_and_forward},
      shape_{shape},
      host_{*this, environment.agenda, "from_host", "to_host", true},
      refused_{stats, "refused", stats::Unit::count, "malformed accesses answered at once"},
      posted_errors_{stats, "posted_errors", stats::Unit::count, "posted writes that failed further on"},
      unsupported_{stats, "unsupported", stats::Unit::count, "accesses that no drive claims"} {
  for (std::uint32_t i = 0; i < shape.devices; ++i) {
    const std::string suffix = shape.decode ? "_" + std::to_string(i) : std::string{};
    devices_.push_back(std::make_unique<Side>(*this, agenda_, ("from_device" + suffix).c_str(), ("to_device" + suffix).c_str(), false));
  }
  const Direction::Events events{.started = Direction::Event::to<&Crossing::started>(this),
                                 .delivered = Direction::Event::to<&Crossing::delivered>(this),
                                 .sent = Direction::Event::to<&Crossing::sent>(this)};
  link.connect(events, events);
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
  if (write) {
    hop.kind = Kind::posted;
    hop.in = {std::max(now, t.stream.first), std::max(now, t.stream.last)};
    hop.users = 2;
    ++posted_in_;
    ++posted_inside_;
    if (messages_) side.in.accept(p, now);  // a message that is not whole yet holds up nobody
    way(side).offer(hop, now);
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
  } else {
    link.read(hop, now);
  }
}

/// The payload for the next stage.
inline void Crossing::depart(Hop& hop) {
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
    Transfer& t = transfer_of(*hop.asked);
    t.journey.mark(Stage::link_wait, at);
    t.journey.mark(Stage::link, hop.out.first);
    t.stream = hop.out;
    return;
  }
  depart(hop);
  if (hop.kind != Kind::posted || messages_) return;
  SplitPort& in = hop.from->in;
  in.accept(*hop.asked, at);
  if (!in.inside(*hop.asked)) return;
  // Nobody was before it, so its end is known while the caller is still on the line: answered for that moment.
  hop.unsent = false;
  answer_posted(hop, hop.sent);
}

void Crossing::delivered(Burst& burst, Time now) {
  Hop& hop = static_cast<Hop&>(burst);
  if (hop.kind == Kind::completion) {
    Payload& p = *hop.asked;
    Side& from = *hop.from;
    ++reads_answered_;
    let_go(hop);
    from.in.respond(p, now);
    return;
  }
  if (!hop.from->host) {
    host_.send(hop, now);
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
  if (&q == hop.asked) {
    t.hop = hop.found;
  } else {
    hop.asked->set_response_status(q.get_response_status());
    Transfer& asked = transfer_of(*hop.asked);
    asked.journey = t.journey;
    asked.stream = t.stream;
    q.release();
  }
  hop.sent_on = nullptr;
  return_data(hop, now);
}

/// The data of a read, or its failure, goes back the other way.
inline void Crossing::return_data(Hop& hop, Time now) {
  const Transfer& t = transfer_of(*hop.asked);
  hop.in = {now, std::max(now, t.stream.last)};
  if (!hop.asked->is_response_ok()) {
    hop.size = {};
    hop.in.last = now;
  }
  if (hop.from->host) {
    hop.kind = Kind::completion;
    link.up.offer(hop, now);
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
