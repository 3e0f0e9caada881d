// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "cores/cores_part.h"
#include "kernel/agenda_driver.h"
#include "kernel/target_port.h"

using namespace flashpath;
using namespace flashpath::cores;

namespace {

/// 200 ns for anything; keeps bytes; says no above 1 MiB.
struct Store : sc_core::sc_module {
  Store(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name}, port{"in", agenda, TargetPort::Serve::to<&Store::serve>(this)} {}
  Window serve(Payload& p, Time at) {
    if (p.get_address() + p.get_data_length() > bytes.size()) {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else {
      if (transfer_of(p).carries_data) {
        if (p.is_write()) std::memcpy(&bytes[p.get_address()], p.get_data_ptr(), p.get_data_length());
        else std::memcpy(p.get_data_ptr(), &bytes[p.get_address()], p.get_data_length());
      }
      p.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    seen.emplace_back(p.get_address(), at);
    return {.accepted = at + 10ns, .done = at + 200ns};
  }
  TargetPort port;
  std::vector<unsigned char> bytes = std::vector<unsigned char>(1U << 20U);
  std::vector<std::pair<std::uint64_t, Time>> seen;
};

struct Firmware {
  void first(CoreContext& ctx) {
    begin = ctx.now();
    ctx.cycles(17);
    ctx.store_value(64, std::uint64_t{0x1122334455667788});
    std::uint64_t back = 0;
    ctx.load_value(64, back);
    EXPECT_EQ(back, 0x1122334455667788U);
    ctx.post_value(128, std::uint32_t{7});
    ctx.post_value(132, std::uint32_t{8});
    ctx.read_register(128, 4, Task::of<&Firmware::value>(this, 5));
    ctx.read_register(1U << 21U, 4, Task::of<&Firmware::value>(this, 6));
    end = ctx.now();
  }
  void value(CoreContext& ctx, std::uint64_t tag, std::uint64_t v) { values.emplace_back(tag, v, ctx.now()); }
  Time begin{}, end{};
  std::vector<std::tuple<std::uint64_t, std::uint64_t, Time>> values;
};

}  // namespace

TEST(CoresPart, LoadsStoresAndRegistersThroughOneSocket) {
  Agenda agenda;
  AgendaDriver driver{"agenda", agenda, 1ms};
  Environment environment{agenda};
  Config config;
  config.clock = 1_GHz;
  Cores cores{"cores", environment, config};
  Store store{"store", agenda};
  cores.mem().bind(store.port.socket);
  Firmware fw;
  cores.submit(CoreId{2}, Task::of<&Firmware::first>(&fw), Time{});
  driver.run_until(never);
  // 17 + 2 (store) cycles, 200 ns of load, four register accesses of 40 cycles
  EXPECT_EQ(fw.begin, Time{75ns});
  EXPECT_EQ(fw.end - fw.begin, 19ns + 200ns + 160ns);
  ASSERT_EQ(store.seen.size(), 6U);
  EXPECT_EQ(store.seen[2], (std::pair{std::uint64_t{128}, fw.begin + 19ns + 240ns}));  // leaves at the core's now
  EXPECT_EQ(store.seen[3], (std::pair{std::uint64_t{132}, fw.begin + 19ns + 280ns}));  // in order
  ASSERT_EQ(fw.values.size(), 2U);
  EXPECT_EQ(std::get<1>(fw.values[0]), 7U);
  EXPECT_EQ(std::get<2>(fw.values[0]), fw.begin + 19ns + 320ns + 200ns + 75ns);  // sent, answered, polled
  EXPECT_EQ(std::get<1>(fw.values[1]), 0xffffffffU);                             // nobody there: all ones
  EXPECT_EQ(cores.failed(), 1U);
  Laws laws;
  cores.check(laws, agenda.now());
  EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
}
