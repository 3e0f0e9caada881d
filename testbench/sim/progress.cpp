// SPDX-License-Identifier: Apache-2.0
#include "sim/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace flashpath::sim {

using Clock = std::chrono::steady_clock;

Progress::Progress(Style style) : style_{style}, terminal_{isatty(STDERR_FILENO) != 0}, started_{Clock::now()}, next_{started_} {}
Progress::~Progress() { clear(); }

bool Progress::due() const { return (style_ == Style::json || (style_ == Style::automatic && terminal_)) && Clock::now() >= next_; }

void Progress::show(double done, const std::string& what) {
  if (!due()) return;
  done = std::clamp(done, 0.0, 1.0);  // commands under way at the end of a job take a little longer than its runtime
  const auto now = Clock::now();
  next_ = now + std::chrono::milliseconds{200};
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double left = done > 0.01 ? elapsed * (1 - done) / done : 0;
  if (style_ == Style::json) {
    fmt::print(stderr, "{{\"progress\":{:.4f},\"elapsed_s\":{:.1f},\"left_s\":{:.1f},\"what\":\"{}\"}}\n", done, elapsed, left, what);
    std::fflush(stderr);
    return;
  }
  constexpr int width = 30;
  const int full = std::clamp(static_cast<int>(done * width), 0, width);
  std::string bar(static_cast<std::size_t>(full), '#');
  bar.resize(width, '.');
  std::string line = fmt::format("[{}] {:5.1f} %  {}", bar, done * 100, what);
  if (left > 0) line += fmt::format(", {:.0f} s left", left);
  fmt::print(stderr, "\r{}\x1b[K", line.substr(0, 118));
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  drawn_ = false;
}

namespace {
volatile std::sig_atomic_t stop_asked = 0;
void on_signal(int) {
  if (stop_asked != 0) std::_Exit(130);
  stop_asked = 1;
}
}  // namespace

void watch_for_interrupt() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is an error of write(), like a full disk
}
bool interrupted() { return stop_asked != 0; }

}  // namespace flashpath::sim
