// SPDX-License-Identifier: Apache-2.0
// The key value command set: against a std::map at depth 64, byte by byte; each field and status; times; space that is never lost.
#include <deque>

#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t mib = 1U << 20U;

struct Rig : Host {
  explicit Rig(const Config& config = quick(), bool data = false, std::uint64_t bytes = 16 * mib, unsigned css = 6)
      : Host{config, data, 64_MiB} {
    up(css);
    EXPECT_EQ(admin_command({.opcode = 0x0d, .nsid = 1, .cdw10 = 1}).code(), Status::success);
    IdentifyNamespace wanted{};
    wanted.nsze = bytes;
    memory.write(data_at, &wanted, sizeof wanted);
    const Cqe created = admin_command({.opcode = 0x0d, .prp1 = data_at, .cdw10 = 0, .cdw11 = 1U << 24U});
    EXPECT_EQ(created.code(), Status::success);
    EXPECT_EQ(created.dw0, 1U);
    if (css == 6) { EXPECT_EQ(attach(), Status::success); }
  }
  void up(unsigned css) {
    admin = {.id = 0, .sq = 0x10000, .cq = 0x20000, .size = 32, .cq_size = 32};
    const std::vector<unsigned char> zeros(32 * sizeof(Cqe), 0);
    memory.write(admin.cq, zeros.data(), zeros.size());
    write32(0x24, 31U | 31U << 16U);
    write64(0x28, admin.sq);
    write64(0x30, admin.cq);
    write32(0x14, Cc::make(true).raw | css << 4U);
    agenda.run_until(agenda.now() + config.enable_time);
    ASSERT_TRUE(csts().rdy());
    queues.clear();
    create(1, 256, 256);
  }
  Status attach() {
    const std::array<std::uint16_t, 2> list{1, 0};
    memory.write(data_at, list.data(), sizeof list);
    return admin_command({.opcode = 0x15, .nsid = 1, .prp1 = data_at, .cdw10 = 0}).code();
  }
  static Sqe kv(KvOpcode op, const std::string& key, std::uint32_t size = 0, std::uint32_t options = 0) {
    Sqe sqe{.opcode = static_cast<std::uint8_t>(op), .nsid = 1, .prp1 = data_at, .cdw10 = size};
    sqe.cdw11 = static_cast<std::uint32_t>(key.size()) | options << 8U;
    std::array<std::uint32_t, 4> words{};
    std::memcpy(words.data(), key.data(), std::min<std::size_t>(key.size(), 16));
    sqe.cdw2 = words[0];
    sqe.cdw3 = words[1];
    sqe.cdw14 = words[2];
    sqe.cdw15 = words[3];
    return sqe;
  }
  Sqe moving(KvOpcode op, const std::string& key, std::uint32_t size, std::uint64_t at, std::uint64_t list, std::uint32_t options = 0) {
    Sqe sqe = kv(op, key, size, options);
    describe(sqe, at, std::max(size, 1U), list);
    return sqe;
  }
  Status store(const std::string& key, const std::string& value, std::uint32_t options = 0) {
    memory.write(data_at, value.data(), value.size());
    return io(moving(KvOpcode::store, key, static_cast<std::uint32_t>(value.size()), data_at, 0x5000'0000, options)).code();
  }
  std::string retrieve(const std::string& key, std::uint32_t room = 65536) {
    const Cqe cqe = io(moving(KvOpcode::retrieve, key, room, data_at, 0x5000'0000));
    if (cqe.code() != Status::success) return "?";
    std::string out(std::min(cqe.dw0, room), '\0');
    memory.read(data_at, out.data(), out.size());
    return out;
  }
  Status code(const Sqe& sqe) { return io(sqe).code(); }
  IdentifyKvNamespace identify() {
    EXPECT_EQ(admin_command({.opcode = 0x06, .nsid = 1, .prp1 = data_at, .cdw10 = 5, .cdw11 = 1U << 24U}).code(), Status::success);
    return memory.at<IdentifyKvNamespace>(data_at);
  }
};

TEST(NvmeKv, LifeOfAValue) {
  Rig rig{Host::quick(), true};
  EXPECT_EQ(rig.retrieve("a"), "?");
  EXPECT_EQ(rig.store("a", "one"), Status::success);
  EXPECT_EQ(rig.store("ab", std::string(10'000, 'x')), Status::success);
  EXPECT_EQ(rig.retrieve("a"), "one");
  EXPECT_EQ(rig.retrieve("ab"), std::string(10'000, 'x'));
  EXPECT_EQ(rig.store("a", "another, longer one"), Status::success);
  EXPECT_EQ(rig.retrieve("a"), "another, longer one");
  EXPECT_EQ(rig.retrieve("a", 7), "another");  // no more than the host has room for
  EXPECT_EQ(rig.io(rig.moving(KvOpcode::retrieve, "a", 7, data_at, 0)).dw0, 19U);
  EXPECT_EQ(rig.store("empty", ""), Status::success);
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::exist, "empty")), Status::success);
  EXPECT_EQ(rig.retrieve("empty"), "");
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::exist, "b")), Status::key_does_not_exist);
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::remove, "b")), Status::key_does_not_exist);
  EXPECT_EQ(rig.identify().nuse, 4096U + 12'288U);
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::remove, "a")), Status::success);
  EXPECT_EQ(rig.retrieve("a"), "?");
  EXPECT_EQ(rig.requests.back().kind, ftl::RequestKind::trim);
  EXPECT_EQ(rig.requests.back().size, 4_KiB);
  EXPECT_EQ(rig.identify().nuse, 12'288U);
  rig.write32(0x14, 0);
  rig.up(6);  // values outlive a reset
  EXPECT_EQ(rig.retrieve("ab"), std::string(10'000, 'x'));
  EXPECT_EQ(rig.admin_command({.opcode = 0x80, .nsid = 1}).code(), Status::success);
  EXPECT_EQ(rig.retrieve("ab"), "?");
  EXPECT_EQ(rig.identify().nuse, 0U);
  rig.expect_laws();
}

TEST(NvmeKv, EveryFieldIsChecked) {
  Rig rig;
  const auto code = [&](KvOpcode op, const std::string& key, std::uint32_t size = 0, std::uint32_t options = 0) {
    return rig.code(Rig::kv(op, key, size, options));
  };
  for (const KvOpcode op : {KvOpcode::store, KvOpcode::retrieve, KvOpcode::remove, KvOpcode::exist}) {
    EXPECT_EQ(code(op, ""), Status::invalid_key_size);
    EXPECT_EQ(code(op, std::string(17, 'k')), Status::invalid_key_size);
    EXPECT_EQ(code(op, std::string(255, 'k')), Status::invalid_key_size);
  }
  EXPECT_EQ(code(KvOpcode::list, std::string(17, 'k'), 4096), Status::invalid_key_size);
  EXPECT_EQ(code(KvOpcode::list, "", 3), Status::invalid_field);
  EXPECT_EQ(code(KvOpcode::store, "k", mib + 1), Status::invalid_value_size);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 0x08), Status::invalid_field);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 0x80), Status::invalid_field);
  EXPECT_EQ(code(KvOpcode::retrieve, "k", 8, 2), Status::invalid_field);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 1), Status::key_does_not_exist);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 2), Status::success);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 2), Status::key_exists);
  EXPECT_EQ(code(KvOpcode::store, "k", 8, 1 | 4), Status::success);
  for (const std::uint8_t opcode : std::array<std::uint8_t, 7>{0x04, 0x05, 0x08, 0x09, 0x0c, 0x19, 0x7f}) {
    Sqe sqe = Rig::kv(KvOpcode::exist, "k");
    sqe.opcode = opcode;
    EXPECT_EQ(rig.code(sqe), Status::invalid_opcode) << int{opcode};
  }
  Sqe fused = Rig::kv(KvOpcode::exist, "k");
  fused.flags = 1;
  EXPECT_EQ(rig.code(fused), Status::invalid_field);
  Sqe bad = Rig::kv(KvOpcode::store, "k", 100);
  bad.prp1 = unmapped;
  EXPECT_EQ(rig.code(bad), Status::data_transfer_error);
  EXPECT_EQ(code(KvOpcode::exist, "k"), Status::success);  // the old value is still there
  EXPECT_EQ(rig.identify().nuse, 4096U);
  Sqe flush = Rig::kv(KvOpcode::flush, "");
  EXPECT_EQ(rig.code(flush), Status::success);
  rig.expect_laws();
}

TEST(NvmeKv, IsAnnounced) {
  Rig rig;
  EXPECT_EQ(Cap{rig.controller.mmio_read(0, 8)}.css(), 0x41U);
  const IdentifyKvNamespace id = rig.identify();
  EXPECT_EQ(id.nsze, 16 * mib);
  EXPECT_EQ(id.format[0].key_max, 16U);
  EXPECT_EQ(id.format[0].value_max, mib);
  EXPECT_EQ(id.novg, 4096U);
  const auto ask = [&](std::uint32_t cns, std::uint32_t csi) {
    EXPECT_EQ(rig.admin_command({.opcode = 0x06, .nsid = cns == 7 ? 0U : 1U, .prp1 = data_at, .cdw10 = cns, .cdw11 = csi << 24U}).code(),
              Status::success);
  };
  ask(0x1c, 0);
  EXPECT_EQ(rig.memory.at<std::uint64_t>(data_at), 3U);
  ask(7, 1);
  EXPECT_EQ(rig.memory.at<std::uint32_t>(data_at), 1U);
  ask(7, 0);
  EXPECT_EQ(rig.memory.at<std::uint32_t>(data_at), 0U);
  ask(3, 0);
  EXPECT_EQ(rig.memory.at<std::uint8_t>(data_at + 56), 1U);  // CSI
  EXPECT_EQ(rig.admin_command({.opcode = 0x06, .nsid = 1, .prp1 = data_at, .cdw10 = 0}).code(), Status::invalid_field);
  EXPECT_EQ(rig.admin_command({.opcode = 0x09, .cdw10 = 0x19, .cdw11 = 0}).code(), Status::success);
  EXPECT_EQ(rig.admin_command({.opcode = 0x09, .cdw10 = 0x19, .cdw11 = 1}).code(), Status::command_set_combination);
  // A host that has enabled the NVM command set alone cannot attach it.
  Rig plain{Host::quick(), false, 16 * mib, 0};
  EXPECT_EQ(plain.attach(), Status::command_set_not_enabled);
}

TEST(NvmeKv, ListGoesOnWhereItEnded) {
  Rig rig;
  std::set<std::string> keys;
  Random random{3, "keys"};
  for (int i = 0; i < 200; ++i) {
    std::string key(1 + random.below(16), ' ');
    for (char& ch : key) ch = static_cast<char>('a' + random.below(3));
    keys.insert(key);
    EXPECT_EQ(rig.code(Rig::kv(KvOpcode::store, key, 0)), Status::success);
  }
  std::vector<std::string> found;
  std::string from;
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(rig.code(Rig::kv(KvOpcode::list, from, 128)), Status::success);
    const auto count = rig.memory.at<std::uint32_t>(data_at);
    std::uint64_t at = data_at + 4;
    const std::size_t before = found.size();
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto length = rig.memory.at<std::uint16_t>(at);
      std::string key(length, '\0');
      rig.memory.read(at + 2, key.data(), length);
      at += ceil_div(2U + length, 4) * 4;
      if (key != from) found.push_back(key);  // it begins with the key that it is given
    }
    EXPECT_LE(at, data_at + 128);
    if (found.size() == before) break;
    from = found.back();
  }
  EXPECT_EQ(found, std::vector<std::string>(keys.begin(), keys.end()));
}

/// Store: fetch, front end, latency, index, data, FTL, completion. Retrieve: the same with the FTL before the data.
TEST(NvmeKv, OneCommandTakesTheSumOfItsSteps) {
  Config c = Host::quick();
  c.kv_index_time = 700ns;
  c.kv_index_latency = 5us;
  Rig rig{c};
  const auto time = [&](const Sqe& sqe) {
    const Time begin = rig.agenda.now();
    rig.sent.clear();
    EXPECT_EQ(rig.code(sqe), Status::success);
    return rig.sent.front().sent - begin;
  };
  const Duration index = c.kv_index_time + c.kv_index_latency, fetch = rig.dma_latency;
  const Duration write = fetch + c.command_time + c.write_latency + index + c.completion_latency;
  EXPECT_EQ(time(Rig::kv(KvOpcode::store, "k", 4096)), write + rig.dma_latency + rig.write_accept + rig.write_time);
  EXPECT_EQ(time(Rig::kv(KvOpcode::store, "k", 4096)), write + rig.dma_latency + rig.write_accept + rig.write_time + rig.other_time);
  EXPECT_EQ(time(Rig::kv(KvOpcode::exist, "k")), write);
  EXPECT_EQ(time(Rig::kv(KvOpcode::list, "k", 4096)), write + rig.dma_latency);
  EXPECT_EQ(time(Rig::kv(KvOpcode::retrieve, "k", 4096)),
            fetch + c.command_time + c.read_latency + index + rig.read_time + rig.dma_latency + c.completion_latency);
  EXPECT_EQ(time(Rig::kv(KvOpcode::remove, "k")), write + rig.other_time);
  // 64 at once: the index is the narrowest stage.
  const Time begin = rig.agenda.now();
  rig.sent.clear();
  for (int i = 0; i < 64; ++i) rig.put(rig.queues[1], Rig::kv(KvOpcode::list, "", 4));
  rig.ring(rig.queues[1]);
  rig.agenda.run();
  EXPECT_GE(rig.sent.back().sent - begin, 64 * c.kv_index_time);
  EXPECT_LE(rig.sent.back().sent - begin, 64 * c.kv_index_time + write + 5us);
}

/// A value is what it is as a whole: who reads while it is overwritten gets the old one, whose space waits for him.
TEST(NvmeKv, AReaderKeepsTheOldValueAndStoresOnTheSameKeyAreWhole) {
  Rig rig{Host::quick(), true};
  const std::string old(300'000, 'o');
  ASSERT_EQ(rig.store("k", old), Status::success);
  rig.read_time = 10ms;
  const std::uint64_t there = 0x4800'0000;
  rig.put(rig.queues[1], rig.moving(KvOpcode::retrieve, "k", 300'000, there, 0x5100'0000));
  rig.ring(rig.queues[1]);
  rig.agenda.run_until(rig.agenda.now() + 100us);
  const std::string fresh(300'000, 'n');
  rig.memory.write(data_at, fresh.data(), fresh.size());
  rig.requests.clear();
  rig.put(rig.queues[1], rig.moving(KvOpcode::store, "k", 300'000, data_at, 0x5000'0000));
  rig.ring(rig.queues[1]);
  rig.agenda.run_until(rig.agenda.now() + 1ms);
  EXPECT_EQ(rig.poll(rig.queues[1]).size(), 1U);
  for (const Host::SeenRequest& r : rig.requests) EXPECT_NE(r.kind, ftl::RequestKind::trim);
  rig.agenda.run();
  EXPECT_EQ(rig.poll(rig.queues[1]).size(), 1U);
  std::string got(300'000, ' ');
  rig.memory.read(there, got.data(), got.size());
  EXPECT_EQ(got, old);
  EXPECT_EQ(rig.requests.back().kind, ftl::RequestKind::trim);
  EXPECT_EQ(rig.retrieve("k", 300'000), fresh);
  // Both want to be the first: one is.
  const auto both = [&](std::uint32_t options) {
    for (int i = 0; i < 2; ++i) rig.put(rig.queues[1], rig.moving(KvOpcode::store, "new", 4096, data_at, 0, options));
    rig.ring(rig.queues[1]);
    rig.agenda.run();
    std::vector<Status> out;
    for (const Cqe& cqe : rig.poll(rig.queues[1])) out.push_back(cqe.code());
    return out;
  };
  EXPECT_EQ(both(2), (std::vector<Status>{Status::success, Status::key_exists}));
  rig.expect_laws();
}

TEST(NvmeKv, AFullNamespaceSaysSoAndLosesNothing) {
  Rig rig{Host::quick(), false, mib};
  for (int i = 0; i < 256; ++i) EXPECT_EQ(rig.code(Rig::kv(KvOpcode::store, std::to_string(i), 4096)), Status::success);
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::store, "x", 1)), Status::capacity_exceeded);
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::store, "3", 1)), Status::capacity_exceeded);  // the new one needs room beside the old one
  for (int i = 0; i < 256; i += 2) EXPECT_EQ(rig.code(Rig::kv(KvOpcode::remove, std::to_string(i))), Status::success);
  EXPECT_EQ(rig.code(rig.moving(KvOpcode::store, "large", mib / 2, data_at, 0x5000'0000)), Status::success);  // in 128 holes
  EXPECT_EQ(rig.code(Rig::kv(KvOpcode::store, "x", 1)), Status::capacity_exceeded);
  EXPECT_EQ(rig.identify().nuse, mib);
  rig.expect_laws();
  Config grain = Host::quick();
  grain.kv_grain = 64_KiB;
  Rig coarse{grain, false, mib};
  for (int i = 0; i < 16; ++i) EXPECT_EQ(coarse.code(Rig::kv(KvOpcode::store, std::to_string(i), 1)), Status::success);
  EXPECT_EQ(coarse.code(Rig::kv(KvOpcode::store, "x", 1)), Status::capacity_exceeded);
}

/// 12,000 random commands, 64 at a time, each key in at most one of them: every byte, status, size and existence as the map says.
TEST(NvmeKv, AgainstAMapAtDepth64) {
  Config c = Host::quick();
  c.staging = 512_KiB;
  Rig rig{c, true, 3 * mib};
  rig.jitter = true;
  Random random{17, "kv"};
  std::map<std::string, std::string> oracle;
  struct Open {
    std::string key, value;
    KvOpcode op;
    std::uint32_t room, options;
    std::uint64_t at;
  };
  std::map<std::uint16_t, Open> open;
  std::set<std::string> busy;
  std::uint64_t done = 0, good = 0, full = 0;
  std::uint16_t cid = 0;
  std::deque<std::uint64_t> slots;
  for (std::uint64_t i = 0; i < 64; ++i) slots.push_back(0x4800'0000 + i * 0x4'0000);
  HostQueue& q = rig.queues[1];
  while (done < 12'000) {
    for (int tries = 0; open.size() < 64 && tries < 200; ++tries) {
      Open o{.key = "key" + std::to_string(random.below(150)), .value = {}, .op = {}, .room = 0, .options = 0, .at = 0};
      if (!busy.insert(o.key).second) continue;
      constexpr std::array ops{KvOpcode::store, KvOpcode::store, KvOpcode::retrieve, KvOpcode::retrieve, KvOpcode::remove, KvOpcode::exist};
      o.op = ops[random.below(ops.size())];
      o.at = slots.front() + random.below(1000) * 4;
      slots.pop_front();
      if (o.op == KvOpcode::store) {
        o.value.assign(random.below(random.below(4) == 0 ? 150'000 : 9'000), '\0');
        for (char& b : o.value) b = static_cast<char>(random.next());
        rig.memory.write(o.at, o.value.data(), o.value.size());
        o.room = static_cast<std::uint32_t>(o.value.size());
        o.options = static_cast<std::uint32_t>(random.below(4) == 0 ? 1 + random.below(2) : 0);
      } else {
        o.room = static_cast<std::uint32_t>(random.below(160'000));
      }
      Sqe sqe = rig.moving(o.op, o.key, o.op == KvOpcode::store || o.op == KvOpcode::retrieve ? o.room : 0, o.at,
                           0x6000'0000 + (o.at - 0x4800'0000) / 0x4'0000 * 0x2000, o.options);
      sqe.cid = ++cid;
      rig.put(q, sqe);
      open.emplace(sqe.cid, std::move(o));
    }
    rig.ring(q);
    rig.agenda.run_until(rig.agenda.now() + 20us);
    rig.requests.clear();
    rig.dmas.clear();
    rig.sent.clear();
    rig.done.clear();
    for (const Cqe& cqe : rig.poll(q)) {
      const auto found = open.find(cqe.cid);
      ASSERT_NE(found, open.end());
      const Open o = std::move(found->second);
      open.erase(found);
      busy.erase(o.key);
      slots.push_back(o.at & ~std::uint64_t{0x3'ffff});
      const auto entry = oracle.find(o.key);
      const bool there = entry != oracle.end();
      Status expected = there || o.op == KvOpcode::store ? Status::success : Status::key_does_not_exist;
      if (o.op == KvOpcode::store && o.options == 1 && !there) expected = Status::key_does_not_exist;
      if (o.op == KvOpcode::store && o.options == 2 && there) expected = Status::key_exists;
      if (o.op == KvOpcode::store && expected == Status::success && cqe.code() == Status::capacity_exceeded) {
        ++full;
        expected = Status::capacity_exceeded;
      }
      ASSERT_EQ(cqe.code(), expected);
      if (o.op == KvOpcode::retrieve && there) {
        ASSERT_EQ(cqe.dw0, entry->second.size());
        std::string got(std::min<std::size_t>(o.room, entry->second.size()), '\0');
        rig.memory.read(o.at, got.data(), got.size());
        ASSERT_EQ(got, entry->second.substr(0, got.size()));
      }
      if (expected == Status::success && o.op == KvOpcode::store) oracle[o.key] = o.value;
      if (expected == Status::success && o.op == KvOpcode::remove) oracle.erase(entry);
      ++done;
      good += expected == Status::success ? 1 : 0;
    }
  }
  rig.agenda.run();
  EXPECT_GT(good, done / 2);
  EXPECT_GT(full, 0U);
  rig.expect_laws();
  rig.write32(0x14, 0);
  rig.agenda.run();
  EXPECT_TRUE(rig.controller.idle());
}

/// A reset at any moment leaves each value old or new as a whole, and no space is lost.
TEST(NvmeKv, AResetInTheMiddle) {
  for (int moment = 0; moment < 40; ++moment) {
    Rig rig{Host::quick(), true};
    const std::string old(70'000, 'o'), fresh(90'000, 'n');
    for (int i = 0; i < 8; ++i) ASSERT_EQ(rig.store("k" + std::to_string(i), old), Status::success);
    rig.memory.write(data_at, fresh.data(), fresh.size());
    for (int i = 0; i < 8; ++i) {
      const std::string key = "k" + std::to_string(i);
      rig.put(rig.queues[1], i % 4 == 3 ? Rig::kv(KvOpcode::remove, key) : rig.moving(KvOpcode::store, key, 90'000, data_at, 0x5000'0000));
    }
    rig.ring(rig.queues[1]);
    rig.agenda.run_until(rig.agenda.now() + moment * 500ns);
    rig.write32(0x14, 0);
    rig.agenda.run();
    EXPECT_TRUE(rig.controller.idle()) << moment;
    rig.up(6);
    std::uint64_t used = 0;
    for (int i = 0; i < 8; ++i) {
      const std::string got = rig.retrieve("k" + std::to_string(i), 100'000);
      EXPECT_TRUE(got == old || got == (i % 4 == 3 ? "?" : fresh)) << moment;
      if (got != "?") used += ceil_div(got.size(), 4096) * 4096;
    }
    EXPECT_EQ(rig.identify().nuse, used);
    rig.expect_laws();
  }
}

}  // namespace
}  // namespace flashpath::nvme::test
