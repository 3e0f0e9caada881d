// SPDX-License-Identifier: Apache-2.0
#include "platform/platform.h"

#include "bus/address_map.h"
#include "ftl/prepare_flash.h"

namespace flashpath::platform {

void wire_directly(tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string&) { from.bind(to); }

Drive::Drive(const sc_core::sc_module_name& name, Environment& environment, const Catalog& catalog, const Config& config, std::uint16_t n)
    : sc_module{name}, number{n} {
  link = catalog.pcie.at(config.parts.pcie)("link", environment, config.pcie, n);
  nvme = catalog.nvme.at(config.parts.nvme)("nvme", environment, config.nvme, config.ftl.capacity, n);
  ftl = catalog.ftl.at(config.parts.ftl)("ftl", environment, config.ftl, geometry_of(config.nand));
  nand = catalog.nand.at(config.parts.nand)("nand", environment, config.nand);
}

void Drive::connect(const Config& config, const Wire& wire) {
  const std::string own = name();
  wire(nvme->dma(), link->from_device(), own + "_dma");
  wire(link->to_device(), nvme->bar(), own + "_bar");
  wire(nvme->ftl_read(), ftl->in_read(), own + "_read");
  wire(nvme->ftl_write(), ftl->in_write(), own + "_write");
  wire(ftl->flash(), nand->in(), own + "_flash");
  ftl::prepare_flash(*ftl, *nand, geometry_of(config.nand), config.ftl.spare_blocks);
  nvme->on_health(Delegate<ftl::Health()>::to<&ftl::Ftl::health>(ftl.get()));
  ftl->on_health(Delegate<void(Time)>::to<&nvme::Controller::health_changed>(nvme.get()));
  nvme->media({.unit = config.ftl.mapping_unit,
               .handles = config.ftl.write_streams,
               .reclaim_unit = config.ftl.superblock_data(geometry_of(config.nand)),
               .persistent = config.ftl.gc_isolation == ftl::GcIsolation::persistent});
  nvme->on_command_done(Delegate<void(std::uint16_t, std::uint16_t, const Journey&)>::to<&Drive::command_done>(this));
}

Platform::Platform(const Config& config, const Catalog& catalog, Wire wire)
    : config_{config},
      environment_{agenda_, config.general.seed, config.general.data},
      driver_{"agenda", agenda_, config.general.run_ahead} {
  UserErrors errors;
  check_parts(catalog, config_.parts, errors);
  errors.raise_if_any();
  const auto& p = config_.parts;
  const std::size_t n = config_.general.drives;
  const bool has_switch = config_.general.pcie_switch;
  fabric_ = catalog.fabric.at(p.fabric)("fabric", environment_, config_.fabric);
  cores_ = catalog.cores.at(p.cores)("cores", environment_, config_.cores);
  bus_ = catalog.bus.at(p.bus)("bus", environment_, config_.bus);
  dram_ = catalog.dram.at(p.dram)("dram", environment_, config_.dram);
  crypto_ = catalog.crypto.at(p.crypto)("crypto", environment_, config_.crypto, has_switch ? 1 : n);
  parts_ = {fabric_.get(), cores_.get(), bus_.get(), dram_.get(), crypto_.get()};
  if (has_switch) {
    switch_ =
        std::make_unique<pcie::ModelSwitchPart>("switch", environment_, config_.pcie_switch, config_.uplink, static_cast<std::uint32_t>(n));
    parts_.push_back(switch_.get());
  }
  for (std::size_t i = 0; i < n; ++i) {
    drives_.push_back(
        std::make_unique<Drive>(("drive" + std::to_string(i)).c_str(), environment_, catalog, config_, static_cast<std::uint16_t>(i)));
    Drive& d = *drives_.back();
    parts_.insert(parts_.end(), {d.link.get(), d.nvme.get(), d.ftl.get(), d.nand.get()});
  }
  firmware_ =
      std::make_unique<firmware::Firmware>("firmware", environment_, config_.firmware, cores_->model(), static_cast<std::uint32_t>(n),
                                           config_.general.data ? &dram_->memory() : nullptr, &fabric_->journeys());
  parts_.push_back(firmware_.get());
  for (auto& d : drives_) d->firmware = firmware_.get();
  connect(wire);
}

void Platform::connect(const Wire& wire) {
  const auto masters = bus::allow(Master::core) | bus::allow(Master::nic) | bus::allow(Master::drive);
  const auto core = bus::allow(Master::core);
  wire(fabric_->mem(), bus_->add_master("fabric", Master::nic, 0), "fabric_mem");
  wire(cores_->mem(), bus_->add_master("cores", Master::core, 0), "cores_mem");
  wire(crypto_->out(), bus_->add_master("crypto", Master::drive, 0), "crypto_out");

  // Drives and NIC reach queues, rings and staging frames; the index is the cores' alone.
  wire(bus_->add_target("dram", bus::control_base, {bus::control_size}, masters), dram_->in(), "bus_dram");
  bus_->add_window("dram", bus::staging_base, 64_GiB, masters);
  bus_->add_window("dram", bus::index_base, 64_GiB, core);
  wire(bus_->add_target("fabric", bus::nic_base, {bus::nic_size}, core), fabric_->regs(), "bus_fabric");
  wire(bus_->add_target("crypto", bus::crypto_base, {bus::crypto_size}, core), crypto_->regs(), "bus_crypto");

  if (switch_) {
    wire(bus_->add_target("switch", bus::bar_base, {bus::bar_stride * drives_.size()}, core), switch_->from_host(), "bus_switch");
    wire(switch_->to_host(), crypto_->in(0), "switch_crypto");
  }
  for (std::size_t i = 0; i < drives_.size(); ++i) {
    Drive& d = *drives_[i];
    const std::string name = "drive" + std::to_string(i);
    if (switch_) {
      wire(switch_->to_device(static_cast<std::uint32_t>(i)), d.link->from_host(), "switch_" + name);
      wire(d.link->to_host(), switch_->from_device(static_cast<std::uint32_t>(i)), name + "_switch");
    } else {
      wire(bus_->add_target(name, bus::bar_base + i * bus::bar_stride, {bus::bar_stride}, core), d.link->from_host(), "bus_" + name);
      wire(d.link->to_host(), crypto_->in(i), name + "_crypto");
    }
    d.connect(config_, wire);
  }
  auto& driver = firmware_->driver();
  auto& service = firmware_->service();
  dram_->watch(driver.watch_base(), driver.watch_size(), dram::Dram::Watcher::to<&firmware::Driver::written>(&driver));
  dram_->watch(service.watch_base(), service.watch_size(), dram::Dram::Watcher::to<&firmware::KvService::written>(&service));
}

Time Platform::boot() {
  firmware_->boot(Time{}, Delegate<void(Time)>::to<&Platform::booted>(this));
  for (Time limit = Time{} + 1ms; ready_ == never && limit < Time{} + 600s; limit += 1ms) {
    run_until(limit);
    if (agenda_.empty()) break;
  }
  UserErrors errors = firmware_->failures();
  if (ready_ == never) {
    errors.add("the platform did not come up within 600 s of simulated time");
    Stall stall;
    explain(stall);
    for (const auto& line : stall.lines()) errors.add(line);
  }
  errors.raise_if_any();
  for (const Fault& fault : parse_faults(config_.general.faults, config_, errors)) faults_.push_back({.fault = fault});
  errors.raise_if_any();
  for (std::size_t i = 0; i < faults_.size(); ++i) agenda_.post<&Platform::fail>(now() + faults_[i].fault.at, this, i);
  return now();
}

void Platform::fail(Time now, std::uint64_t index) {
  const Fault& fault = faults_[index].fault;
  faults_[index].happened = true;
  Drive& drive = *drives_[fault.drive];
  if (fault.what == Fault::What::link) {
    drive.link->retrain(now);
    return;
  }
  if (fault.what == Fault::What::drive) {
    drive.nvme->fail(now);
    firmware_->drive_died(fault.drive, now);
    return;
  }
  for (std::uint32_t die = 0; die < config_.nand.channels * config_.nand.dies_per_channel; ++die) {
    if (const std::uint32_t planes = planes_of(fault, config_.nand, die); planes != 0)
      drive.nand->fail(nand::DieId{static_cast<std::uint16_t>(die)}, planes);
  }
}

void Platform::finish(Time now) {
  for (Part* part : parts_) part->finish(now);
}

namespace {
void check_use(const stats::Group& group, Laws& laws, Duration span) {
  for (const stats::Busy* busy : group.busy()) {
    laws.expect(busy->utilisation(span) <= 1.0, group.name() + "." + std::string(busy->name) + ": busy for longer than the run took");
  }
  for (const stats::Group* child : group.children()) check_use(*child, laws, span);
}
}  // namespace

void Platform::check(Laws& laws, Time now) const {
  for (const Part* part : parts_) {
    laws.about(part->name());
    part->check(laws, now);
    check_use(part->stats, laws, now - Time{});
  }
}

void Platform::explain(Stall& stall) const {
  for (const Part* part : parts_) {
    stall.about(part->name());
    part->explain(stall);
  }
}

}  // namespace flashpath::platform
