// SPDX-License-Identifier: Apache-2.0
// SMART / health information: every field from its cause, warnings as they come and go, their events, the thresholds.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint32_t retain = 1U << 15U;

struct Drive : Host {
  explicit Drive(const Config& config = quick()) : Host{config} {
    controller.outside.health = Delegate<ftl::Health()>::to<&Drive::get>(this);
    bring_up();
  }
  ftl::Health get() { return health; }
  Status log(std::uint32_t page, std::uint32_t bytes, std::uint32_t flags = 0, std::uint32_t cdw11 = 0) {
    return admin_command(
               {.opcode = 0x02, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = page | flags | ((bytes / 4 - 1) << 16U), .cdw11 = cdw11})
        .code();
  }
  SmartLog smart(std::uint32_t flags = 0) {
    EXPECT_EQ(log(2, 512, flags), Status::success);
    return memory.at<SmartLog>(data_at);
  }
  void set(Feature f, std::uint32_t value) {
    EXPECT_EQ(admin_command({.opcode = 0x09, .cdw10 = static_cast<std::uint32_t>(f), .cdw11 = value}).code(), Status::success);
  }
  void change(const ftl::Health& h) {
    health = h;
    controller.health_changed(agenda.now());
    agenda.run();
  }
  void wait_for_events(int n) {
    for (int i = 0; i < n; ++i) put(admin, {.opcode = 0x0c, .cid = static_cast<std::uint16_t>(0x700 + i)});
    ring(admin);
    agenda.run();
  }
  std::vector<std::uint32_t> events() {
    agenda.run();
    std::vector<std::uint32_t> out;
    for (const Cqe& cqe : poll(admin)) {
      EXPECT_EQ(cqe.cid & 0xff00, 0x700);
      out.push_back(cqe.dw0);
    }
    return out;
  }
  ftl::Health health;
};

TEST(NvmeSmart, FieldsComeFromTheFlash) {
  Drive drive;
  SmartLog log = drive.smart();
  EXPECT_EQ(log.critical_warning, 0U);
  EXPECT_EQ(log.available_spare, 100U);
  EXPECT_EQ(log.available_spare_threshold, 10U);
  EXPECT_EQ(log.percentage_used, 0U);
  EXPECT_EQ(log.composite_temperature[0] | log.composite_temperature[1] << 8, 310);
  drive.health.spare = 43;
  drive.health.percentage_used = 117;
  log = drive.smart();
  EXPECT_EQ(log.available_spare, 43U);
  EXPECT_EQ(log.percentage_used, 117U);
  drive.health.percentage_used = 300;
  EXPECT_EQ(drive.smart().percentage_used, 255U);
}

TEST(NvmeSmart, EachWarningHasItsCause) {
  Drive drive;
  const auto warnings = [&](const ftl::Health& h) {
    drive.health = h;
    return drive.smart().critical_warning;
  };
  EXPECT_EQ(warnings({.spare = 10}), 0U);  // at the threshold: not below it
  EXPECT_EQ(warnings({.spare = 9}), warning::spare);
  EXPECT_EQ(warnings({.degraded = true}), warning::degraded);
  EXPECT_EQ(warnings({.read_only = true}), warning::read_only);
  EXPECT_EQ(warnings({.backup_failed = true}), warning::backup_failed);
  EXPECT_EQ(warnings({.spare = 0, .read_only = true, .degraded = true}), warning::spare | warning::read_only | warning::degraded);
  EXPECT_EQ(drive.smart().endurance_group_critical_warning, warning::spare | warning::read_only | warning::degraded);
  Config c = Host::quick();
  c.spare_threshold = 50;
  Drive other{c};
  other.health.spare = 49;
  EXPECT_EQ(other.smart().critical_warning, warning::spare);
  EXPECT_EQ(other.smart().available_spare_threshold, 50U);
}

TEST(NvmeSmart, TemperatureIsConfiguredAndItsThresholdsCanBeSet) {
  Config c = Host::quick();
  c.temperature = 333;
  c.warning_temperature = 340;
  c.critical_temperature = 350;
  Drive drive{c};
  const auto id = drive.memory.at<IdentifyController>(0x40000);
  EXPECT_EQ(id.wctemp, 340U);
  EXPECT_EQ(id.cctemp, 350U);
  const auto get = [&](std::uint32_t selector, std::uint32_t select = 0) {
    return drive.admin_command({.opcode = 0x0a, .cdw10 = 4 | select << 8U, .cdw11 = selector});
  };
  EXPECT_EQ(get(0).dw0, 340U);  // over
  EXPECT_EQ(get(1U << 20U).dw0, 0U);
  EXPECT_EQ(get(1U << 16U).code(), Status::invalid_field);    // a sensor there is not
  EXPECT_EQ(get(0xfU << 16U).code(), Status::invalid_field);  // all: only to set
  EXPECT_EQ(get(2U << 20U).code(), Status::invalid_field);
  EXPECT_EQ(get(0, 3).dw0, 4U);  // changeable
  EXPECT_EQ(drive.smart().critical_warning, 0U);
  drive.set(Feature::temperature_threshold, 334);
  EXPECT_EQ(drive.smart().critical_warning, 0U);
  drive.set(Feature::temperature_threshold, 333);
  EXPECT_EQ(drive.smart().critical_warning, warning::temperature);
  EXPECT_EQ(get(0, 1).dw0, 340U);
  drive.set(Feature::temperature_threshold, 400 | 0xfU << 16U);
  EXPECT_EQ(drive.smart().critical_warning, 0U);
  drive.set(Feature::temperature_threshold, 333 | 1U << 20U);  // under
  EXPECT_EQ(drive.smart().critical_warning, warning::temperature);
  drive.write32(0x14, 0);
  drive.bring_up();  // a reset brings the defaults back
  EXPECT_EQ(drive.smart().critical_warning, 0U);
}

TEST(NvmeSmart, HotMinutesAreCountedOnceEach) {
  Drive drive;
  const Time t = drive.agenda.now();
  drive.controller.set_temperature(343, t);
  drive.controller.set_temperature(358, t + 180s);
  drive.agenda.run_until(t + 299s);
  EXPECT_EQ(drive.smart().warning_temperature_time, 3U);
  EXPECT_EQ(drive.smart().critical_temperature_time, 1U);
  drive.agenda.run_until(t + 300s);
  EXPECT_EQ(drive.smart().critical_temperature_time, 2U);
  drive.controller.set_temperature(300, t + 301s);
  drive.agenda.run_until(t + 2 * 3600s);
  EXPECT_EQ(drive.smart().critical_temperature_time, 2U);
  EXPECT_EQ(drive.smart().warning_temperature_time, 3U);
  EXPECT_EQ(drive.smart().power_on_hours[0], 2U);
}

/// Two reads of 45 s that overlap by 15: 75 s in which the controller was busy.
TEST(NvmeSmart, BusyTimeIsTheUnionOfCommands) {
  Drive drive;
  HostQueue& q = drive.queues[1];
  drive.read_time = 45s;
  const Time t = drive.agenda.now();
  for (int i = 0; i < 2; ++i) {
    drive.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
    drive.ring(q);
    if (i == 0) drive.agenda.run_until(t + 30s);
  }
  const auto minutes_at = [&](Duration after) {
    drive.agenda.run_until(t + after);
    drive.put(drive.admin, {.opcode = 0x02, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 2U | (127U << 16U)});
    drive.ring(drive.admin);
    drive.agenda.run_until(t + after + 1ms);
    EXPECT_EQ(drive.poll(drive.admin).size(), 1U);
    return drive.memory.at<SmartLog>(data_at).controller_busy_time[0];
  };
  EXPECT_EQ(minutes_at(59s), 0U);
  EXPECT_EQ(minutes_at(61s), 1U);
  drive.poll(q);
  EXPECT_EQ(minutes_at(3600s), 1U);  // 75 s, and idle since
  drive.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
  drive.ring(q);
  EXPECT_EQ(minutes_at(3700s), 2U);  // 120 s
  drive.expect_laws();
}

TEST(NvmeSmart, WarningsTheHostWantsAreEventsOncePerKindUntilTheLogIsRead) {
  Drive drive;
  drive.set(Feature::async_event_configuration, warning::spare | warning::read_only | warning::degraded);
  drive.wait_for_events(3);
  drive.change({.backup_failed = true});  // not wanted
  EXPECT_TRUE(drive.events().empty());
  drive.change({.spare = 5});
  EXPECT_EQ(drive.events(), std::vector<std::uint32_t>{0x02'02'01});
  drive.change({.spare = 4, .read_only = true});  // another kind of the same type: waits for the log
  EXPECT_TRUE(drive.events().empty());
  drive.put(drive.admin, {.opcode = 0x02, .cid = 0x7ff, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 2U | retain | (127U << 16U)});
  drive.ring(drive.admin);
  EXPECT_EQ(drive.events().size(), 1U);  // the log alone: the event is retained
  drive.put(drive.admin, {.opcode = 0x02, .cid = 0x7ff, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 2U | (127U << 16U)});
  drive.ring(drive.admin);
  std::vector<std::uint32_t> got = drive.events();
  std::ranges::sort(got);
  EXPECT_EQ(got, (std::vector<std::uint32_t>{0, 0x02'00'01}));  // reliability
  EXPECT_EQ(drive.controller.statistics().events.value, 2U);
  drive.expect_laws();
}

TEST(NvmeSmart, AWarningThatGoesAndComesIsToldAgainAndOneThatIsThereWhenItIsAskedForToo) {
  Drive drive;
  drive.controller.set_temperature(400, drive.agenda.now());
  drive.wait_for_events(3);
  EXPECT_TRUE(drive.events().empty());
  drive.put(drive.admin, {.opcode = 0x09, .cid = 0x7ff, .cdw10 = 0x0b, .cdw11 = warning::temperature});
  drive.ring(drive.admin);
  EXPECT_EQ(drive.events().size(), 2U);
  drive.controller.set_temperature(300, drive.agenda.now());
  drive.controller.set_temperature(400, drive.agenda.now());
  EXPECT_TRUE(drive.events().empty());
  drive.put(drive.admin, {.opcode = 0x02, .cid = 0x7ff, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 2U | (127U << 16U)});
  drive.ring(drive.admin);
  EXPECT_EQ(drive.events().size(), 2U);
}

TEST(NvmeSmart, EnduranceGroupOne) {
  Drive drive;
  drive.health = {.spare = 77, .percentage_used = 5, .programmed = {2'000'000'001}};
  EXPECT_EQ(drive.io(Host::rw(IoOpcode::write, 0, 1, data_at)).code(), Status::success);
  ASSERT_EQ(drive.log(9, 512, 0, 1U << 16U), Status::success);
  const auto log = drive.memory.at<EnduranceGroupLog>(data_at);
  EXPECT_EQ(log.available_spare, 77U);
  EXPECT_EQ(log.percentage_used, 5U);
  EXPECT_EQ(log.media_units_written[0], 3U);
  EXPECT_EQ(log.data_units_written[0], 1U);
  EXPECT_EQ(log.host_write_commands[0], 1U);
  EXPECT_EQ(log.total_capacity[0], (1_GiB).count);
  EXPECT_EQ(drive.log(9, 512, 0, 0), Status::invalid_field);
  EXPECT_EQ(drive.log(9, 512, 0, 2U << 16U), Status::invalid_field);
  const auto id = drive.memory.at<IdentifyController>(0x40000);
  EXPECT_EQ(id.endgidmax, 1U);
  EXPECT_NE(id.ctratt & 1U << 4U, 0U);
}

}  // namespace
}  // namespace flashpath::nvme::test
