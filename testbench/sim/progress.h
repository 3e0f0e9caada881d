// SPDX-License-Identifier: Apache-2.0
// Progress of long work, on stderr: a bar on a terminal, nothing elsewhere (or JSON lines for engines that ask).
#pragma once
#include <chrono>
#include <string>

namespace flashpath::sim {

class Progress {
 public:
  enum class Style { automatic, none, json };
  explicit Progress(Style style);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` in [0, 1]; `what` says where the work stands, e.g. "812 of 12031 requests, 231 s simulated".
  /// Cheap to call often: the terminal is written at most five times a second.
  void show(double done, const std::string& what);
  /// Wipes the bar off the line.
  void clear();
  /// Whether show() would draw now: spares the caller the text.
  bool due() const;

 private:
  Style style_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point started_, next_;
};

/// Ctrl-C and SIGTERM, as a flag: the run ends at the next moment it can, and writes what it has.
/// A second Ctrl-C ends the process at once.
void watch_for_interrupt();
bool interrupted();

}  // namespace flashpath::sim
