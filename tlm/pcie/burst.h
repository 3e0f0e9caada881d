// SPDX-License-Identifier: Apache-2.0
// What travels over a link: a burst of TLPs of one kind, and lists of them.
#pragma once
#include "base/timeline.h"
#include "pcie/wire.h"

namespace flashpath::pcie {

enum class Kind : std::uint8_t { posted, non_posted, completion };

/// A burst on its way. The owner keeps it alive from offer() until delivered, sent and taken() have all passed.
struct Burst {
  Kind kind = Kind::posted;
  std::uint64_t address = 0;
  Bytes size;   ///< of the data; for a read request, of the data asked for
  Stream in{};  ///< when the data is there
  // Filled in by the model.
  Time offered{}, start{}, sent{};
  Stream out{};  ///< at the other end
  Load load{};
  Duration wire{};   ///< time of all its TLPs
  Duration piece{};  ///< time of one
  Duration pace{};   ///< of all, with its credits
  std::uint32_t tags = 0;
  std::uint32_t requests = 0;
  bool unsent = false;  ///< posted: `sent` is to be called; its owner may clear that in `started`, when it needs no such call
  Time asked{};         ///< a completion: when the first request started
  // Looked at only with ordering = rules, or arbitration.
  std::uint16_t port = 0;  ///< where it came in
  std::uint16_t id = 0;    ///< its requester
  bool relaxed = false;    ///< RO
  Burst* next = nullptr;
};

/// A first-in-first-out list through Burst::next.
class BurstQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  std::uint64_t size() const { return size_; }
  Burst& front() { return *head_; }
  Burst* first() const { return head_; }
  void push(Burst& b) {
    b.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &b;
    tail_ = &b;
    ++size_;
  }
  /// Takes out the one behind `before` (nullptr: the first).
  Burst& pop_behind(Burst* before) {
    if (before == nullptr) return pop();
    Burst& b = *before->next;
    before->next = b.next;
    if (tail_ == &b) tail_ = before;
    --size_;
    return b;
  }
  Burst& pop() {
    Burst& b = *head_;
    head_ = b.next;
    --size_;
    return b;
  }

 private:
  Burst* head_ = nullptr;
  Burst* tail_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace flashpath::pcie
