// SPDX-License-Identifier: Apache-2.0
// What firmware sees of the core it runs on: cycles to spend, memory to load from and store to, registers to write.
//
// A task runs at its start moment and spends time as it goes: now() = begin + what memory took + cycles / clock,
// the cycles divided once. Memory is asked at the task's *begin*, and what it answers is added: a shared timeline
// is never booked for the future (base/timeline.h). The error is bounded by the length of the task.
#pragma once
#include <cstdint>
#include <span>

#include "base/ids.h"
#include "base/units.h"

namespace flashpath::cores {

using CoreId = Id<struct CoreTag, std::uint32_t>;
class CoreContext;

/// A piece of firmware that runs to completion: a function, its object, and two words of its own.
struct Task {
  void (*run)(void* self, CoreContext& ctx, std::uint64_t arg, std::uint64_t arg2) = nullptr;
  void* self = nullptr;
  std::uint64_t arg = 0;
  std::uint64_t arg2 = 0;

  /// `Task::of<&Driver::poll>(this, queue)`; the member takes (CoreContext&), and one or two words if it wants them.
  template <auto Member, class T>
  static Task of(T* self, std::uint64_t arg = 0, std::uint64_t arg2 = 0) {
    return {[](void* s, CoreContext& ctx, std::uint64_t a, std::uint64_t b) {
              if constexpr (requires(T * t) { (t->*Member)(ctx, a, b); }) (static_cast<T*>(s)->*Member)(ctx, a, b);
              else if constexpr (requires(T * t) { (t->*Member)(ctx, a); }) (static_cast<T*>(s)->*Member)(ctx, a);
              else (static_cast<T*>(s)->*Member)(ctx);
            },
            self, arg, arg2};
  }
};

/// What is behind the cores' load/store unit. The part puts TLM behind it; a test puts an array.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Reads bytes; returns how long the core waits for them. Asked at `at`, which is the agenda's now.
  virtual Duration load(CoreId core, std::uint64_t address, std::span<unsigned char> into, Time at) = 0;
  /// A load whose bytes nobody looks at: timing only.
  virtual Duration touch(CoreId core, std::uint64_t address, Bytes size, Time at) = 0;
  /// Stores bytes: visible at once; the core does not wait (store buffer).
  virtual void store(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) = 0;
  /// A posted register write of up to 64 bytes; leaves the core at `at`, in order per core.
  virtual void post(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) = 0;
  /// Reads a register of 4 or 8 bytes; leaves at `at`; when the answer is there, `then` is submitted to the same
  /// core with the value in arg2 (all ones where nobody answered).
  virtual void read_register(CoreId core, std::uint64_t address, unsigned bytes, Task then, Time at) = 0;
};

class CoreContext {
 public:
  CoreContext(CoreId core, Time begin, Hertz clock, std::uint32_t store_cycles, std::uint32_t mmio_cycles, Memory& memory)
      : core_{core}, begin_{begin}, now_{begin}, clock_{clock}, store_cycles_{store_cycles}, mmio_cycles_{mmio_cycles}, memory_{memory} {}

  CoreId core() const { return core_; }
  /// When this task started; what memory shows is as of this moment.
  Time begin() const { return begin_; }
  Time now() {
    if (dirty_) {
      now_ = begin_ + waited_ + flashpath::cycles(cycles_, clock_);
      dirty_ = false;
    }
    return now_;
  }
  void cycles(std::uint64_t n) {
    cycles_ += n;
    dirty_ = true;
  }
  /// Waits for something else that takes a known time.
  void wait(Duration d) {
    waited_ += d;
    dirty_ = true;
  }

  void load(std::uint64_t address, std::span<unsigned char> into) {
    wait(memory_.load(core_, address, into, begin_));
    ++loads_;
  }
  void touch(std::uint64_t address, Bytes size) {
    wait(memory_.touch(core_, address, size, begin_));
    ++loads_;
  }
  void store(std::uint64_t address, std::span<const unsigned char> bytes) {
    memory_.store(core_, address, bytes, begin_);
    cycles(store_cycles_ * ceil_div(bytes.size(), 64));
    ++stores_;
  }
  void post_mmio(std::uint64_t address, std::span<const unsigned char> bytes) {
    cycles(mmio_cycles_);
    memory_.post(core_, address, bytes, now());
    ++mmio_;
  }
  /// A register read; `then` runs on this core with the value in arg2. The core is free meanwhile (bring-up only).
  void read_register(std::uint64_t address, unsigned bytes, Task then) {
    cycles(mmio_cycles_);
    memory_.read_register(core_, address, bytes, then, now());
    ++mmio_;
  }

  template <class T>
  void load_value(std::uint64_t address, T& value) {
    load(address, {reinterpret_cast<unsigned char*>(&value), sizeof(T)});
  }
  template <class T>
  void store_value(std::uint64_t address, const T& value) {
    store(address, {reinterpret_cast<const unsigned char*>(&value), sizeof(T)});
  }
  template <class T>
  void post_value(std::uint64_t address, const T& value) {
    post_mmio(address, {reinterpret_cast<const unsigned char*>(&value), sizeof(T)});
  }

  std::uint64_t cycles_spent() const { return cycles_; }
  Duration waited() const { return waited_; }
  std::uint64_t loads() const { return loads_; }
  std::uint64_t stores() const { return stores_; }
  std::uint64_t mmio() const { return mmio_; }

 private:
  CoreId core_;
  Time begin_, now_;
  Hertz clock_;
  std::uint32_t store_cycles_, mmio_cycles_;
  Memory& memory_;
  std::uint64_t cycles_ = 0;
  Duration waited_{};
  std::uint64_t loads_ = 0, stores_ = 0, mmio_ = 0;
  bool dirty_ = false;
};

}  // namespace flashpath::cores
