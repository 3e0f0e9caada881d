// SPDX-License-Identifier: Apache-2.0
// A link between a device that offers bursts and a host that answers reads after a while.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "pcie/link_model.h"

namespace flashpath::test::pcie_rig {

using namespace flashpath::pcie;
inline constexpr Time zero{};

/// A link whose next stage takes everything at once, or (`takes` false) nothing by itself.
struct Rig {
  explicit Rig(const Config& config, std::uint32_t tags = 0, const Surroundings& around = {})
      : wire{config}, link{config, Duration{}, tags, agenda, group, around} {
    const Direction::Events up{.started = Direction::Event::to<&Rig::started>(this),
                               .delivered = Direction::Event::to<&Rig::up_delivered>(this),
                               .sent = Direction::Event::to<&Rig::sent>(this)};
    const Direction::Events down{.started = Direction::Event::to<&Rig::started>(this),
                                 .delivered = Direction::Event::to<&Rig::down_delivered>(this),
                                 .sent = Direction::Event::to<&Rig::sent>(this)};
    link.connect(up, down);
  }
  Burst& make(Kind kind, std::uint64_t address, Bytes size, Stream in) {
    all.push_back(std::make_unique<Burst>());
    Burst& b = *all.back();
    b.kind = kind;
    b.address = address;
    b.size = size;
    b.in = in;
    return b;
  }
  Burst& post(Bytes size, Time at = zero, std::uint64_t address = 0) {
    Burst& b = make(Kind::posted, address, size, {at, at});
    link.up.offer(b, at);
    return b;
  }
  Burst& read(Bytes size, Time at) {
    Burst& b = make(Kind::non_posted, 0, size, {at, at});
    link.read(b, at);
    return b;
  }
  void started(Burst& b, Time at) {
    starts.push_back(&b);
    if (Burst* const next = std::exchange(offer_next, nullptr); next != nullptr)
      link.up.offer(*next, at);  // as a device that hears of END_REQ
  }
  void sent(Burst& b, Time now) {
    EXPECT_EQ(b.sent, now);
    ++sent_count;
  }
  void up_delivered(Burst& b, Time now) {
    EXPECT_EQ(b.out.first, now);
    ups.push_back(&b);
    if (b.kind != Kind::completion && takes) link.up.taken(b, now);
    if (b.kind == Kind::non_posted && answers) agenda.post<&Rig::answer>(now + host, this, reinterpret_cast<std::uint64_t>(&b));
  }
  void down_delivered(Burst& b, Time now) {
    EXPECT_EQ(b.out.first, now);
    downs.push_back(&b);
    if (b.kind != Kind::completion && takes) link.down.taken(b, now);
  }
  void answer(Time now, std::uint64_t arg) {
    Burst& b = *reinterpret_cast<Burst*>(arg);
    b.in = {now, now};
    link.complete(b, now);
  }
  std::vector<std::string> laws() {
    Laws l;
    l.about("link");
    link.check(l, agenda.now());
    return l.broken();
  }

  Agenda agenda;
  stats::Group group{"link"};
  Wire wire;
  Link link;
  bool takes = true;
  bool answers = true;  ///< reads
  Duration host = 300ns;
  /// A counter of the link by name, in whatever group it is.
  std::uint64_t count(std::string_view name) const {
    std::uint64_t sum = 0, found = 0;
    const auto search = [&](const stats::Group& g, const auto& self) -> void {
      for (const auto* c : g.counters())
        if (c->name == name) sum += c->value, ++found;
      for (const auto* child : g.children()) self(*child, self);
    };
    search(group, search);
    EXPECT_NE(found, 0U) << "no counter " << name;
    return sum;
  }
  int sent_count = 0;
  Burst* offer_next = nullptr;
  std::vector<std::unique_ptr<Burst>> all;
  std::vector<Burst*> starts, ups, downs;
};

inline Config gen5() { return Config{.generation = 5, .lanes = 4, .mps = 256_B, .overhead = 0, .latency = 40ns}; }

}  // namespace flashpath::test::pcie_rig
