// SPDX-License-Identifier: Apache-2.0
// What a burst costs on the wire: how many TLPs, how many bytes, how long. Pure arithmetic, O(1) per burst.
//
//   TLPs of a write       per 4 KiB page touched (PCIe Base 6.x §2.2.7): ceil(bytes in it / MPS)
//   read requests         per 4 KiB page touched: ceil(bytes in it / MRRS)
//   completions           per request of n bytes at a, R = min(MPS, completion_run): 1 if n <= R; else the first ends at the
//                         last RCB boundary below a + R and the others carry R each (§2.3.1.1)
//   bytes                 data + TLPs x header
//   time                  bytes x 8 / (lanes x GT/s) x encoding / (1 - overhead), rounded up once to 1 ps
//   header                as configured, + prefix or ohc, + 4 with ecrc; flit mode: + 4 (OHC-A1) for the first and last TLP of a request
//                         that is not aligned to 4 B, + 4 (OHC-A5) for the completion that begins there, or has an error status
//   DLLPs counted         Gen1 to 5: no share; instead bytes x (skp_blocks + 1) / skp_blocks, and 8 B per ACK and UpdateFC (options.h)
//   encoding              Gen1, 2: 10/8; Gen3 to 5: 130/128; Gen6: 256/236 (236 TLP bytes in a flit of 256)
//
// As messages (forwarding = store_and_forward), for comparison with simulators that have them:
//   TLPs                  ceil(bytes / MPS); a read of any size is one request
//   time                  ceil(wire bytes / lanes) / lane rate, truncated to whole nanoseconds; no encoding, no overhead
//
// Not modelled: IDE, padding of unaligned data to 4 B.
#pragma once
#include <algorithm>
#include <bit>
#include <numeric>

#include "pcie/pcie_config.h"

namespace flashpath::pcie {

/// What a burst puts on the wire.
struct Load {
  std::uint64_t tlps = 0;
  Bytes data;  ///< payload
  Bytes wire;  ///< payload and headers
};

inline constexpr Bytes page = 4_KiB;  ///< no request crosses a multiple of it
inline constexpr Bytes flit_bytes = 256_B;
inline constexpr Bytes flit_tlp_bytes = 236_B;

/// Raw rate of one direction: lanes x GT/s / 8.
constexpr Rate raw_rate(std::uint32_t generation, std::uint32_t lanes) {
  constexpr std::uint64_t per_lane[] = {312'500'000, 625'000'000, 1'000'000'000, 2'000'000'000, 4'000'000'000, 8'000'000'000};
  return {per_lane[std::clamp(generation, 1U, 6U) - 1U] * lanes};
}

class Wire {
 public:
  constexpr explicit Wire(const Config& c)
      : write_header_{(c.flit() ? c.flit_write_header + c.ohc : c.write_header + c.prefix) + digest(c)},
        read_header_{(c.flit() ? c.flit_read_header + c.ohc : c.read_header + c.prefix) + digest(c)},
        completion_header_{(c.flit() ? c.flit_completion_header + c.ohc : c.completion_header + c.prefix) + digest(c)},
        mps_{c.mps},
        mrrs_{c.mrrs},
        rcb_{c.rcb},
        run_{std::min({c.mps, c.completion_run})},
        lanes_{c.lanes},
        lane_rate_{raw_rate(c.generation, 1)},
        messages_{c.forwarding == Forwarding::store_and_forward},
        odd_{c.flit() && !messages_ ? 3U : 0U} {
    if (messages_) {
      latency_ = c.one_way();
      return;
    }
    const std::uint64_t coded = c.generation <= 2 ? 10 : c.flit() ? flit_bytes.count : 130;
    const std::uint64_t useful = c.generation <= 2 ? 8 : c.flit() ? flit_tlp_bytes.count : 128;
    const std::uint64_t lost = c.flit() ? c.flit_overhead : c.dllps == Dllps::share ? c.overhead : 0;
    num_ = 1'000'000'000'000U * coded;
    den_ = raw_rate(c.generation, c.lanes).bytes_per_second * useful;
    reduce();
    num_ *= 1000U;
    den_ *= 1000U - lost;
    reduce();
    if (!c.flit() && c.dllps == Dllps::counted) {
      num_ *= c.skp_blocks + 1U;
      den_ *= c.skp_blocks;
      reduce();
    }
    flit_time_ = flit_bytes / raw_rate(c.generation, c.lanes);
    latency_ = c.one_way() + (c.flit() ? c.fec_latency + flit_time_ : Duration{});
    full_write_ = time(mps_ + write_header_);
    full_completion_ = time(run_ + completion_header_);
    request_ = time(read_header_);
  }

  /// A memory write of `size` bytes (at least 1) at `address`.
  constexpr Load write(std::uint64_t address, Bytes size) const {
    const std::uint64_t n = per_page(address, size.count, mps_.count);
    return {.tlps = n, .data = size, .wire = size + n * write_header_ + byte_enables(address, size, mps_)};
  }
  /// The requests of a memory read.
  constexpr Load read(std::uint64_t address, Bytes size) const {
    const std::uint64_t n = per_page(address, size.count, mrrs_.count);
    return {.tlps = n, .data = {}, .wire = n * read_header_ + byte_enables(address, size, mrrs_)};
  }
  /// The completions of a memory read; size 0: one without data (an unsupported request), whose status needs OHC-A5 in flit mode.
  constexpr Load completion(std::uint64_t address, Bytes size) const {
    if (size.count == 0) return {.tlps = 1, .data = {}, .wire = completion_header_ + Bytes{odd_ != 0 ? 4U : 0U}};
    const std::uint64_t n = completions(address, size.count);
    return {.tlps = n, .data = size, .wire = size + n * completion_header_ + Bytes{(address & odd_) != 0 ? 4U : 0U}};
  }

  /// Whether bursts go as whole messages; then only message() and message_time() count.
  constexpr bool messages() const { return messages_; }
  constexpr Load write_message(Bytes size) const { return message(size, write_header_); }
  constexpr Load read_message() const { return {.tlps = 1, .data = {}, .wire = read_header_}; }
  constexpr Load completion_message(Bytes size) const { return message(size, completion_header_); }
  constexpr Duration message_time(Bytes wire) const {
    const std::uint64_t nanoseconds = ceil_div(wire.count, lanes_) * 1'000'000'000U / lane_rate_.bytes_per_second;
    return Duration{static_cast<std::int64_t>(nanoseconds * 1000U)};
  }

  /// How long `wire` bytes of TLPs occupy the link.
  constexpr Duration time(Bytes wire) const { return Duration{static_cast<std::int64_t>(ceil_div(wire.count * num_, den_))}; }
  /// From the last bit sent to the TLP handed on: link latency; in flit mode also FEC, and one flit that must be complete.
  constexpr Duration latency() const { return latency_; }
  constexpr Duration flit_time() const { return flit_time_; }
  /// Picoseconds per byte of TLPs, as a fraction.
  constexpr std::uint64_t numerator() const { return num_; }
  constexpr std::uint64_t denominator() const { return den_; }
  // Bytes of one TLP of full size.
  constexpr Bytes write_bytes() const { return mps_ + write_header_; }
  constexpr Bytes completion_bytes() const { return run_ + completion_header_; }
  constexpr Bytes request_bytes() const { return read_header_; }
  // How long one TLP of full size takes.
  constexpr Duration full_write() const { return full_write_; }
  constexpr Duration full_completion() const { return full_completion_; }
  constexpr Duration one_request() const { return request_; }

 private:
  constexpr Load message(Bytes size, Bytes header) const {
    const std::uint64_t n = std::max<std::uint64_t>(1, ceil_div(size.count, mps_.count));
    return {.tlps = n, .data = size, .wire = size + n * header};
  }
  static constexpr Bytes digest(const Config& c) { return c.ecrc ? 4_B : 0_B; }
  /// Flit mode: a request that does not begin and end at multiples of 4 has its byte enables in OHC-A1 (§2.2.5.1).
  constexpr Bytes byte_enables(std::uint64_t address, Bytes size, Bytes most) const {
    if (((address | size.count) & odd_) == 0) return {};
    const std::uint64_t end = address + size.count;
    const bool first = (address & 3U) != 0, last = (end & 3U) != 0;
    if (per_page(address, size.count, most.count) == 1) return Bytes{4};
    return Bytes{(first ? 4U : 0U) + (last ? 4U : 0U)};
  }
  constexpr void reduce() {
    const std::uint64_t g = std::gcd(num_, den_);
    num_ /= g;
    den_ /= g;
  }
  /// Pieces of at most `most` (a power of two up to 4096) bytes that do not cross a page.
  static constexpr std::uint64_t per_page(std::uint64_t address, std::uint64_t size, std::uint64_t most) {
    const auto shift = static_cast<unsigned>(std::countr_zero(most));
    const auto pieces = [&](std::uint64_t n) { return (n + most - 1) >> shift; };
    const std::uint64_t first = std::min(size, page.count - address % page.count);
    const std::uint64_t rest = size - first;
    return pieces(first) + rest / page.count * (page.count >> shift) + pieces(rest % page.count);
  }
  constexpr std::uint64_t of_one_request(std::uint64_t address, std::uint64_t size) const {
    if (size <= run_.count) return size == 0 ? 0 : 1;
    const std::uint64_t first = run_.count - address % rcb_.count;
    return 1 + ceil_div(size - first, run_.count);
  }
  constexpr std::uint64_t of_page(std::uint64_t address, std::uint64_t size) const {
    return size / mrrs_.count * of_one_request(address, mrrs_.count) + of_one_request(address, size % mrrs_.count);
  }
  constexpr std::uint64_t completions(std::uint64_t address, std::uint64_t size) const {
    const std::uint64_t first = std::min(size, page.count - address % page.count);
    const std::uint64_t rest = size - first;
    return of_page(address, first) + rest / page.count * of_page(0, page.count) + of_page(0, rest % page.count);
  }

  Bytes write_header_, read_header_, completion_header_;
  Bytes mps_, mrrs_, rcb_, run_;
  std::uint64_t lanes_;
  Rate lane_rate_;
  bool messages_;
  std::uint64_t odd_;                // bits of an address that cost OHC when set
  std::uint64_t num_ = 0, den_ = 1;  // picoseconds per byte
  Duration flit_time_{}, latency_{}, full_write_{}, full_completion_{}, request_{};
};

// 64 GT/s x 4 lanes carry 32 GB/s raw; 236 of 256 bytes are TLPs.
static_assert(raw_rate(6, 4) == 32_GBps && raw_rate(5, 16) == 64_GBps && raw_rate(1, 1).bytes_per_second == 312'500'000);
static_assert(Wire{Config{.flit_overhead = 0}}.time(236_B) == 8ns);
static_assert(Wire{Config{.generation = 5, .overhead = 0}}.time(128_B) == 8125_ps);
static_assert(Wire{Config{.mps = 256_B}}.write(0, 4_KiB).tlps == 16);
static_assert(Wire{Config{.mps = 256_B}}.write(4096 - 100, 256_B).tlps == 2);  // crosses a page
static_assert(Wire{Config{}}.completion(0, 0_B).wire == 16_B);                 // its status needs OHC-A5
// A message of 4 KiB at MPS 128 with 28 B around each TLP on four lanes of 4 GB/s: 32 x 156 B in 312 ns; 100 B in 6.25, so 6.
static_assert(Wire{Config{.generation = 5, .forwarding = Forwarding::store_and_forward}}.message_time(32 * 156_B) == 312ns);
static_assert(Wire{Config{.generation = 5, .forwarding = Forwarding::store_and_forward}}.message_time(100_B) == 6ns);

}  // namespace flashpath::pcie
