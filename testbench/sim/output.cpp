// SPDX-License-Identifier: Apache-2.0
#include "sim/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace flashpath::sim {
namespace fs = std::filesystem;

Output::Output(const std::string& directory, bool force) : directory_{directory} {
  if (directory_.empty()) return;
  std::error_code error;
  if (fs::exists(directory_, error) && !fs::is_directory(directory_, error))
    throw UserErrors("--out " + directory_ + ": exists and is not a directory");
  fs::create_directories(directory_, error);
  if (error) throw UserErrors("--out " + directory_ + ": cannot be created: " + error.message());
  if (!force && fs::exists(directory_ + "/result.json", error)) {
    throw UserErrors("--out " + directory_ + ": already holds a result; choose another directory, or say --force to replace it");
  }
  if (access(directory_.c_str(), W_OK) != 0) throw UserErrors("--out " + directory_ + ": is not writable: " + std::strerror(errno));
}

Output::~Output() { close_csv(); }

bool Output::fail(const std::string& what) {
  if (error_.empty()) error_ = what + ": " + std::strerror(errno);
  return false;
}

bool Output::write_result(const Json& result) {
  if (!active()) return true;
  const std::string target = directory_ + "/result.json";
  const std::string temporary = target + ".tmp";
  const std::string text = result.dump(2) + "\n";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return fail(temporary);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
  const int saved = errno;
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed) {
    if (!written) errno = saved;
    fail(temporary);
    std::remove(temporary.c_str());
    return false;
  }
  return std::rename(temporary.c_str(), target.c_str()) == 0 || fail(target);
}

bool Output::start_csv(const std::string& heading) {
  if (!active()) return true;
  csv_ = std::fopen((directory_ + "/requests.csv").c_str(), "wb");
  if (csv_ == nullptr) return fail(directory_ + "/requests.csv");
  return csv_line(heading);
}

bool Output::csv_line(const std::string& line) {
  if (csv_ == nullptr) return !active();
  // Flushed line by line: what an interrupted run leaves behind ends with a whole line, or with one cut by the disk.
  if (std::fwrite(line.data(), 1, line.size(), csv_) != line.size() || std::fputc('\n', csv_) == EOF || std::fflush(csv_) != 0) {
    fail(directory_ + "/requests.csv");
    std::fclose(csv_);
    csv_ = nullptr;
    return false;
  }
  return true;
}

bool Output::close_csv() {
  if (csv_ == nullptr) return true;
  const bool ok = std::fclose(csv_) == 0 || fail(directory_ + "/requests.csv");
  csv_ = nullptr;
  return ok;
}

}  // namespace flashpath::sim
