// SPDX-License-Identifier: Apache-2.0
#include "replay/mooncake.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "replay/line_source.h"

namespace flashpath::replay {
namespace {

namespace dom = simdjson::dom;
constexpr std::size_t shown_bad_lines = 10;
constexpr std::size_t shown_field_names = 64;
constexpr std::int64_t us_per_ms = 1000;
constexpr std::int64_t longest_log_ms = 90LL * 24 * 3600 * 1000;  // Time reaches to 106 days
constexpr std::int64_t latest_stamp_ms = 4'102'444'800'000;       // year 2100, if stamps count from 1970

std::string_view type_name(dom::element_type type) {
  switch (type) {
    case dom::element_type::ARRAY: return "an array";
    case dom::element_type::OBJECT: return "an object";
    case dom::element_type::INT64:
    case dom::element_type::UINT64: return "an integer";
    case dom::element_type::DOUBLE: return "a fraction";
    case dom::element_type::STRING: return "a string";
    case dom::element_type::BOOL: return "true or false";
    case dom::element_type::NULL_VALUE: return "null";
  }
  return "?";
}

class Reader {
 public:
  Reader(const std::string& path, const ReplayConfig& config) : source_{path}, config_{config} {
    log_.block_tokens = mooncake_block_tokens;
  }

  Log run() {
    std::string_view line;
    while (source_.next(line)) {
      ++log_.report.lines;
      if (line.find_first_not_of(" \t") == std::string_view::npos) {
        ++log_.report.blank_lines;
        continue;
      }
      const std::string wrong = read_line(line);
      if (!wrong.empty()) {
        log_.ids.resize(kept_ids_);
        ++log_.report.bad_lines;
        if (log_.report.first_bad.size() < shown_bad_lines)
          log_.report.first_bad.push_back(fmt::format("{}:{}: {}", source_.path(), source_.line_number(), wrong));
      }
      kept_ids_ = log_.ids.size();
      if (config_.limit != 0 && log_.requests.size() == config_.limit) limited_ = true;
    }
    judge();
    log_.report.path = source_.path();
    log_.report.packing = name_of(source_.packing());
    log_.report.sha256 = source_.sha256();
    retime(log_, config_);
    return std::move(log_);
  }

 private:
  void judge() const {
    const LogReport& report = log_.report;
    const std::uint64_t written = report.lines - report.blank_lines;
    UserErrors errors;
    if (written == 0) errors.add(fmt::format("{}: the file has no requests, only blank lines", source_.path()));
    else if (report.bad_lines == written)
      errors.add(fmt::format("{}: every line ({}) is bad: not a Mooncake log", source_.path(), written));
    else if (config_.strict && report.bad_lines > 0)
      errors.add(fmt::format("{}: {} of {} lines are bad (strict allows none)", source_.path(), report.bad_lines, written));
    else if (report.bad_lines * 100 > written)
      errors.add(fmt::format("{}: {} of {} lines are bad (more than 1 %)", source_.path(), report.bad_lines, written));
    if (errors.empty()) return;
    for (const std::string& bad : report.first_bad) errors.add(bad);
    if (report.bad_lines > report.first_bad.size())
      errors.add(fmt::format("{}: and {} more", source_.path(), report.bad_lines - report.first_bad.size()));
    throw UserErrors{errors};
  }

  /// "" or what is wrong with the line.
  std::string read_line(std::string_view line) {
    dom::element root;
    // The source guarantees readable bytes behind the line, so the parser need not copy it.
    if (const auto error = parser_.parse(line.data(), line.size(), false).get(root))
      return fmt::format("not JSON: {}", simdjson::error_message(error));
    dom::object object;
    if (root.get(object)) return fmt::format("expected an object {{...}}, found {}", type_name(root.type()));
    bool has_stamp = false, has_input = false, has_output = false, has_ids = false;
    std::int64_t stamp_us = 0;
    Request request;
    for (const auto [key, value] : object) {
      std::string wrong;
      bool* seen = nullptr;
      if (key == "timestamp") {
        seen = &has_stamp;
        wrong = read_stamp(value, stamp_us);
      } else if (key == "input_length") {
        seen = &has_input;
        wrong = read_length("input_length", value, 1, request.input_tokens);
      } else if (key == "output_length") {
        seen = &has_output;
        wrong = read_length("output_length", value, 0, request.output_tokens);
      } else if (key == "hash_ids") {
        seen = &has_ids;
        wrong = read_ids(value);
      } else {
        ignore(key);
        continue;
      }
      if (*seen) return fmt::format("{} is given twice", key);
      *seen = true;
      if (!wrong.empty()) return wrong;
    }
    for (const auto& [name, has] :
         {std::pair{"timestamp", has_stamp}, {"input_length", has_input}, {"output_length", has_output}, {"hash_ids", has_ids}})
      if (!has) return fmt::format("{} is missing", name);
    const std::size_t ids = log_.ids.size() - kept_ids_;
    const std::uint64_t wanted = ceil_div(request.input_tokens, mooncake_block_tokens);
    if (ids != wanted)
      return fmt::format("hash_ids has {} ids, but input_length {} needs {} (one per {} tokens)", ids, request.input_tokens, wanted,
                         mooncake_block_tokens);
    if (any_ && stamp_us < last_us_) return fmt::format("timestamp goes back from {} to {} ms", ms(last_us_), ms(stamp_us));
    if (any_ && stamp_us - first_us_ > longest_log_ms * us_per_ms)
      return fmt::format("timestamp {} ms is more than 90 days after the first", ms(stamp_us));
    if (!any_) first_us_ = stamp_us;
    any_ = true;
    last_us_ = stamp_us;
    if (limited_) {  // lines behind the limit are still checked
      log_.ids.resize(kept_ids_);
      return "";
    }
    request.arrival = std::chrono::microseconds{stamp_us - first_us_};
    request.first_block = kept_ids_;
    request.blocks = static_cast<std::uint32_t>(ids);
    request.line = static_cast<std::uint32_t>(source_.line_number());
    log_.requests.push_back(request);
    return "";
  }

  static std::string ms(std::int64_t us) {
    return us % us_per_ms == 0 ? fmt::format("{}", us / us_per_ms) : fmt::format("{}.{:03}", us / us_per_ms, us % us_per_ms);
  }

  static std::string read_stamp(dom::element value, std::int64_t& out_us) {
    std::int64_t whole = 0;
    double real = 0;
    if (!value.get(whole)) {
      if (whole < 0) return fmt::format("timestamp {} ms is negative", whole);
      if (whole > latest_stamp_ms) return fmt::format("timestamp {} ms is beyond the year 2100", whole);
      out_us = whole * us_per_ms;
      return "";
    }
    if (value.is_double() && !value.get(real)) {  // a fraction of a millisecond is kept to the microsecond
      if (real < 0) return fmt::format("timestamp {} ms is negative", real);
      if (real > static_cast<double>(latest_stamp_ms)) return fmt::format("timestamp {} ms is beyond the year 2100", real);
      out_us = std::llround(real * static_cast<double>(us_per_ms));
      return "";
    }
    return fmt::format("timestamp is {}: expected milliseconds", type_name(value.type()));
  }

  static std::string read_length(std::string_view name, dom::element value, std::int64_t least, std::uint32_t& out) {
    if (value.is_uint64()) {
      std::uint64_t count = 0;
      if (!value.get(count) && count > most_tokens) return fmt::format("{} {} is absurd: more than {} tokens", name, count, most_tokens);
    }
    std::int64_t count = 0;
    if (value.get(count)) return fmt::format("{} is {}: expected a number of tokens", name, type_name(value.type()));
    if (count < 0) return fmt::format("{} {} is negative", name, count);
    if (count < least) return fmt::format("{} is {}: expected at least {}", name, count, least);
    if (static_cast<std::uint64_t>(count) > most_tokens)
      return fmt::format("{} {} is absurd: more than {} tokens", name, count, most_tokens);
    out = static_cast<std::uint32_t>(count);
    return "";
  }

  std::string read_ids(dom::element value) {
    dom::array array;
    if (value.get(array)) return fmt::format("hash_ids is {}: expected an array of integers", type_name(value.type()));
    for (const dom::element item : array) {
      std::uint64_t id = 0;
      if (item.get(id)) {
        const std::size_t index = log_.ids.size() - kept_ids_;
        std::int64_t negative = 0;
        if (!item.get(negative)) return fmt::format("hash_ids[{}] is negative ({}): expected integers from 0", index, negative);
        return fmt::format("hash_ids[{}] is {}: expected integers", index, type_name(item.type()));
      }
      log_.ids.push_back(id);
    }
    return "";
  }

  void ignore(std::string_view key) {
    auto& fields = log_.report.ignored_fields;
    const auto found = fields.find(std::string(key));
    if (found != fields.end()) ++found->second;
    else if (fields.size() < shown_field_names) fields.emplace(std::string(key), 1);
    else ++fields["(others)"];
  }

  static_assert(simdjson::SIMDJSON_PADDING <= LineSource::padding);

  LineSource source_;
  ReplayConfig config_;
  dom::parser parser_;
  Log log_;
  std::size_t kept_ids_ = 0;
  bool any_ = false, limited_ = false;
  std::int64_t first_us_ = 0, last_us_ = 0;
};

}  // namespace

Log read_mooncake(const std::string& path, const ReplayConfig& config) { return Reader{path, config}.run(); }

}  // namespace flashpath::replay
