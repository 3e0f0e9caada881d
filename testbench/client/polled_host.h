// SPDX-License-Identifier: Apache-2.0
// A host with one command at a time: brings a drive up, hands it a command and polls for the completion, as the smallest
// driver would. Its memory is its own; commands carry bytes in and out.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/bare_drive.h"

namespace flashpath::client {

class PolledHost {
 public:
  /// The most that one command may move; larger ones are the caller's to split.
  static constexpr std::size_t most_data = std::size_t{16} << 20U;
  static constexpr std::size_t most_metadata = std::size_t{1} << 20U;

  struct Answer {
    bool answered = false;  ///< false: no completion in `patience`; the controller was reset
    nvme::Cqe cqe;
    Duration took{};
  };

  explicit PolledHost(const DriveConfig& config);

  /// Resets the controller (CC.EN = 0) and enables it, with one queue pair beside the admin queue. False: it does not come up.
  bool bring_up();

  /// PRPs, CID and PSDT are filled in here. `data` and `metadata` travel as the opcode's two lowest bits say.
  Answer run(nvme::Sqe sqe, bool admin, std::span<unsigned char> data, std::span<unsigned char> metadata = {},
             Duration patience = std::chrono::seconds{60});

  BareDrive& drive() { return drive_; }

 private:
  struct Queue {
    std::uint16_t id;
    std::uint64_t sq, cq;
    std::uint32_t tail = 0, head = 0;
    bool phase = true;
  };
  static constexpr std::uint32_t entries = 32;

  bool enable();
  bool dma(std::uint64_t address, unsigned char* bytes, std::size_t size, bool write);
  template <class Condition>
  bool wait(Condition condition, Time until);
  void describe(nvme::Sqe& sqe, std::size_t size);
  bool poll(Queue& queue, nvme::Cqe& cqe);
  unsigned char* at(std::uint64_t address) { return memory_.data() + address; }

  std::vector<unsigned char> memory_;
  BareDrive drive_;
  Queue admin_{}, io_{};
  std::uint16_t cid_ = 0;
  bool coming_up_ = false;
};

}  // namespace flashpath::client
