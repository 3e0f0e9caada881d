// SPDX-License-Identifier: Apache-2.0
// Parameters of one PCIe link, and of a switch.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "base/config.h"
#include "base/units.h"

namespace flashpath::pcie {

/// cut_through: a burst is handed on TLP by TLP while its data still comes. store_and_forward: as published simulators of
/// drives have it: a whole message waits for its last byte, then takes whole nanoseconds of the wire, then is handed on.
enum class Forwarding : std::uint8_t { cut_through, store_and_forward };
constexpr std::string_view name_of(Forwarding f) { return f == Forwarding::cut_through ? "cut_through" : "store_and_forward"; }
inline constexpr std::array all_forwardings{Forwarding::cut_through, Forwarding::store_and_forward};
constexpr std::span<const Forwarding> all_of(const Forwarding*) { return all_forwardings; }

struct Config {
  std::uint32_t generation = 6;
  std::uint32_t lanes = 4;
  Forwarding forwarding = Forwarding::cut_through;
  Bytes mps = 512_B;
  Bytes mrrs = 512_B;
  Bytes rcb = 64_B;
  Bytes completion_run = 512_B;
  Bytes write_header = 24_B;
  Bytes read_header = 24_B;
  Bytes completion_header = 20_B;
  Bytes flit_write_header = 16_B;
  Bytes flit_read_header = 16_B;
  Bytes flit_completion_header = 12_B;
  std::uint32_t overhead = 13;
  std::uint32_t flit_overhead = 2;
  Duration latency = 50ns;
  Duration fec_latency = 2ns;
  Duration credit_round_trip = 250ns;
  Bytes posted_data = 32_KiB;
  std::uint32_t posted_headers = 256;
  std::uint32_t non_posted_headers = 256;
  Bytes completion_data = 0_B;
  std::uint32_t tags = 768;

  /// Gen6 always runs in flit mode (PCIe Base 6.x §4.2.3).
  constexpr bool flit() const { return generation >= 6; }

  static constexpr auto schema() {
    using C = Config;
    constexpr auto tlp = "PCIe Base 5.0 §3.6.2.2, §2.2.1: framing 4 B, header, LCRC 4 B";
    constexpr auto flit_tlp = "PCIe Base 6.x §2.2.1: flit-mode header, no framing, no LCRC";
    return std::tuple{
        Field{"generation", &C::generation, "speed: 1 to 6; 6 is flit mode", Known::spec, "PCIe Base 6.x §1.2: 2.5, 5, 8, 16, 32, 64 GT/s",
              Range{1U, 6U}},
        Field{"lanes", &C::lanes, "lanes: 1, 2, 4, 8 or 16", Known::spec, "PCIe Base 6.x §1.2; x4 is what a U.2 or E3.S drive has",
              Range{1U, 16U}},
        Field{"forwarding", &C::forwarding,
              "cut_through: bursts are handed on TLP by TLP; store_and_forward: as whole messages in whole ns (no encoding, no tags)",
              Known::assumed, "ports begin to send before a burst has arrived; MQSim (FAST'18) sends messages"},
        Field{"mps", &C::mps, "Max_Payload_Size: data bytes of one write or completion", Known::assumed,
              "PCIe Base 6.x §7.5.3.4; Gen5 and Gen6 drives reach their data sheets only with 512 B", Range{128_B, 4096_B}},
        Field{"mrrs", &C::mrrs, "Max_Read_Request_Size: bytes asked for by one read request", Known::spec,
              "PCIe Base 6.x §7.5.3.4: 512 B after reset", Range{128_B, 4096_B}},
        Field{"rcb", &C::rcb, "Read Completion Boundary: completions of one request are cut at its multiples", Known::spec,
              "PCIe Base 6.x §2.3.1.1: 64 B or 128 B for a root complex", Range{64_B, 128_B}},
        Field{"completion_run", &C::completion_run, "most data bytes that the completer puts into one completion (and never more than mps)",
              Known::assumed, "a root complex that merges whole lines up to MPS", Range{64_B, 4096_B}},
        Field{"write_header", &C::write_header, "bytes around the data of a memory write, below Gen6", Known::spec, tlp, Range{20_B, 32_B}},
        Field{"read_header", &C::read_header, "bytes of a memory read request, below Gen6", Known::spec, tlp, Range{20_B, 32_B}},
        Field{"completion_header", &C::completion_header, "bytes around the data of a completion, below Gen6", Known::spec, tlp,
              Range{20_B, 32_B}},
        Field{"flit_write_header", &C::flit_write_header, "the same for a memory write in flit mode", Known::spec, flit_tlp,
              Range{12_B, 32_B}},
        Field{"flit_read_header", &C::flit_read_header, "the same for a read request in flit mode", Known::spec, flit_tlp,
              Range{12_B, 32_B}},
        Field{"flit_completion_header", &C::flit_completion_header, "the same for a completion in flit mode", Known::spec, flit_tlp,
              Range{12_B, 32_B}},
        Field{"overhead", &C::overhead, "DLLPs and SKP ordered sets below Gen6, in thousandths of the raw rate", Known::assumed,
              "one ACK per 4 to 8 TLPs and one UpdateFC per 2 to 4 TLPs, mostly against the data: 1 %; SKP 0.3 %", Range{0U, 200U}},
        Field{"flit_overhead", &C::flit_overhead, "SKP ordered sets in flit mode, in thousandths of the raw rate", Known::assumed,
              "PCIe Base 6.x §4.2.8; DLLPs ride inside the flit", Range{0U, 200U}},
        Field{"latency", &C::latency, "one way: propagation, PHY and controller of both ends", Known::assumed,
              "PHY and controller together take 35 to 60 ns in published cores", Range{0_ps, 10us}},
        Field{"fec_latency", &C::fec_latency, "flit mode: FEC and CRC decode, on top of the time of one flit", Known::assumed,
              "PCI-SIG on PCIe 6.0: 1 to 2 ns", Range{0_ps, 1us}},
        Field{"credit_round_trip", &C::credit_round_trip,
              "from the sending of a TLP to the return of its credit, when the receiver is never full", Known::assumed,
              "two ways of the link and the interval of UpdateFC", Range{1_ps, 100us}},
        Field{"posted_data", &C::posted_data, "receiver buffer for posted data; 16 B are one credit", Known::assumed,
              "x16 Gen6: 118 GB/s x 250 ns = 30 kB keep the line busy", Range{128_B, 16_MiB}},
        Field{"posted_headers", &C::posted_headers, "receiver buffer for posted headers", Known::assumed, "as posted_data, at MPS 128",
              Range{1U, 65536U}},
        Field{"non_posted_headers", &C::non_posted_headers, "receiver buffer for read requests", Known::assumed, "as posted_headers",
              Range{1U, 65536U}},
        Field{"completion_data", &C::completion_data, "receiver buffer for completion data; 0B is infinite", Known::spec,
              "PCIe Base 6.x §2.6.1: endpoints and root ports advertise infinite completion credits", Range{0_B, 16_MiB}},
        Field{"tags", &C::tags, "read requests that the device may have outstanding", Known::spec,
              "PCIe Base 6.x §2.2.6.2: 10-bit tags leave 768; 14-bit tags 15872", Range{1U, 15872U}},
    };
  }

  void check(const std::string& where, UserErrors& errors) const {
    const auto power_of_two = [&](std::uint64_t v, const char* key) {
      if (!std::has_single_bit(v)) errors.add(where + "." + key + ": must be a power of two");
    };
    power_of_two(lanes, "lanes");
    power_of_two(mps.count, "mps");
    power_of_two(mrrs.count, "mrrs");
    power_of_two(rcb.count, "rcb");
    power_of_two(completion_run.count, "completion_run");
    if (completion_run < rcb) errors.add(where + ".completion_run: must be at least rcb");
    if (credit_round_trip < 2 * latency) errors.add(where + ".credit_round_trip: must be at least twice the latency");
  }
};

/// A switch: ports for drives on one side, one uplink on the other.
struct SwitchConfig {
  Duration latency = 110ns;

  static constexpr auto schema() {
    using C = SwitchConfig;
    return std::tuple{
        Field{"latency", &C::latency, "cut-through latency, port to port, each way", Known::assumed,
              "Gen5 and Gen6 switches are sold with 100 to 120 ns", Range{0_ps, 10us}},
    };
  }
};

}  // namespace flashpath::pcie
