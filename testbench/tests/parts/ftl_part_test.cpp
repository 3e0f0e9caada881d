// SPDX-License-Identifier: Apache-2.0
// The FTL behind its sockets: the model's closed forms, back-pressure on writes only, bytes through the flash socket.
#include <gtest/gtest.h>

#include <cstring>

#include "ftl/ftl_part.h"
#include "models/ftl_bench.h"
#include "support/sc_fixture.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
struct FlashTarget : sc_core::sc_module {
  FlashTarget(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name},
        port{"in", agenda, SplitPort::Arrived::to<&FlashTarget::arrived>(this)},
        fake{agenda, ftl::test::small_geometry()} {
    fake.answered = Delegate<void(nand::Op&, Time)>::to<&FlashTarget::done>(this);
  }
  void arrived(Payload& p, Time now) {
    nand::Op& op = p.get_extension<nand::FlashCommand>()->op;
    carriers[&op] = &p;
    port.accept(p, now);
    fake.submit(op, now);
  }
  void done(nand::Op& op, Time now) {
    Payload& p = *carriers[&op];
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    port.respond(p, now);
  }
  SplitPort port;
  ftl::test::FakeFlash fake;
  std::map<nand::Op*, Payload*> carriers;
};

struct Host : sc_core::sc_module {
  Host(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name},
        read{"read", agenda, InitiatorPort::Event::to<&Host::done>(this)},
        write{"write", agenda, InitiatorPort::Event::to<&Host::done>(this)} {}
  void send(RequestKind kind, std::uint64_t address, std::uint64_t size, unsigned char* data, Time now) {
    const bool r = kind == RequestKind::read;
    Payload& p = pool.take(r ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, address, {std::max<std::uint64_t>(size, 1)}, data);
    Request& q = p.get_extension<FtlCommand>()->request;
    q = Request{};
    q.kind = kind;
    q.address = {address};
    q.size = {size};
    q.data = data;
    q.journey = Journey{now};
    (r ? read : write).send(p, now);
  }
  void done(Payload& p, Time now) {
    const Request& q = p.get_extension<FtlCommand>()->request;
    answers.push_back({q.kind, p.get_response_status(), now});
    EXPECT_EQ(transfer_of(p).stream.first, q.stream.first);
    p.release();
  }
  struct Answer {
    RequestKind kind;
    tlm::tlm_response_status status;
    Time at;
  };
  InitiatorPort read, write;
  PayloadPool<FtlCommand> pool;
  std::vector<Answer> answers;
};
}  // namespace

TEST(FtlPart, WritesWaitAtTheSocketReadsDoNot) {
  flashpath::test::Bench bench{std::chrono::milliseconds{1}, true};
  Config c = ftl::test::small_config();
  c.write_buffer = 56_KiB;  // two program units and a third of another
  ModelFtl part{"ftl", bench.environment, c, ftl::test::small_geometry()};
  FlashTarget flash{"flash", bench.agenda};
  Host host{"host", bench.agenda};
  checks::ProtocolChecker on_read{"on_read"}, on_write{"on_write"}, on_flash{"on_flash"};
  host.read.socket.bind(on_read.in);
  on_read.out.bind(part.in_read());
  host.write.socket.bind(on_write.in);
  on_write.out.bind(part.in_write());
  part.flash().bind(on_flash.in);
  on_flash.out.bind(flash.port.socket);

  std::vector<unsigned char> bytes(72 << 10U), back(72 << 10U);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 7 + i / 251);
  for (std::uint64_t i = 0; i < 3; ++i) host.send(RequestKind::write, i * (24 << 10U), 24 << 10U, &bytes[i * (24 << 10U)], Time{});
  host.send(RequestKind::read, 0, 24 << 10U, back.data(), Time{});
  bench.run(Time{} + 599us);
  EXPECT_EQ(host.write.waiting(), 1U);  // the third: no END_REQ yet
  ASSERT_EQ(host.answers.size(), 3U);   // two writes, and the read out of the buffer
  bench.run(Time{} + 601us);
  EXPECT_EQ(host.write.waiting(), 0U);
  bench.run();
  host.send(RequestKind::read, 0, bytes.size(), back.data(), bench.agenda.now());
  host.send(RequestKind::read, 24 << 20U, 4096, back.data(), bench.agenda.now());
  bench.run();
  EXPECT_EQ(std::memcmp(bytes.data(), back.data(), bytes.size()), 0);
  ASSERT_EQ(host.answers.size(), 6U);
  EXPECT_EQ(host.answers[4].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(host.answers[5].status, tlm::TLM_OK_RESPONSE);

  part.finish(bench.agenda.now());
  Laws laws;
  part.check(laws, bench.agenda.now());
  for (const auto& b : laws.broken()) ADD_FAILURE() << b;
  for (const auto* counter : part.stats.counters()) {
    if (counter->name == "host_written") { EXPECT_EQ(counter->value, 72U << 10U); }
    if (counter->name == "flash_reads") { EXPECT_EQ(counter->value, 9U); }
  }
  flashpath::test::expect_clean(on_read);
  flashpath::test::expect_clean(on_write);
  flashpath::test::expect_clean(on_flash);
}
