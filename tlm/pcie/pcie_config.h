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
#include <vector>

#include "base/config.h"
#include "base/units.h"

namespace flashpath::pcie {

/// cut_through: a burst is handed on TLP by TLP while its data still comes. store_and_forward: as published simulators of
/// drives have it: a whole message waits for its last byte, then takes whole nanoseconds of the wire, then is handed on.
enum class Forwarding : std::uint8_t { cut_through, store_and_forward };
constexpr std::string_view name_of(Forwarding f) { return f == Forwarding::cut_through ? "cut_through" : "store_and_forward"; }
inline constexpr std::array all_forwardings{Forwarding::cut_through, Forwarding::store_and_forward};
constexpr std::span<const Forwarding> all_of(const Forwarding*) { return all_forwardings; }

/// How TLPs lie in flits. fluid: as bytes at the rate of full flits; exact: each is there when the flit with its last byte is.
enum class Packing : std::uint8_t { fluid, exact };
constexpr std::string_view name_of(Packing p) { return p == Packing::fluid ? "fluid" : "exact"; }
inline constexpr std::array all_packings{Packing::fluid, Packing::exact};
constexpr std::span<const Packing> all_of(const Packing*) { return all_packings; }

/// DLLPs and SKP ordered sets below Gen6. share: a fraction of the rate, `overhead`; counted: so many per TLP of the other way.
enum class Dllps : std::uint8_t { share, counted };
constexpr std::string_view name_of(Dllps d) { return d == Dllps::share ? "share" : "counted"; }
inline constexpr std::array all_dllps{Dllps::share, Dllps::counted};
constexpr std::span<const Dllps> all_of(const Dllps*) { return all_dllps; }

/// What may pass a burst that waits for credits. strict: nothing; rules: what PCIe Base 6.x §2.4.1 allows.
enum class Ordering : std::uint8_t { strict, rules };
constexpr std::string_view name_of(Ordering o) { return o == Ordering::strict ? "strict" : "rules"; }
inline constexpr std::array all_orderings{Ordering::strict, Ordering::rules};
constexpr std::span<const Ordering> all_of(const Ordering*) { return all_orderings; }

/// What is sent again after a bad flit. standard: it and all behind it; selective: it alone.
enum class Nak : std::uint8_t { standard, selective };
constexpr std::string_view name_of(Nak n) { return n == Nak::standard ? "standard" : "selective"; }
inline constexpr std::array all_naks{Nak::standard, Nak::selective};
constexpr std::span<const Nak> all_of(const Nak*) { return all_naks; }

/// Who translates the addresses of DMA. iommu: a table walk at the root complex, cached there; ats: the device asks and caches.
enum class Translation : std::uint8_t { none, iommu, ats };
constexpr std::string_view name_of(Translation t) { return t == Translation::none ? "none" : t == Translation::iommu ? "iommu" : "ats"; }
inline constexpr std::array all_translations{Translation::none, Translation::iommu, Translation::ats};
constexpr std::span<const Translation> all_of(const Translation*) { return all_translations; }

/// Who goes next on a switch's uplink. fifo: first come, first served.
enum class Arbitration : std::uint8_t { fifo, round_robin, weighted };
constexpr std::string_view name_of(Arbitration a) {
  return a == Arbitration::fifo ? "fifo" : a == Arbitration::round_robin ? "round_robin" : "weighted";
}
inline constexpr std::array all_arbitrations{Arbitration::fifo, Arbitration::round_robin, Arbitration::weighted};
constexpr std::span<const Arbitration> all_of(const Arbitration*) { return all_arbitrations; }

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
  std::uint32_t tag_bits = 10;
  // Options, off by default.
  Bytes prefix = 0_B;
  Bytes ohc = 0_B;
  bool ecrc = false;
  Packing packing = Packing::fluid;
  Dllps dllps = Dllps::share;
  std::uint32_t ack_tlps = 4;
  std::uint32_t update_fc_tlps = 3;
  std::uint32_t skp_blocks = 371;
  std::uint32_t retimers = 0;
  Duration retimer_latency = 20ns;
  std::uint32_t completion_headers = 0;
  Bytes shared_data = 0_B;
  std::uint32_t shared_headers = 0;
  Ordering ordering = Ordering::strict;
  bool relaxed_ordering = false;
  bool id_ordering = false;
  double fber = 0;
  double burst_continuation = 0.727;
  Nak nak = Nak::standard;
  Duration replay_round_trip = 250ns;
  Duration replay_timeout = 2us;
  Bytes replay_buffer = 0_B;
  Duration retrain_time = 20us;
  std::uint32_t l0p_lanes = 0;
  Duration l0p_idle = 10us;
  Duration l0p_up = 1us;
  Duration completion_timeout = 0_ps;
  Translation translation = Translation::none;
  std::uint32_t translation_entries = 512;
  Bytes translation_page = 4_KiB;
  Duration walk_latency = 500ns;

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
        Field{"tag_bits", &C::tag_bits, "bits of a tag: 5, 8, 10 or 14 (flit mode only); at most 32, 256, 768 and 15872 tags", Known::spec,
              "PCIe Base 6.x §2.2.6.2", Range{5U, 14U}},
        Field{"prefix", &C::prefix, "TLP prefixes of each TLP, below Gen6", Known::assumed, "PCIe Base 5.0 §2.2.10: 4 B each, none needed",
              Range{0_B, 16_B}},
        Field{"ohc", &C::ohc, "orthogonal header content of each TLP in flit mode, beyond what unaligned data and failed reads need",
              Known::assumed, "PCIe Base 6.x §2.2.1: 4 B each; OHC-A1 with a PASID, OHC-C for IDE", Range{0_B, 20_B}},
        Field{"ecrc", &C::ecrc, "an end-to-end CRC of 4 B at each TLP", Known::assumed,
              "PCIe Base 6.x §2.7.1; off in the data path of drives"},
        Field{"packing", &C::packing, "flit mode: fluid, or exact: a TLP is there when the flit with its last byte is", Known::assumed,
              "PCIe Base 6.x §4.2.3.4; fluid is at most one flit off"},
        Field{"dllps", &C::dllps, "below Gen6: share (overhead), or counted (ack_tlps, update_fc_tlps, skp_blocks)", Known::assumed,
              "in flit mode DLLPs ride inside the flit"},
        Field{"ack_tlps", &C::ack_tlps, "dllps = counted: TLPs acknowledged by one ACK of 8 B the other way", Known::assumed,
              "PCIe Base 5.0 §3.6.3.1: receivers collapse ACKs; 4 to 8 seen", Range{1U, 64U}},
        Field{"update_fc_tlps", &C::update_fc_tlps, "dllps = counted: TLPs whose credits one UpdateFC of 8 B returns", Known::assumed,
              "PCIe Base 5.0 §2.6.1.2: at least every 30 us; 2 to 4 TLPs seen", Range{1U, 64U}},
        Field{"skp_blocks", &C::skp_blocks, "dllps = counted: blocks (Gen1, 2: groups of 4 symbols) between two SKP ordered sets",
              Known::spec, "PCIe Base 5.0 §4.2.7.3: 370 to 375 blocks; 1180 to 1538 symbols", Range{16U, 100'000U}},
        Field{"retimers", &C::retimers, "retimers on the way", Known::assumed, "PCIe Base 6.x §4.3: at most two", Range{0U, 2U}},
        Field{"retimer_latency", &C::retimer_latency, "of each retimer, one way", Known::assumed, "10 to 30 ns; at most 64 ns at 32 GT/s",
              Range{0_ps, 1us}},
        Field{"completion_headers", &C::completion_headers, "receiver buffer for completion headers; 0 is infinite", Known::spec,
              "PCIe Base 6.x §2.6.1, as completion_data", Range{0U, 65536U}},
        Field{"shared_data", &C::shared_data, "flit mode: data buffer shared by posted and completions, used when their own is full",
              Known::assumed, "PCIe Base 6.x §2.6.1: shared and dedicated credits", Range{0_B, 16_MiB}},
        Field{"shared_headers", &C::shared_headers, "flit mode: headers shared by all kinds, used when their own are out", Known::assumed,
              "as shared_data", Range{0U, 65536U}},
        Field{"ordering", &C::ordering, "strict: nothing passes a burst that waits; rules: what the standard allows to pass does",
              Known::assumed, "PCIe Base 6.x §2.4.1; strict is what deep buffers amount to"},
        Field{"relaxed_ordering", &C::relaxed_ordering, "ordering = rules: completions carry RO and may pass posted writes", Known::assumed,
              "PCIe Base 6.x §2.2.6.4; off in a controller after reset of its driver"},
        Field{"id_ordering", &C::id_ordering, "ordering = rules: what another requester sent may be passed", Known::assumed,
              "PCIe Base 6.x §2.2.6.4"},
        Field{"fber", &C::fber, "first-bit error rate of a lane (below Gen6: bit error rate); 0: no errors", Known::assumed,
              "PCIe Base 6.x §8: at most 1e-6; 1e-12 below Gen6", Range{0.0, 1e-3}},
        Field{"burst_continuation", &C::burst_continuation, "flit mode: chance that a burst of errors goes on by one more bit",
              Known::assumed, "fits a flit retry probability of 5e-6 at a rate of 1e-6, as PCI-SIG's introductions to PCIe 6.0 have it",
              Range{0.0, 0.95}},
        Field{"nak", &C::nak, "what a bad flit brings again: standard (it and all behind it) or selective (it alone)", Known::spec,
              "PCIe Base 6.x §4.2.3.4.2"},
        Field{"replay_round_trip", &C::replay_round_trip, "from a bad flit's (TLP's) end to the end of its replay", Known::assumed,
              "100 ns (x16) to 250 ns (x4 with a retimer)", Range{1_ps, 1ms}},
        Field{"replay_timeout", &C::replay_timeout, "the same when the NAK is lost, which is as likely as a bad flit", Known::assumed,
              "PCIe Base 5.0 §3.6.2.1: REPLAY_TIMER, some thousand symbol times", Range{1_ps, 10ms}},
        Field{"replay_buffer", &C::replay_buffer, "bytes sent and not acknowledged; 0B: enough", Known::assumed,
              "rate x round trip: 12 kB at x16", Range{0_B, 16_MiB}},
        Field{"retrain_time", &C::retrain_time, "a retrain: Recovery and back (faults = link:D@T; four replays of one flit)",
              Known::assumed, "PCIe Base 6.x §4.2.6.4: some 10 us to 64 ms", Range{1_ps, 100s}},
        Field{"l0p_lanes", &C::l0p_lanes, "flit mode: lanes that an idle link keeps (L0p), both ways; 0: all", Known::assumed,
              "PCIe Base 6.x §4.2.6.7: down to one, without Recovery", Range{0U, 8U}},
        Field{"l0p_idle", &C::l0p_idle, "idle time after which the other lanes are put to rest", Known::assumed, "a policy of the ports",
              Range{1_ps, 1s}},
        Field{"l0p_up", &C::l0p_up, "until they carry data again; the link goes on with the few meanwhile", Known::assumed,
              "about 1 us, unpublished", Range{0_ps, 1ms}},
        Field{"completion_timeout", &C::completion_timeout, "a device's read that is not answered for so long fails; 0s: never",
              Known::assumed, "PCIe Base 6.x §2.8: 50 us to 50 ms by default, up to 64 s", Range{0_ps, 64s}},
        Field{"translation", &C::translation,
              "of DMA addresses: none, iommu (at the root complex) or ats (asked for and cached by the device)", Known::assumed,
              "drives are often trusted with physical addresses"},
        Field{"translation_entries", &C::translation_entries, "pages that the translation cache holds, least recently used leaves",
              Known::assumed, "IOTLBs and ATCs have some hundred entries", Range{1U, 1U << 20U}},
        Field{"translation_page", &C::translation_page, "page of the translation: a power of two", Known::assumed,
              "4 KiB to 64 KiB with an Arm SMMU, 2 MiB where the buffer allows", Range{4_KiB, 1_GiB}},
        Field{"walk_latency", &C::walk_latency, "of a table walk; with ats the request and its answer on the link come on top",
              Known::assumed, "four dependent memory reads, partly cached", Range{0_ps, 100us}},
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
    if (credit_round_trip < 2 * one_way())
      errors.add(where + ".credit_round_trip: must be at least twice the latency" + (retimers != 0 ? ", retimers included" : ""));
    const auto most = tag_bits == 5 ? 32U : tag_bits == 8 ? 256U : tag_bits == 10 ? 768U : tag_bits == 14 ? 15872U : 0U;
    if (most == 0) errors.add(where + ".tag_bits: must be 5, 8, 10 or 14");
    else if (tags > most)
      errors.add(where + ".tags = " + print(tags) + ": " + print(tag_bits) + "-bit tags leave " + print(most) +
                 "; raise tag_bits or lower tags");
    const auto flit_only = [&](bool used, const char* key) {
      if (used && !flit()) errors.add(where + "." + key + ": only in flit mode (generation = 6)");
    };
    flit_only(tag_bits == 14, "tag_bits = 14");
    flit_only(ohc.count != 0, "ohc");
    flit_only(packing == Packing::exact, "packing = exact");
    flit_only(shared_data.count != 0, "shared_data");
    flit_only(shared_headers != 0, "shared_headers");
    flit_only(nak == Nak::selective, "nak = selective");
    flit_only(l0p_lanes != 0, "l0p_lanes");
    if (flit() && prefix.count != 0) errors.add(where + ".prefix: only below Gen6; in flit mode it is ohc");
    if (flit() && dllps == Dllps::counted) errors.add(where + ".dllps = counted: only below Gen6; in flit mode DLLPs ride inside the flit");
    if (prefix.count % 4 != 0) errors.add(where + ".prefix: must be a multiple of 4B");
    if (ohc.count % 4 != 0) errors.add(where + ".ohc: must be a multiple of 4B");
    if (l0p_lanes != 0 && (!std::has_single_bit(l0p_lanes) || l0p_lanes >= lanes))
      errors.add(where + ".l0p_lanes: must be 0, or a power of two below lanes = " + print(lanes));
    if (packing == Packing::exact && l0p_lanes != 0) errors.add(where + ".packing = exact: not together with l0p_lanes; choose one");
    if (ordering == Ordering::strict && (relaxed_ordering || id_ordering))
      errors.add(where + ".ordering = strict: relaxed_ordering and id_ordering need ordering = rules");
    power_of_two(translation_page.count, "translation_page");
    if (forwarding == Forwarding::store_and_forward && any_option())
      errors.add(
          where +
          ".forwarding = store_and_forward: sends whole messages and knows no options of the link; leave packing, dllps, shared_data, "
          "shared_headers, ordering, fber, replay_buffer and l0p_lanes at their defaults");
  }
  /// Whether the directions of the link need more than the plain arithmetic.
  constexpr bool any_option() const {
    return packing == Packing::exact || dllps == Dllps::counted || shared_data.count != 0 || shared_headers != 0 ||
           ordering == Ordering::rules || fber > 0 || replay_buffer.count != 0 || l0p_lanes != 0;
  }
  constexpr Duration one_way() const { return latency + static_cast<std::int64_t>(retimers) * retimer_latency; }
};

/// A switch: ports for drives on one side, one uplink on the other.
struct SwitchConfig {
  Duration latency = 110ns;
  Arbitration arbitration = Arbitration::fifo;
  std::string weights{};
  bool peer_to_peer = false;

  static constexpr auto schema() {
    using C = SwitchConfig;
    return std::tuple{
        Field{"latency", &C::latency, "cut-through latency, port to port, each way", Known::assumed,
              "Gen5 and Gen6 switches are sold with 100 to 120 ns", Range{0_ps, 10us}},
        Field{"arbitration", &C::arbitration, "who goes next on the uplink: fifo, round_robin (bursts) or weighted (bytes)", Known::assumed,
              "PCIe Base 6.x §6.3.3: port arbitration"},
        Field{"weights", &C::weights,
              "arbitration = weighted: shares of the ports, e.g. \"4,1\"; the last one stands for all further ports", Known::assumed,
              "equal shares unless asked for"},
        Field{"peer_to_peer", &C::peer_to_peer,
              "DMA to another drive's BAR goes from port to port, without the uplink (else it fails at the host)", Known::assumed,
              "PCIe Base 6.x §6.12: only where access control allows it"},
    };
  }

  /// The ports' shares; every mistake goes to `errors`.
  std::vector<std::uint32_t> shares(std::uint32_t ports, const std::string& where, UserErrors& errors) const;
  void check(const std::string& where, UserErrors& errors) const { shares(1, where, errors); }
};

}  // namespace flashpath::pcie
