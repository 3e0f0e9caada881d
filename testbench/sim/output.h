// SPDX-License-Identifier: Apache-2.0
// The result directory of one run. Nothing already produced is ever lost:
//   result.json    written once at the start ("complete": false), then replaced atomically (temporary file, rename)
//   requests.csv   appended as the run goes; each line is whole
// When the disk is full the run ends with an error; result.json is then the last one that could be written, and says
// that it is partial.
#pragma once
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace flashpath::sim {

using Json = nlohmann::ordered_json;

class Output {
 public:
  /// An empty directory means: write nothing. Refuses (UserErrors) a directory that cannot be made or written, or
  /// one that already holds a result, unless `force`.
  Output(const std::string& directory, bool force);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  bool active() const { return !directory_.empty(); }
  /// Replaces result.json. False, with `error()` set, when it could not be written.
  bool write_result(const Json& result);
  /// Starts requests.csv with its heading.
  bool start_csv(const std::string& heading);
  bool csv_line(const std::string& line);
  bool close_csv();
  const std::string& error() const { return error_; }
  const std::string& directory() const { return directory_; }

 private:
  bool fail(const std::string& what);
  std::string directory_;
  std::string error_;
  std::FILE* csv_ = nullptr;
};

}  // namespace flashpath::sim
