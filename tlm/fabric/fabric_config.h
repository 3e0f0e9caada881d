// SPDX-License-Identifier: Apache-2.0
// The DPU's network port, the way to the clients, and the NIC's own work.
#pragma once
#include <string>
#include <tuple>

#include "base/config.h"

namespace flashpath::fabric {

struct Config {
  Rate line_rate = 800_Gbps;
  Bytes mtu = 4_KiB;
  Bytes packet_overhead = 82_B;
  Hertz message_rate = 200_MHz;
  Duration propagation = 650ns;
  Duration nic_latency = 300ns;
  Duration register_latency = 20ns;
  Bytes burst = 256_KiB;
  Bytes transmit_buffer = 1_MiB;
  Bytes receive_buffer = 1_MiB;
  std::uint32_t receive_queue = 64;
  std::uint32_t reads = 256;
  std::uint32_t connections = 4096;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"line_rate", &C::line_rate, "of the port, each direction", Known::datasheet,
              "NVIDIA Rubin platform blog: BlueField-4, 800 Gbit/s", Range{1_Gbps, 3200_Gbps}},
        Field{"mtu", &C::mtu, "payload of a packet", Known::spec, "InfiniBand 1.4 §9.2: path MTU 256 to 4096; jumbo Ethernet 9000",
              Range{256_B, 9216_B}},
        Field{"packet_overhead", &C::packet_overhead, "preamble, gap, Ethernet, IPv4, UDP, BTH, ICRC, FCS of a RoCEv2 packet", Known::spec,
              "IEEE 802.3 8+14+4+12, RFC 791 20, RFC 768 8, InfiniBand Annex A17 12+4", Range{0_B, 512_B}},
        Field{"message_rate", &C::message_rate, "messages a second, each direction", Known::assumed,
              "ConnectX-7 class NICs: 200 to 370 M messages/s", Range{Hertz{1000}, 10_GHz}},
        Field{"propagation", &C::propagation, "one way between the client's port and ours: switch and cable", Known::assumed,
              "cut-through Ethernet switch 0.5 to 0.8 us, fibre 5 ns/m", Range{0ns, 1ms}},
        Field{"nic_latency", &C::nic_latency, "of our NIC, each direction", Known::assumed,
              "RoCE round trips of 2 us less switch and host memory", Range{0ns, 100us}},
        Field{"register_latency", &C::register_latency, "access to a NIC register", Known::assumed, "on-die register bus", Range{0ns, 1us}},
        Field{"burst", &C::burst, "DMA to and from memory in pieces of this size", Known::assumed,
              "the model's grain: small against a frame, large against an event", Range{4_KiB, 16_MiB}},
        Field{"transmit_buffer", &C::transmit_buffer, "bytes asked of memory and not yet on the wire", Known::assumed,
              "covers line rate x memory latency many times", Range{4_KiB, 256_MiB}},
        Field{"receive_buffer", &C::receive_buffer, "bytes off the wire that memory has not taken", Known::assumed,
              "headroom of a lossless port; when it is full the port pauses (IEEE 802.1Qbb)", Range{4_KiB, 256_MiB}},
        Field{"receive_queue", &C::receive_queue, "messages taken from the network before the sender is held", Known::assumed,
              "a shallow switch queue", Range{1U, 65536U}},
        Field{"reads", &C::reads, "RDMA reads outstanding", Known::assumed, "16 per queue pair (mlx5 max_rd_atomic) x 16 busy queue pairs",
              Range{1U, 65536U}},
        Field{"connections", &C::connections, "queue pairs", Known::assumed, "a pod's clients x their threads", Range{1U, 1'000'000U}},
    };
  }
  void check(const std::string& where, UserErrors& errors) const {
    if (burst > transmit_buffer) errors.add(where + ".transmit_buffer: smaller than one burst (" + where + ".burst)");
    if (burst > receive_buffer) errors.add(where + ".receive_buffer: smaller than one burst (" + where + ".burst)");
  }
};

}  // namespace flashpath::fabric
