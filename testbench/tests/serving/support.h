// SPDX-License-Identifier: Apache-2.0
// Files that exist for one test, and the logs that may or may not be on this machine.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "replay/log.h"

namespace flashpath::serving_test {

/// A folder of its own, gone afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "flashpath_serving_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string write(const std::string& name, std::string_view content) const {
    const auto file = path_ / name;
    std::ofstream{file, std::ios::binary} << content;
    return file.string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// All messages of the UserErrors that `action` throws, one per line; "" if it throws none.
template <class Action>
std::string errors_of(Action action) {
  try {
    action();
  } catch (const UserErrors& e) {
    std::string all;
    for (const std::string& message : e.list) all += message + "\n";
    return all;
  }
  return "";
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// A log made by hand: (arrival, input, output, ids).
class LogMaker {
 public:
  LogMaker& add(Duration arrival, std::uint32_t input, std::uint32_t output, const std::vector<std::uint64_t>& ids) {
    replay::Request r;
    r.arrival = arrival;
    r.input_tokens = input;
    r.output_tokens = output;
    r.first_block = log.ids.size();
    r.blocks = static_cast<std::uint32_t>(ids.size());
    r.line = static_cast<std::uint32_t>(log.requests.size() + 1);
    log.requests.push_back(r);
    log.ids.insert(log.ids.end(), ids.begin(), ids.end());
    return *this;
  }
  replay::Log log;
};

/// `first, first+1, …`, `count` of them.
inline std::vector<std::uint64_t> ids_from(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> ids;
  for (std::uint64_t i = 0; i < count; ++i) ids.push_back(first + i);
  return ids;
}

/// The path of a file of the shared folder, or "" if there is none.
inline std::string shared_file(const std::string& name) {
  const std::string shared = FLASHPATH_SHARED;
  if (shared.empty()) return "";
  const std::string path = shared + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace flashpath::serving_test
