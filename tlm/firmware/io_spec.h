// SPDX-License-Identifier: Apache-2.0
// A block job in fio's vocabulary, which block it touches next, and what its data looks like.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/units.h"

namespace flashpath::firmware {

enum class Rw : std::uint8_t { read, write, rw, randread, randwrite, randrw };
constexpr bool is_random(Rw rw) { return rw == Rw::randread || rw == Rw::randwrite || rw == Rw::randrw; }
constexpr bool is_mixed(Rw rw) { return rw == Rw::rw || rw == Rw::randrw; }
constexpr bool writes(Rw rw) { return rw != Rw::read && rw != Rw::randread; }

/// One request of a list that is replayed: bytes [begin, begin + size) of the drive.
struct Access {
  std::uint64_t begin = 0;
  std::uint32_t size = 0;
  std::uint32_t line = 0;  ///< of the file it came from
  bool write = false;
};

/// As fio's options of the same names. A job runs for `ramp` + `runtime` and starts over as often as needed (time_based); without
/// a runtime it ends when it has moved `size` bytes, or made `number_ios`.
struct JobSpec {
  std::string name{"job"};
  Rw rw = Rw::randread;
  std::uint32_t rwmixread = 50;  ///< percent
  Bytes bs = 4_KiB;
  std::uint32_t iodepth = 1;
  std::uint32_t numjobs = 1;  ///< job j runs on core j % cores (numbered over all specs)
  Bytes offset{};             ///< of the region on its drive
  Bytes offset_increment{};   ///< between jobs that share a drive
  Bytes size{};               ///< of the region; 0: to the end of the drive
  Duration runtime{};
  Duration ramp{};  ///< not measured
  std::uint64_t number_ios = 0;
  std::uint64_t rate_iops = 0;  ///< of each job; 0: as fast as it goes
  std::uint64_t seed = 1;
  bool norandommap = false;  ///< false: every block once per pass, in random order; true: independent draws
  bool verify = false;       ///< data mode: every block says where and when it was written; reads check it
  /// Replayed in order, closed loop: the next one when one of `iodepth` has ended. rw, bs (set to the largest), offset and size do
  /// not count then. The list is the caller's and stays.
  const std::vector<Access>* requests = nullptr;
  std::vector<std::uint32_t> drives{};  ///< empty: all
  bool stripe = false;                  ///< false: job j uses drive drives[j % n]; true: block b lies on drive drives[b % n]
};

/// A pseudo-random permutation of [0, n): a Feistel network with cycle walking. Different for each pass.
class Shuffle {
 public:
  Shuffle() : Shuffle{1, 0} {}
  Shuffle(std::uint64_t n, std::uint64_t key) : n_{n} {
    while ((1ULL << (2 * half_)) < n) ++half_;
    for (std::uint64_t round = 0; round < keys_.size(); ++round) keys_[round] = mix64(key + round);
  }
  std::uint64_t operator()(std::uint64_t i) const {
    const std::uint64_t mask = (1ULL << half_) - 1;
    do {
      std::uint64_t left = i >> half_, right = i & mask;
      for (const std::uint64_t key : keys_) {
        const std::uint64_t next = left ^ (mix64(right + key) & mask);
        left = right;
        right = next;
      }
      i = (left << half_) | right;
    } while (i >= n_);
    return i;
  }

 private:
  std::uint64_t n_;
  std::array<std::uint64_t, 4> keys_{};  // of the rounds
  unsigned half_ = 1;
};

/// The content of a block on its drive: each 64-bit word follows from address, job and generation.
constexpr std::uint64_t pattern_word(std::uint64_t address, std::uint64_t job, std::uint64_t generation) {
  return mix64(address ^ mix64((job << 32U) ^ generation ^ 0x666c617368ULL));
}

}  // namespace flashpath::firmware
