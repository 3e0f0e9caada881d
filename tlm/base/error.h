// SPDX-License-Identifier: Apache-2.0
// Three kinds of error, three ways out.
//
//   the user's    UserErrors: everything wrong at once, each with where and what to do; exit code 2, no stack
//   ours          invariant(): simulated time and module path on stderr, then abort (a bug in flashpath)
//   the device's  data: an NVMe status, a TLM response; never an exception
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace flashpath {

/// The user's mistakes, collected. Thrown once, when all are known; `main` prints them and exits with 2.
struct UserErrors : std::exception {
  UserErrors() = default;
  explicit UserErrors(std::string one) { add(std::move(one)); }
  void add(std::string message) { list.push_back(std::move(message)); }
  bool empty() const { return list.empty(); }
  void raise_if_any() const {
    if (!list.empty()) throw *this;
  }
  const char* what() const noexcept override { return list.empty() ? "no error" : list.front().c_str(); }
  std::vector<std::string> list;
};

inline constexpr int exit_user_error = 2;     ///< bad input: configuration, trace, command line
inline constexpr int exit_law_broken = 3;     ///< a conservation law failed, or the simulation stalled
inline constexpr int exit_unwritable = 4;     ///< the result could not be written (a full disk); what is there says it is partial
inline constexpr int exit_interrupted = 130;  ///< Ctrl-C; the partial result is on disk and says so

/// Our own mistake: prints where and when, then aborts.
[[noreturn]] void invariant_failed(std::string_view what, std::string_view path, Time at);

/// States what must hold whatever the input; `path` is the module path, `at` the simulated time.
inline void invariant(bool holds, std::string_view what, std::string_view path = {}, Time at = never) {
  if (!holds) [[unlikely]]
    invariant_failed(what, path, at);
}

}  // namespace flashpath
