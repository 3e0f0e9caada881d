// SPDX-License-Identifier: Apache-2.0
#include "client/polled_host.h"

#include <algorithm>
#include <cstring>

namespace flashpath::client {
namespace {
// The host's memory: queues, PRP lists, metadata, data.
constexpr std::uint64_t page = 4096;
constexpr std::uint64_t admin_sq = 1 * page, admin_cq = 2 * page, io_sq = 3 * page, io_cq = 4 * page, lists = 8 * page;
constexpr std::uint64_t metadata_at = std::uint64_t{1} << 20U, data_at = metadata_at + PolledHost::most_metadata;
constexpr std::uint64_t memory_size = data_at + PolledHost::most_data;
constexpr std::uint64_t entries_per_list = page / 8;

constexpr std::uint64_t reg_cc = 0x14, reg_csts = 0x1c, reg_aqa = 0x24, reg_asq = 0x28, reg_acq = 0x30;
constexpr std::uint32_t csts_ready = 1, csts_fatal = 2;
}  // namespace

PolledHost::PolledHost(const DriveConfig& config) : memory_(memory_size), drive_{config, BareDrive::Dma::to<&PolledHost::dma>(this)} {}

bool PolledHost::dma(std::uint64_t address, unsigned char* bytes, std::size_t size, bool write) {
  if (address > memory_size || size > memory_size - address) return false;
  if (bytes == nullptr) return true;
  if (write) std::memcpy(at(address), bytes, size);
  else std::memcpy(bytes, at(address), size);
  return true;
}

template <class Condition>
bool PolledHost::wait(Condition condition, Time until) {
  while (!condition()) {
    const Time next = drive_.next_event();
    if (next > until) return false;  // `never` included
    drive_.run_until(next);
  }
  return true;
}

bool PolledHost::bring_up() {
  coming_up_ = true;
  const bool up = enable();
  coming_up_ = false;
  return up;
}

bool PolledHost::enable() {
  const auto patience = std::chrono::seconds{60};
  const auto status = [this] { return static_cast<std::uint32_t>(drive_.read_register(reg_csts, 4)); };
  admin_ = {.id = 0, .sq = admin_sq, .cq = admin_cq};
  io_ = {.id = 1, .sq = io_sq, .cq = io_cq};
  std::memset(at(0), 0, lists);
  drive_.write_register(reg_cc, 4, 0);
  if (!wait([&] { return (status() & csts_ready) == 0; }, drive_.now() + patience)) return false;
  drive_.write_register(reg_aqa, 4, (entries - 1) | ((entries - 1) << 16U));
  drive_.write_register(reg_asq, 8, admin_.sq);
  drive_.write_register(reg_acq, 8, admin_.cq);
  drive_.write_register(reg_cc, 4, nvme::Cc::make(true).raw);
  if (!wait([&] { return (status() & (csts_ready | csts_fatal)) != 0; }, drive_.now() + patience)) return false;
  if ((status() & csts_fatal) != 0) return false;
  // Number of Queues, then the pair. The addresses go in by hand: these commands carry no data.
  const auto done = [this](nvme::Sqe sqe) {
    const Answer a = run(sqe, true, {});
    return a.answered && a.cqe.code() == nvme::Status::success;
  };
  const std::uint32_t size_and_id = 1U | ((entries - 1) << 16U);
  return done({.opcode = 0x09, .cdw10 = 7}) && done({.opcode = 0x05, .prp1 = io_.cq, .cdw10 = size_and_id, .cdw11 = 1}) &&
         done({.opcode = 0x01, .prp1 = io_.sq, .cdw10 = size_and_id, .cdw11 = 1U | (1U << 16U)});
}

/// PRPs of `size` bytes at data_at; lists are chained: the last entry of a full one points to the next.
void PolledHost::describe(nvme::Sqe& sqe, std::size_t size) {
  sqe.prp1 = data_at;
  const std::uint64_t pages = (size + page - 1) / page;
  if (pages <= 1) return;
  if (pages == 2) {
    sqe.prp2 = data_at + page;
    return;
  }
  sqe.prp2 = lists;
  std::uint64_t slot = lists;
  for (std::uint64_t i = 1; i < pages; ++i) {
    if ((slot + 8) % page == 0 && i + 1 < pages) {
      const std::uint64_t next = slot + 8;
      std::memcpy(at(slot), &next, 8);
      slot = next;
    }
    const std::uint64_t entry = data_at + i * page;
    std::memcpy(at(slot), &entry, 8);
    slot += 8;
  }
  static_assert(lists + (most_data / page / (entries_per_list - 1) + 1) * page <= metadata_at);
}

bool PolledHost::poll(Queue& queue, nvme::Cqe& cqe) {
  std::memcpy(&cqe, at(queue.cq + queue.head * sizeof cqe), sizeof cqe);
  if (cqe.phase() != queue.phase) return false;
  if (++queue.head == entries) {
    queue.head = 0;
    queue.phase = !queue.phase;
  }
  drive_.write_register(nvme::cq_head_doorbell(queue.id), 4, queue.head);
  return true;
}

PolledHost::Answer PolledHost::run(nvme::Sqe sqe, bool admin, std::span<unsigned char> data, std::span<unsigned char> metadata,
                                   Duration patience) {
  Queue& queue = admin ? admin_ : io_;
  const std::size_t size = std::min(data.size(), most_data), extra = std::min(metadata.size(), most_metadata);
  const bool to_drive = (sqe.opcode & 1U) != 0, from_drive = (sqe.opcode & 2U) != 0;
  sqe.cid = ++cid_;
  sqe.flags &= 0x3fU;
  if (size != 0) {
    describe(sqe, size);
    std::memset(at(data_at), 0, size);
    if (to_drive) std::copy_n(data.data(), size, at(data_at));
  }
  if (extra != 0) {
    sqe.mptr = metadata_at;
    if (to_drive) std::copy_n(metadata.data(), extra, at(metadata_at));
  }
  const Time begin = drive_.now();
  std::memcpy(at(queue.sq + queue.tail * sizeof sqe), &sqe, sizeof sqe);
  queue.tail = queue.tail + 1 == entries ? 0 : queue.tail + 1;
  drive_.write_register(nvme::sq_tail_doorbell(queue.id), 4, queue.tail);
  Answer answer;
  // A completion of an earlier command (one that was given up) is passed over.
  answer.answered = wait([&] { return poll(queue, answer.cqe) && answer.cqe.cid == sqe.cid; }, begin + patience);
  answer.took = drive_.now() - begin;
  if (!answer.answered) {
    if (!coming_up_) bring_up();
    return answer;
  }
  if (from_drive) {
    std::copy_n(at(data_at), size, data.data());
    std::copy_n(at(metadata_at), extra, metadata.data());
  }
  return answer;
}

}  // namespace flashpath::client
