// SPDX-License-Identifier: Apache-2.0
// A whole platform under test: built from a preset and assignments, with a protocol checker on every socket pair, the client's too,
// and a checker of PCIe's ordering around every link and the switch's uplink.
//
//   Rig rig{"single-drive", {"nand.channels=1"}};      rig.job(spec);      rig.expect_sound({"client", "crypto"});
//
// SystemC elaborates once per process: a test that needs several platforms runs each in a child (in_child).
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "checks/order_checker.h"
#include "checks/protocol_checker.h"
#include "host/fabric_client_part.h"
#include "platform/platform.h"
#include "support/sc_fixture.h"

namespace flashpath::test {

using Settings = std::vector<std::string>;

inline platform::Catalog models() {
  platform::Catalog catalog;
  platform::add_model_parts(catalog);
  return catalog;
}

/// Loads a configuration; what is wrong with it is the test's failure.
inline platform::Config load(const std::string& preset, const Settings& settings) {
  try {
    return platform::load(preset, {}, settings).config;
  } catch (const UserErrors& errors) {
    for (const auto& e : errors.list) ADD_FAILURE() << e;
    throw;
  }
}

/// Values of a statistic by name, summed over all parts whose name ends with `part`.
inline std::uint64_t counter(const std::vector<Part*>& parts, std::string_view part, std::string_view name) {
  std::uint64_t sum = 0, found = 0;
  for (const Part* p : parts) {
    if (!std::string_view{p->name()}.ends_with(part)) continue;
    const auto search = [&](const stats::Group& group, const auto& self) -> void {
      for (const auto* c : group.counters())
        if (c->name == name) {
          sum += c->value;
          ++found;
        }
      for (const auto* child : group.children()) self(*child, self);
    };
    search(p->stats, search);
  }
  EXPECT_NE(found, 0U) << "no counter " << part << "." << name;
  return sum;
}

/// FNV-1a over every statistic of a platform: equal digests mean equal results, to the picosecond and the byte.
class Digest {
 public:
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
  }
  void add(std::uint64_t value) {
    for (unsigned i = 0; i < 64; i += 8) step(static_cast<unsigned char>(value >> i));
  }
  void add(const stats::Group& group) {
    add(group.name());
    for (const auto* c : group.counters()) {
      add(c->name);
      add(c->value);
    }
    for (const auto* b : group.busy()) {
      add(b->name);
      add(static_cast<std::uint64_t>(b->value.count()));
    }
    for (const auto* h : group.histograms()) {
      add(h->name);
      add(h->count());
      add(static_cast<std::uint64_t>(h->sum()));
      for (const std::uint64_t ppm : {0ULL, 500'000ULL, 990'000ULL, 1'000'000ULL})
        add(static_cast<std::uint64_t>(h->percentile(ppm).count()));
    }
    for (const auto* child : group.children()) add(*child);
  }
  std::uint64_t value() const { return value_; }

 private:
  void step(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// Loads and stores objects through the fabric, a fixed number in flight.
class Objects final : public serving::StoreClient {
 public:
  explicit Objects(host::FabricClient& client) : client_{client} {}

  static serving::ObjectKey key(std::uint64_t i) { return {mix64(i + 1), i}; }
  /// Begins `count` commands on objects first, first + 1, …, at most `depth` in flight.
  void start(bool store, std::uint64_t first, std::uint64_t count, Bytes size, std::uint64_t depth, Time now) {
    store_ = store;
    next_ = first;
    end_ = first + count;
    size_ = size;
    done_ = hits_ = 0;
    count_ = count;
    for (std::uint64_t i = 0; i < std::min(depth, count); ++i) submit(now);
  }
  bool finished() const { return done_ == count_; }
  std::uint64_t done() const { return done_; }
  std::uint64_t good() const { return hits_; }  ///< loads that hit, stores that were kept

  void on_load_done(Time now, std::uint64_t, bool hit) override { completed(now, hit); }
  void on_store_done(Time now, std::uint64_t, bool ok) override { completed(now, ok); }
  void on_evicted(Time, const serving::ObjectKey&) override {}

 private:
  void completed(Time now, bool good) {
    ++done_;
    hits_ += good ? 1U : 0U;
    if (next_ != end_) submit(now);
  }
  void submit(Time now) {
    const std::uint64_t i = next_++;
    const auto instance = static_cast<std::uint32_t>(i % 8);
    if (store_) client_.store(now, key(i), size_, instance, *this, i);
    else client_.load(now, key(i), size_, instance, *this, i);
  }
  host::FabricClient& client_;
  bool store_ = false;
  std::uint64_t next_ = 0, end_ = 0, done_ = 0, hits_ = 0, count_ = 0;
  Bytes size_{};
};

class Rig {
 public:
  /// `hook`, if given, sees each pair of sockets first; true: it has bound them itself.
  using Hook = std::function<bool(tlm::tlm_initiator_socket<>&, tlm::tlm_target_socket<>&, const std::string&)>;
  explicit Rig(const std::string& preset, const Settings& settings = {}, Hook hook = {}) : Rig{load(preset, settings), std::move(hook)} {}
  explicit Rig(const platform::Config& config, Hook hook = {})
      : hook_{std::move(hook)},
        reports_{(fail_on_reports(), true)},
        platform{config, models(), [this](auto& from, auto& to, const std::string& name) { wire(from, to, name); }},
        client{"client", platform.environment()},
        objects{client} {
    watch_order();
    wire(client.out(), platform.fabric().client_in(), "client_out");
    wire(platform.fabric().client_out(), client.in(), "client_in");
    try {
      platform.boot();
    } catch (const UserErrors& errors) {
      for (const auto& e : errors.list) ADD_FAILURE() << "boot: " << e;
      throw;
    }
    ready = platform.now();
  }

  void add(const firmware::JobSpec& spec) {
    UserErrors errors;
    jobs().add(spec, errors);
    for (const auto& e : errors.list) ADD_FAILURE() << e;
    errors.raise_if_any();
  }
  /// Runs one job to its end, and until nothing is left to do.
  firmware::JobResult& job(const firmware::JobSpec& spec) {
    const std::size_t index = jobs().specs();
    add(spec);
    jobs().start(platform.now());
    platform.run_until(never);
    EXPECT_TRUE(jobs().finished());
    return jobs().result(index);
  }
  /// Stores or loads objects, all of them, and drains.
  void move(bool store, std::uint64_t first, std::uint64_t count, Bytes size, std::uint64_t depth) {
    objects.start(store, first, count, size, depth, platform.now());
    platform.run_until(never);
    EXPECT_TRUE(objects.finished()) << objects.done() << " of " << count << " objects";
  }

  /// Checkers clean, laws hold, and exactly the sockets whose name contains one of `silent` saw no traffic.
  void expect_sound(const std::vector<std::string>& silent = {}) {
    EXPECT_EQ(platform.next_event(), never) << "not drained";
    platform.finish(platform.now());
    Laws laws;
    platform.check(laws, platform.now());
    laws.about(client.name());
    client.check(laws, platform.now());
    for (const auto& broken : laws.broken()) ADD_FAILURE() << broken;
    EXPECT_GE(laws.checked(), 100U);
    for (const auto& order : orders_) {
      order->finish();
      for (const auto& v : order->violations()) ADD_FAILURE() << v;
    }
    for (const auto& checker : checkers_) {
      checker->finish();
      for (const auto& v : checker->violations()) ADD_FAILURE() << v;
      const std::string name = checker->name();
      const bool may_be_silent = std::ranges::any_of(silent, [&](const std::string& s) { return name.find(s) != std::string::npos; });
      EXPECT_EQ(checker->transactions() == 0, may_be_silent) << name << ": " << checker->transactions() << " transactions";
    }
  }
  std::uint64_t digest() {
    platform.finish(platform.now());
    Digest d;
    for (const Part* part : platform.parts()) {
      d.add(std::string_view{part->name()});
      d.add(part->stats);
    }
    d.add(client.stats);
    d.add(static_cast<std::uint64_t>((platform.now() - Time{}).count()));
    return d.value();
  }
  std::uint64_t count(std::string_view part, std::string_view name) const { return counter(platform.parts(), part, name); }
  firmware::IoJobs& jobs() { return platform.firmware().jobs(); }
  const std::vector<std::unique_ptr<checks::OrderChecker>>& orders() const { return orders_; }
  const std::vector<std::unique_ptr<checks::ProtocolChecker>>& checkers() const { return checkers_; }
  nand::Cells& cells(std::size_t drive) {
    return const_cast<nand::ArrayModel&>(dynamic_cast<nand::ModelArray&>(*platform.drive(drive).nand).model()).cells();
  }

 private:
  void wire(tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    if (hook_ && hook_(from, to, name)) return;
    checkers_.push_back(std::make_unique<checks::ProtocolChecker>((name + "_check").c_str()));
    from.bind(checkers_.back()->in);
    checkers_.back()->out.bind(to);
  }
  checks::ProtocolChecker* find(const std::string& name) {
    for (const auto& c : checkers_)
      if (c->name() == name + "_check") return c.get();
    return nullptr;
  }
  /// Both ways of every link, and of the uplink for each drive; not where whole messages are sent, bursts are then judged by their ends.
  void watch_order() {
    if (platform.config().pcie.forwarding != pcie::Forwarding::cut_through) return;
    const bool tree = platform.config().general.pcie_switch;
    checks::ProtocolChecker* const host_up = find("switch_crypto");
    for (std::size_t i = 0; i < platform.drives(); ++i) {
      const std::string name = "drive" + std::to_string(i);
      auto *dma = find(name + "_dma"), *bar = find(name + "_bar"), *up = find(name + (tree ? "_switch" : "_crypto")),
           *down = find((tree ? "switch_" : "bus_") + name);
      if (dma == nullptr || bar == nullptr || up == nullptr || down == nullptr) continue;  // a hook has bound them
      order(name + " up").watch(*dma, *up, *bar, *down);
      order(name + " down").watch(*down, *bar, *up, *dma);
      if (tree && host_up != nullptr) order(name + " uplink").watch_requests(*up, *host_up, static_cast<int>(i));
    }
  }
  checks::OrderChecker& order(const std::string& name) {
    orders_.push_back(std::make_unique<checks::OrderChecker>(name));
    return *orders_.back();
  }

  std::vector<std::unique_ptr<checks::ProtocolChecker>> checkers_;
  std::vector<std::unique_ptr<checks::OrderChecker>> orders_;
  Hook hook_;
  bool reports_;

 public:
  platform::Platform platform;
  host::FabricClient client;
  Objects objects;
  Time ready{};
};

/// Runs `body` in a child process and brings back what it returns; failures in the child are failures here.
template <class Body>
auto in_child(Body body) {
  using Result = decltype(body());
  static_assert(std::is_trivially_copyable_v<Result>);
  Result result{};
  int ends[2];
  if (pipe(ends) != 0) {
    ADD_FAILURE() << "pipe";
    return result;
  }
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    int code = 1;
    try {
      const Result mine = body();
      const bool sent = ::write(ends[1], &mine, sizeof mine) == static_cast<ssize_t>(sizeof mine);
      code = sent && !::testing::Test::HasFailure() ? 0 : 1;
    } catch (const std::exception& e) { std::printf("in a child: %s\n", e.what()); }
    std::fflush(nullptr);
    _exit(code);
  }
  close(ends[1]);
  const ssize_t got = ::read(ends[0], &result, sizeof result);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(got, static_cast<ssize_t>(sizeof result)) << "the child gave no result";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child failed; what it printed is above";
  return result;
}

}  // namespace flashpath::test
