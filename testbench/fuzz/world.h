// SPDX-License-Identifier: Apache-2.0
// One drive behind its function port and a host that does whatever its input says: configuration space, registers of any size at any offset, commands of any content, doorbells,
// queues that come and go, resets and shutdowns at any moment, memory that stops answering, flash that cannot be read, time.
// Controller and FTL are the real models; no SystemC. A run is a function of its input.
//
// What must hold, whatever the host does: the witness has nothing to say (witness.h); the laws of controller and FTL hold; a
// controller that is left alone comes to rest within `patience` actions; then every command of a running controller is answered;
// after CC.EN = 0 it lets go of everything and CSTS.RDY falls. An MSI-X message is what the table says, and goes out only as bus master.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "ftl/ftl_model.h"
#include "fuzz/flash.h"
#include "fuzz/input.h"
#include "fuzz/witness.h"
#include "nvme/nvme_function.h"

namespace flashpath::fuzz {

class World {
 public:
  static constexpr std::uint64_t memory_base = 0x10000;
  static constexpr std::uint64_t memory_size = 1U << 20U;
  static constexpr std::uint64_t patience = 400'000;
  static constexpr std::size_t most_operations = 400;

  explicit World(Input& input);
  /// Does all of the input, lets it come to rest, resets. What went wrong, one line each; empty: nothing.
  std::vector<std::string> run();
  /// Reads and writes completed: a world in which nothing happens shows nothing.
  std::uint64_t seen() const { return seen_; }

 private:
  static constexpr std::uint32_t queues = 8;
  static constexpr std::uint64_t page_bytes = 4096;
  struct Queue {
    std::uint32_t size = 0, tail = 0, head = 0;
    bool phase = true;
  };

  static nvme::Config nvme_config(std::uint8_t choice);
  static ftl::Config ftl_config();
  static ftl::Geometry geometry();

  // the host's doings, world.cpp
  void operation();
  bool rarely() { return (input_.u8() & 7U) == 0; }  ///< what ends everything else
  void write_register();
  void bring_up(std::uint32_t entries, unsigned mps);
  void set_enable(std::uint32_t cc);
  void create_pair(std::uint32_t q, std::uint32_t size);
  void create_pairs();
  void put(std::uint32_t q, const nvme::Sqe& sqe);
  void ring(std::uint32_t q, std::uint32_t value);
  void poll(std::uint32_t q);
  void fill_memory();
  nvme::Sqe any_command(bool admin);
  nvme::Sqe data_command();
  std::uint64_t any_address();
  void pass(Duration time);
  void rest(const char* when);
  void settle();
  void configure();
  void msix_table();
  void reset_function();
  void message(std::uint64_t address, std::uint32_t data, Time now);

  // what the controller sees
  void dma(nvme::DmaRequest& r, Time now);
  void answer_dma(Time now, std::uint64_t arg);
  void ask_ftl(ftl::Request& r, Time now) { ftl_.submit(r, now); }
  void mmio(std::uint64_t offset, unsigned size, std::uint64_t value);
  std::uint32_t status() { return static_cast<std::uint32_t>(controller_.mmio_read(0x1c, 4)); }

  std::uint64_t sq_at(std::uint32_t q) const { return memory_base + std::uint64_t{q} * 2 * page_bytes; }
  std::uint64_t cq_at(std::uint32_t q) const { return sq_at(q) + page_bytes; }
  unsigned char* at(std::uint64_t address, std::uint64_t size);

  Input& input_;
  const std::uint8_t choice_;
  Random random_{1, "fuzz"};  // latencies
  Agenda agenda_;
  stats::Group group_{"nvme"};
  const nvme::Config config_;
  Flash flash_;
  ftl::FtlModel ftl_;
  nvme::ControllerModel controller_;
  nvme::NvmeFunction function_;
  Witness witness_;
  std::vector<unsigned char> memory_;
  std::array<Queue, queues + 1> queue_{};
  std::uint64_t bad_begin_ = 0, bad_end_ = 0;  // memory that does not answer
  std::uint16_t next_cid_ = 0;
  bool dead_ = false;
  std::uint64_t seen_ = 0;
};

}  // namespace flashpath::fuzz
