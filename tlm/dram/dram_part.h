// SPDX-License-Identifier: Apache-2.0
// The DPU's memory behind a socket: bytes (sparse), timing (dram_model.h), and watches, by which a polling core learns of
// a write without polling.
#pragma once
#include <span>
#include <vector>

#include "base/delegate.h"
#include "base/sparse_memory.h"
#include "dram/dram_model.h"
#include "kernel/part.h"
#include "kernel/target_port.h"

namespace flashpath::dram {

/// What every memory looks like from outside. Reads and writes answer TLM_OK_RESPONSE; anything else, byte enables and
/// streaming widths below the length: TLM_COMMAND_ERROR / BYTE_ENABLE_ERROR / BURST_ERROR_RESPONSE. The bus decides what is memory.
/// A read payload is answered at the first byte (transfer.stream = {first, last}), a write payload when it is visible.
class Dram : public Part {
 public:
  using Part::Part;
  using Socket = tlm_utils::simple_target_socket<TargetPort>;
  /// `address` is where the write began; called at the moment it is visible.
  using Watcher = Delegate<void(std::uint64_t address, Time)>;

  virtual Socket& in() = 0;
  /// The bytes, for set-up, for firmware's functional look (as of now) and for tests; takes no time.
  virtual SparseMemory& memory() = 0;
  /// Calls `watcher` for every write that touches [base, base + size), at its visibility; ranges may not overlap each other.
  /// A write of up to 256 bytes to a watched range also becomes readable only then; all others at their arrival.
  virtual void watch(std::uint64_t base, Bytes size, Watcher watcher) = 0;
};

class ModelDram final : public Dram {
 public:
  ModelDram(const sc_core::sc_module_name& name, Environment& environment, const Config& config);

  Socket& in() override { return port_.socket; }
  SparseMemory& memory() override { return memory_; }
  void watch(std::uint64_t base, Bytes size, Watcher watcher) override;
  const Timing& timing() const { return timing_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;
  void finish(Time now) override;

 private:
  static constexpr std::size_t held_bytes = 256;
  struct Watch {
    std::uint64_t base, end;
    Watcher watcher;
  };
  struct Held {  // a write that is on its way to a watched range
    std::uint64_t address;
    std::size_t size;  // bytes to store when visible; 0: stored already
    std::uint64_t end;
    unsigned char bytes[held_bytes];
  };

  Window serve(Payload& payload, Time at);
  bool legal(Payload& payload);
  void store(const Payload& payload, const Transfer& transfer, Time visible);
  bool watched(std::uint64_t address, std::uint64_t end) const {
    if (watches_.empty() || end <= watches_.front().base || address >= watches_.back().end) return false;
    return touches_watch(address, end);
  }
  bool touches_watch(std::uint64_t address, std::uint64_t end) const;
  void visible(Time now, std::uint64_t held);

  TargetPort port_;
  Timing timing_;
  SparseMemory memory_;
  Bytes small_access_, moved_{};  // moved: in whole granules
  std::vector<Watch> watches_;    // by base
  std::vector<std::unique_ptr<Held>> held_;
  std::vector<std::size_t> held_free_;

  stats::Counter reads_{stats, "reads", stats::Unit::count, "read accesses"};
  stats::Counter writes_{stats, "writes", stats::Unit::count, "write accesses"};
  stats::Counter bytes_read_{stats, "bytes_read", stats::Unit::byte, "bytes read"};
  stats::Counter bytes_written_{stats, "bytes_written", stats::Unit::byte, "bytes written"};
  stats::Counter small_{stats, "small", stats::Unit::count, "accesses of cores that did not queue"};
  stats::Counter refused_{stats, "refused", stats::Unit::count, "illegal payloads"};
  stats::Counter queued_{stats, "queued", stats::Unit::picosecond, "time bulk accesses waited for the memory, summed"};
  stats::Busy busy_{stats, "busy", 1, "data moving on the memory channels"};
  stats::Histogram latency_{stats, "latency", "request to first byte (read) or visibility (write)"};
};

}  // namespace flashpath::dram
