// SPDX-License-Identifier: Apache-2.0
// Which submission queue is served next, NVMe 2.0 §3.4.4. Pure: knows which queues have something to fetch, nothing else.
//
//   round robin     all queues in turn, the admin queue (id 0) among them
//   weighted        admin ▶ urgent ▶ { high, medium, low }: strictly; inside a class in turn. High, medium and low share rounds: each class may fetch as
//                   many commands as its weight says, the higher one first; a round ends when no class that has commands has any left of its weight.
//
// A queue whose fetch is under way is not ready, so a class may miss its turn: what it had left, up to one weight, it has in the next round.
//
// Bounds, while a class always has commands: in w_h + w_m + w_l fetched commands of these three it gets exactly its weight; a queue of
// n busy ones in its class is served at least once in n turns of the class. A turn fetches at most the arbitration burst.
//
// A ready set is a bitmap of two levels: finding the next queue of 65 535 looks at 2 words, and 16 at worst. It grows with the highest id seen.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace flashpath::nvme {

enum class QueueClass : std::uint8_t { urgent, high, medium, low };  ///< QPRIO, §5.5

class ReadySet {
 public:
  static constexpr std::uint32_t none = ~0U;

  bool empty() const { return count_ == 0; }
  void set(std::uint32_t id) {
    const std::size_t word = id / 64;
    if (word >= words_.size()) {
      words_.resize(word + 1);
      groups_.resize(word / 64 + 1);
    }
    const std::uint64_t bit = std::uint64_t{1} << (id % 64U);
    count_ += (words_[word] & bit) == 0 ? 1U : 0U;
    words_[word] |= bit;
    groups_[word / 64] |= std::uint64_t{1} << (word % 64U);
  }
  void clear(std::uint32_t id) {
    const std::size_t word = id / 64;
    if (word >= words_.size()) return;
    const std::uint64_t bit = std::uint64_t{1} << (id % 64U);
    count_ -= (words_[word] & bit) != 0 ? 1U : 0U;
    words_[word] &= ~bit;
    if (words_[word] == 0) groups_[word / 64] &= ~(std::uint64_t{1} << (word % 64U));
  }
  void clear() { *this = ReadySet{}; }

  /// The first id behind `last`, in a circle; `last` itself comes last. none: the set is empty.
  std::uint32_t next(std::uint32_t last) const {
    if (count_ == 0) return none;
    const std::uint32_t found = from(last + 1);
    return found != none ? found : from(0);
  }

 private:
  std::uint32_t from(std::uint32_t id) const {
    std::size_t word = id / 64;
    if (word >= words_.size()) return none;
    if (const std::uint64_t rest = words_[word] >> (id % 64U); rest != 0) return id + static_cast<std::uint32_t>(std::countr_zero(rest));
    ++word;
    for (std::size_t group = word / 64; group < groups_.size(); ++group) {
      std::uint64_t rest = groups_[group];
      if (group == word / 64) rest = rest >> (word % 64U) << (word % 64U);
      if (rest == 0) continue;
      const std::size_t found = group * 64 + static_cast<std::size_t>(std::countr_zero(rest));
      return static_cast<std::uint32_t>(found * 64 + static_cast<std::size_t>(std::countr_zero(words_[found])));
    }
    return none;
  }
  std::vector<std::uint64_t> words_;
  std::vector<std::uint64_t> groups_;  // bit per word: it is not zero
  std::uint32_t count_ = 0;
};

class Arbiter {
 public:
  struct Turn {
    std::uint32_t queue = ReadySet::none;
    std::uint32_t limit = 0;  ///< commands
  };

  /// Forgets everything; `weighted`: CC.AMS.
  void reset(bool weighted) {
    *this = Arbiter{};
    weighted_ = weighted;
  }
  /// The Arbitration feature: burst, and the weights of high, medium, low (commands, not 0-based).
  void configure(std::uint32_t burst, const std::array<std::uint32_t, 3>& weights) {
    burst_ = burst;
    weights_ = weights;
    left_ = weights;
  }

  bool empty() const {
    if (!weighted_) return !admin_ && sets_[0].empty();
    return !admin_ && sets_[0].empty() && sets_[1].empty() && sets_[2].empty() && sets_[3].empty();
  }
  void ready(std::uint32_t id, QueueClass of, bool is) {
    if (id == 0) {
      admin_ = is;
      return;
    }
    ReadySet& set = sets_[weighted_ ? static_cast<std::size_t>(of) : 0];
    if (is) set.set(id);
    else set.clear(id);
  }

  /// Whose turn it is; nothing changes until served(). `admin`, `io`: whether such queues may be served now.
  Turn next(bool admin, bool io) {
    if (!weighted_) {
      const std::uint32_t queue = io ? sets_[0].next(last_[0]) : ReadySet::none;
      const bool first = queue == ReadySet::none || queue <= last_[0];  // the admin queue lies on the way
      if (admin && admin_ && first) return {.queue = 0, .limit = burst_};
      return {.queue = queue, .limit = burst_};
    }
    if (admin && admin_) return {.queue = 0, .limit = burst_};
    if (!io) return {};
    if (!sets_[0].empty()) return {.queue = sets_[0].next(last_[0]), .limit = burst_};
    for (int round = 0; round < 2; ++round) {
      for (std::size_t c = 0; c < 3; ++c) {
        if (left_[c] != 0 && !sets_[c + 1].empty())
          return {.queue = sets_[c + 1].next(last_[c + 1]), .limit = left_[c] < burst_ ? left_[c] : burst_};
      }
      for (std::size_t c = 0; c < 3; ++c) left_[c] = weights_[c] + (left_[c] < weights_[c] ? left_[c] : weights_[c]);
    }
    return {};
  }
  void served(std::uint32_t queue, QueueClass of, std::uint32_t commands) {
    if (!weighted_) {
      last_[0] = queue;
      return;
    }
    if (queue == 0) return;
    const auto c = static_cast<std::size_t>(of);
    last_[c] = queue;
    if (c != 0) left_[c - 1] -= commands < left_[c - 1] ? commands : left_[c - 1];
  }

 private:
  bool weighted_ = false;
  bool admin_ = false;
  std::array<ReadySet, 4> sets_;  // by class; round robin: all I/O queues in the first
  std::array<std::uint32_t, 4> last_{};
  std::uint32_t burst_ = 1;
  std::array<std::uint32_t, 3> weights_{1, 1, 1};
  std::array<std::uint32_t, 3> left_{1, 1, 1};
};

}  // namespace flashpath::nvme
