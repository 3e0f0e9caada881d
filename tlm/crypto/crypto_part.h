// SPDX-License-Identifier: Apache-2.0
// The inline crypto engine on the DMA path: PCIe root ports in front, the interconnect behind, its registers at the side.
//
// Writes to encrypted staging frames are decrypted on their way to memory, reads of them encrypted on the way back; all
// else passes. A transfer may touch several frames: each piece uses its own frame's LBA and key. A frame whose key slot is
// empty, or a piece that is not made of 16-byte blocks, answers TLM_GENERIC_ERROR_RESPONSE and moves nothing.
// Data mode: an initiator's write buffer is never touched; the decrypted bytes go on in a payload of our own, from a pool.
// A read's bytes are encrypted in the initiator's buffer before it sees the response.
#pragma once
#include <memory>
#include <vector>

#include "crypto/aes_xts.h"
#include "crypto/crypto_model.h"
#include "crypto/frame_table.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/target_port.h"

namespace flashpath::crypto {

/// What every crypto engine looks like from outside, whatever it is made of.
///
/// Registers (absolute addresses, bus/address_map.h): frame n's entry at crypto_base + 16 n, accesses of whole entries;
/// key slot s at crypto_base + crypto_size / 2 + 128 s, 64-byte writes, reads as zero. TLM_ADDRESS_ERROR_RESPONSE outside,
/// TLM_BURST_ERROR_RESPONSE for other sizes, TLM_GENERIC_ERROR_RESPONSE for a key whose halves are equal.
class Engine : public Part {
 public:
  using Part::Part;
  using InSocket = tlm_utils::simple_target_socket<SplitPort>;
  using OutSocket = tlm_utils::simple_initiator_socket<InitiatorPort>;
  using RegisterSocket = tlm_utils::simple_target_socket<TargetPort>;

  /// From the root port of upstream link i.
  virtual InSocket& in(std::size_t i) = 0;
  virtual OutSocket& out() = 0;
  virtual RegisterSocket& regs() = 0;
};

class ModelEngine final : public Engine {
 public:
  ModelEngine(const sc_core::sc_module_name& name, Environment& environment, const Config& config, std::size_t links);

  InSocket& in(std::size_t i) override { return links_.at(i)->port.socket; }
  OutSocket& out() override { return out_.socket; }
  RegisterSocket& regs() override { return regs_.socket; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;
  void finish(Time now) override;

 private:
  struct Link {
    Link(ModelEngine& engine, std::size_t index);
    void arrived(Payload& payload, Time now) { engine.arrived(*this, payload, now); }
    ModelEngine& engine;
    SplitPort port;
    std::uint32_t inside = 0;   // requests the interconnect has not taken yet
    Ring<Payload*> held;        // arrived, not accepted
    std::vector<Order> orders;  // by drive
  };
  struct Crossing {
    Payload* payload = nullptr;    // as it came
    Payload* forwarded = nullptr;  // as it went on: the same, or our own
    Link* link = nullptr;
    void* hop = nullptr;
    Time entered{};
    Bytes crypted{};
    std::vector<unsigned char> bytes;  // of our own payload
  };

  bool inspect(const Payload& payload, Bytes& crypted) const;
  void transform(Way way, std::uint64_t address, unsigned char* bytes, Bytes size);
  void arrived(Link& link, Payload& payload, Time now);
  void copy_decrypted(Crossing& crossing);
  void forward_later(Time now, std::uint64_t crossing);
  void forward(Crossing& crossing, Time now, Time when);
  void taken(Payload& payload, Time now);
  void responded(Payload& payload, Time now);
  void respond(Time now, std::uint64_t crossing);
  Window serve_register(Payload& payload, Time at);
  tlm::tlm_response_status table_access(Payload& payload, std::uint64_t offset);
  tlm::tlm_response_status key_access(Payload& payload, std::uint64_t offset);

  Config config_;
  FrameTable frames_;
  AesXts cipher_;
  Timing decrypt_, encrypt_;
  std::vector<std::unique_ptr<Link>> links_;
  InitiatorPort out_;
  TargetPort regs_;
  Ring<Link*> sent_;  // whose requests wait for END_REQ, in order
  PayloadPool<> pool_;
  std::vector<std::unique_ptr<Crossing>> crossings_;
  std::vector<Crossing*> free_;
  Flow flow_;
  Bytes forwarded_{}, refused_bytes_{}, answered_{};

  stats::Counter bytes_in_{stats, "bytes", stats::Unit::byte, "bytes of all transfers that arrived"};
  stats::Counter decrypted_{stats, "decrypted", stats::Unit::byte, "bytes decrypted on their way to memory"};
  stats::Counter encrypted_{stats, "encrypted", stats::Unit::byte, "bytes encrypted on their way to a drive"};
  stats::Counter bypassed_{stats, "bypassed", stats::Unit::byte, "bytes passed untouched"};
  stats::Counter refused_{stats, "refused", stats::Unit::count, "transfers without a key, or not of whole blocks"};
  stats::Busy decrypt_busy_{stats, "decrypt_busy", 1, "decrypting lanes"};
  stats::Busy encrypt_busy_{stats, "encrypt_busy", 1, "encrypting lanes"};
};

}  // namespace flashpath::crypto
