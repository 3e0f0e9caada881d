// SPDX-License-Identifier: Apache-2.0
// What travels over a socket: a TLM-2.0 generic payload with one extension of ours, from a pool.
//
// Two data modes. In *data* mode the payload's data pointer holds real bytes. In *timing* mode bulk data does
// not move: `carries_data` is false, the pointer shows to a shared scratch area of sufficient size (so that the
// payload stays legal), and nobody reads or writes through it. Control structures (SQEs, CQEs, PRP lists,
// doorbells, capsules) carry their bytes in both modes.
#pragma once
#include <memory>
#include <tlm>
#include <typeinfo>
#include <vector>

#include "base/journey.h"
#include "base/timeline.h"
#include "base/units.h"

namespace flashpath {

using Payload = tlm::tlm_generic_payload;

/// Who makes an access: decides which windows of the bus it may reach.
enum class Master : std::uint8_t { none, core, nic, drive, debug };

struct Transfer : tlm::tlm_extension<Transfer> {
  Journey journey;  ///< of the request (or its piece) this transfer works for
  Stream stream{};  ///< when the bytes are there; first == last where they do not stream
  bool carries_data = true;
  Master master = Master::none;
  std::uint16_t source = 0;  ///< which one: drive number, core number
  void* owner = nullptr;     ///< the initiator's own
  std::uint64_t tag = 0;     ///< the initiator's own
  std::uint64_t tag2 = 0;    ///< the initiator's own
  Time entered{};            ///< free for whoever holds the payload at the moment
  void* hop = nullptr;       ///< free for a router between its two sides; it puts back what it found
  bool pooled = false;

  tlm_extension_base* clone() const override { return new Transfer(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const Transfer&>(other); }
  void free() override {
    if (!pooled) delete this;
  }
};

/// A payload of a PayloadPool: the generic payload and what it carries, side by side, so that nobody has to look for it. For
/// everybody else they are its extensions as usual.
struct PooledPayload final : Payload {
  explicit PooledPayload(tlm::tlm_mm_interface* mm) : Payload{mm} {
    transfer.pooled = true;
    set_extension(&transfer);
  }
  ~PooledPayload() override { clear_extension(&transfer); }
  Transfer transfer;
  void* item = nullptr;  ///< of its pool
  unsigned further_id = ~0U;
  tlm::tlm_extension_base* further = nullptr;  ///< the first of the pool's extra extensions
};
inline bool is_pooled(const Payload& payload) { return &typeid(payload) == &typeid(PooledPayload); }

/// Attaches one to a payload that came from outside without.
Transfer& attach_transfer(Payload& payload);

/// The payload's extension; one is attached if it came from outside without.
inline Transfer& transfer_of(Payload& payload) {
  if (is_pooled(payload)) [[likely]]
    return static_cast<PooledPayload&>(payload).transfer;
  return attach_transfer(payload);
}

/// Any other extension; nullptr if the payload carries none.
template <class Extension>
Extension* extension_of(Payload& payload) {
  if (is_pooled(payload)) [[likely]] {
    auto& pooled = static_cast<PooledPayload&>(payload);
    if (pooled.further_id == Extension::ID) [[likely]]
      return static_cast<Extension*>(pooled.further);
  }
  return payload.get_extension<Extension>();
}

/// A scratch area for payloads without bytes. Its content means nothing.
struct Scratch {
  static inline unsigned char first[64];
  static inline unsigned char* area = first;
  static inline std::size_t size = sizeof first;
  static void grow(std::size_t at_least);
};
inline unsigned char* no_bytes(std::size_t at_least) {
  if (at_least > Scratch::size) [[unlikely]]
    Scratch::grow(at_least);
  return Scratch::area;
}

inline Bytes size_of(const Payload& payload) { return {payload.get_data_length()}; }

/// Payloads with their extensions, recycled; nothing is allocated in steady state. `Extra` are further
/// extensions that every payload of this pool carries (`extension_of<FlashCommand>(payload)`).
template <class... Extra>
class PayloadPool : public tlm::tlm_mm_interface {
 public:
  PayloadPool() = default;
  PayloadPool(const PayloadPool&) = delete;
  PayloadPool& operator=(const PayloadPool&) = delete;
  ~PayloadPool() override = default;

  /// A fresh payload with one reference (the caller's); release() it when its response has been used.
  Payload& take(tlm::tlm_command command, std::uint64_t address, Bytes size, unsigned char* data = nullptr) {
    PooledPayload& p = take(command, address, size, data, Journey{}, Stream{}, Master::none, 0);
    p.transfer.owner = nullptr;
    p.transfer.hop = nullptr;
    return p;
  }
  /// The same with the journey and stream it is to have; `owner` and `hop` are left to the caller.
  PooledPayload& take(tlm::tlm_command command, std::uint64_t address, Bytes size, unsigned char* data, const Journey& journey,
                      Stream stream, Master master, std::uint16_t source) {
    if (free_.empty()) [[unlikely]]
      grow();
    PooledPayload& p = free_.back()->payload;
    free_.pop_back();
    ++out_;
    Transfer& t = p.transfer;
    t.journey = journey;
    t.stream = stream;
    t.carries_data = data != nullptr;
    t.master = master;
    t.source = source;
    t.tag = t.tag2 = 0;
    p.acquire();
    p.set_command(command);
    p.set_address(address);
    p.set_data_length(static_cast<unsigned>(size.count));
    p.set_streaming_width(static_cast<unsigned>(size.count));
    p.set_data_ptr(data != nullptr ? data : no_bytes(size.count));
    p.set_byte_enable_ptr(nullptr);
    p.set_dmi_allowed(false);
    p.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    return p;
  }
  /// Payloads handed out and not returned: zero at the end of a drained run.
  std::size_t outstanding() const { return out_; }

  void free(Payload* payload) override {
    --out_;
    free_.push_back(static_cast<Item*>(static_cast<PooledPayload*>(payload)->item));
  }

 private:
  struct Item {
    explicit Item(tlm::tlm_mm_interface* mm) : payload{mm} {
      payload.item = this;
      std::apply([this](auto&... e) { (attach(e), ...); }, extra);
    }
    ~Item() {
      std::apply([this](auto&... e) { (payload.clear_extension(&e), ...); }, extra);
    }
    template <class Extension>
    void attach(Extension& e) {
      payload.set_extension(&e);
      if (payload.further != nullptr) return;
      payload.further = &e;
      payload.further_id = Extension::ID;
    }
    std::tuple<Extra...> extra;
    PooledPayload payload;
  };
  void grow() {
    items_.push_back(std::make_unique<Item>(this));
    free_.push_back(items_.back().get());
  }
  std::vector<std::unique_ptr<Item>> items_;
  std::vector<Item*> free_;
  std::size_t out_ = 0;
};

}  // namespace flashpath
