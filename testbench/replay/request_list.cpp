// SPDX-License-Identifier: Apache-2.0
#include "replay/request_list.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/error.h"
#include "replay/line_source.h"

namespace flashpath::replay {
namespace {

constexpr std::uint64_t sector = 512;
constexpr std::uint64_t most_sectors = 1U << 22U;   // 2 GiB: more than any command
constexpr std::uint64_t last_sector = 1ULL << 50U;  // 512 PiB
constexpr std::size_t most_requests = 1ULL << 31U;
constexpr std::size_t most_columns = 64;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view>& split(std::string_view line, std::vector<std::string_view>& columns) {
  columns.clear();
  while (columns.size() < most_columns) {
    const std::size_t comma = line.find(',');
    columns.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    line.remove_prefix(comma + 1);
  }
  return columns;
}

/// What a message may show of a foreign line.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 40)) out += c >= ' ' && c <= '~' ? c : '?';
  return "\"" + out + (text.size() > 40 ? "…" : "") + "\"";
}

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

struct Columns {
  std::size_t op = 0, lba = 1, sectors = 2;
};

/// Empty when the line is a request.
std::string parse(const std::vector<std::string_view>& fields, const Columns& at, firmware::Access& access) {
  const std::size_t needed = std::max({at.op, at.lba, at.sectors}) + 1;
  if (fields.size() < needed) return std::to_string(fields.size()) + " columns; expected op,lba512,sectors";
  const std::string_view op = fields[at.op];
  if (op == "R" || op == "r" || op == "read") access.write = false;
  else if (op == "W" || op == "w" || op == "write") access.write = true;
  else return "op " + shown(op) + ": neither R nor W";
  std::uint64_t lba = 0, sectors = 0;
  if (!number(fields[at.lba], lba)) return "lba512 " + shown(fields[at.lba]) + ": not a number";
  if (!number(fields[at.sectors], sectors)) return "sectors " + shown(fields[at.sectors]) + ": not a number";
  if (sectors == 0) return "sectors 0: nothing to do";
  if (sectors > most_sectors) return "sectors " + std::to_string(sectors) + ": more than any command moves";
  if (lba > last_sector) return "lba512 " + std::to_string(lba) + ": beyond any drive";
  access.begin = lba * sector;
  access.size = static_cast<std::uint32_t>(sectors * sector);
  return "";
}

}  // namespace

RequestList read_requests(const std::string& path) {
  RequestList list;
  list.path = path;
  LineSource lines{path};
  UserErrors errors;
  std::uint64_t bad = 0;
  Columns at;
  std::vector<std::string_view> fields;
  bool first = true;
  for (std::string_view line; lines.next(line);) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    split(line, fields);
    if (first) {
      first = false;
      const auto column = [&](std::string_view name) { return static_cast<std::size_t>(std::ranges::find(fields, name) - fields.begin()); };
      const Columns named{.op = column("op"), .lba = column("lba512"), .sectors = column("sectors")};
      if (std::max({named.op, named.lba, named.sectors}) < fields.size()) {
        at = named;
        continue;
      }
    }
    firmware::Access access;
    const std::string wrong = parse(fields, at, access);
    if (!wrong.empty()) {
      if (++bad <= 10) errors.add(path + ":" + std::to_string(lines.line_number()) + ": " + wrong);
      continue;
    }
    if (list.requests.size() == most_requests) throw UserErrors{path + ": more than 2^31 requests"};
    access.line = static_cast<std::uint32_t>(std::min<std::uint64_t>(lines.line_number(), 0xffffffffU));
    list.largest = std::max(list.largest, Bytes{access.size});
    ++(access.write ? list.writes : list.reads);
    list.requests.push_back(access);
  }
  if (bad > 10) errors.add(path + ": and " + std::to_string(bad - 10) + " more lines like these");
  if (bad == 0 && list.requests.empty()) errors.add(path + ": no requests; expected lines of op,lba512,sectors");
  errors.raise_if_any();
  list.packing = name_of(lines.packing());
  list.sha256 = lines.sha256();
  return list;
}

}  // namespace flashpath::replay
