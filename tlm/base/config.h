// SPDX-License-Identifier: Apache-2.0
// A configuration is a plain struct with defaults; its schema is one list beside it. Reading, checking,
// printing, `describe` and docs/parameters.md all come from that list, so they cannot drift apart.
//
//   struct Config {
//     Duration t_r = 45us;
//     std::uint32_t channels = 16;
//     static constexpr auto schema() {
//       using C = Config;
//       return std::tuple{
//           Field{"t_r", &C::t_r, "page read time, ONFI tR", Known::datasheet, "where it is printed", Range{1us, 10ms}},
//           Field{"channels", &C::channels, "flash channels", Known::assumed, "why", Range{1U, 64U}},
//       };
//     }
//     void check(const std::string& where, UserErrors& errors) const;   // optional: rules between keys
//   };
//
// In TOML a quantity is a string with its unit ("45us", "64KiB", "800Gbit/s", "3.6GB/s", "1.7GHz"), a count is an
// integer, a choice or a name a string, a switch a boolean. A preset gives each value its source:
//   t_r = { value = "45us", known = "datasheet", source = "…" }
// A plain `t_r = "45us"` is the user's own word (known = "user").
//
// A choice is an enum with two functions beside it, in its own namespace; in TOML it is a string:
//
//   enum class Order : std::uint8_t { fifo, reads_first };
//   std::string_view name_of(Order order);            // "fifo", "reads_first"
//   std::span<const Order> all_of(const Order*);      // every one, in the order errors should list them
#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/units.h"

namespace flashpath {

/// Where a number comes from. Reports list the `assumed` ones first.
enum class Known : std::uint8_t { spec, datasheet, measured, assumed, user };
std::string_view name_of(Known known);

template <class M>
struct Range {
  M low, high;  // both included
};
template <class M>
Range(M, M) -> Range<M>;
template <class R, class P>
Range(std::chrono::duration<R, P>, std::chrono::duration<R, P>) -> Range<Duration>;
template <class R1, class P1, class R2, class P2>
Range(std::chrono::duration<R1, P1>, std::chrono::duration<R2, P2>) -> Range<Duration>;  // Range{1us, 10ms}
struct NoRange {};                                                                       ///< for names, switches and choices

template <class Struct, class Member, class R>
struct Field {
  std::string_view key;
  Member Struct::*member;
  std::string_view doc;
  Known known;
  std::string_view source;
  R range{};
};
template <class S, class M>
Field(std::string_view, M S::*, std::string_view, Known, std::string_view) -> Field<S, M, NoRange>;
template <class S, class M, class R>
Field(std::string_view, M S::*, std::string_view, Known, std::string_view, R) -> Field<S, M, R>;

/// One value as the user wrote it, and where.
struct Given {
  enum class Kind : std::uint8_t { text, integer, real, boolean, other };
  Kind kind = Kind::text;
  std::string text;   ///< the value, as written
  std::string where;  ///< "file:line" or "--set"
  Known known = Known::user;
  std::string source;  ///< "" unless given
  bool bare = false;   ///< an unquoted word of --set: its kind is our reading, it may be meant as text
};

// One overload per type that a configuration may hold. A number without a unit where a quantity is meant,
// a wrong unit, a fraction that is not a whole picosecond or byte: false, never a guess.
// Durations: ps ns us ms s · sizes: B KiB MiB GiB TiB kB MB GB TB · rates: …B/s and bit/s kbit/s Mbit/s Gbit/s Tbit/s
// Frequencies: Hz kHz MHz GHz. Decimal fractions are exact (integer arithmetic, no floating point).
bool parse(const Given& given, Duration& out);
bool parse(const Given& given, Bytes& out);
bool parse(const Given& given, Rate& out);
bool parse(const Given& given, Hertz& out);
bool parse(const Given& given, std::uint32_t& out);
bool parse(const Given& given, std::uint64_t& out);
bool parse(const Given& given, double& out);
bool parse(const Given& given, bool& out);
bool parse(const Given& given, std::string& out);

// How each is written back: the shortest exact form, e.g. "45us", "64KiB".
std::string print(Duration value);
std::string print(Bytes value);
std::string print(Rate value);
std::string print(Hertz value);
std::string print(std::uint32_t value);
std::string print(std::uint64_t value);
std::string print(double value);
std::string print(bool value);
std::string print(const std::string& value);

// What the user should have written: "a duration, e.g. \"45us\"".
std::string_view expected(const Duration&);
std::string_view expected(const Bytes&);
std::string_view expected(const Rate&);
std::string_view expected(const Hertz&);
std::string_view expected(const std::uint32_t&);
std::string_view expected(const std::uint64_t&);
std::string_view expected(const double&);
std::string_view expected(const bool&);
std::string_view expected(const std::string&);

// One word for the kind of value, for tables: duration, size, rate, frequency, count, number, switch, name, choice.
std::string_view type_of(const Duration&);
std::string_view type_of(const Bytes&);
std::string_view type_of(const Rate&);
std::string_view type_of(const Hertz&);
std::string_view type_of(const std::uint32_t&);
std::string_view type_of(const std::uint64_t&);
std::string_view type_of(const double&);
std::string_view type_of(const bool&);
std::string_view type_of(const std::string&);

/// An enum that follows the convention above.
template <class E>
concept Choice = std::is_enum_v<E> && requires(E e, const E* all) {
  { name_of(e) } -> std::convertible_to<std::string_view>;
  { all_of(all) } -> std::convertible_to<std::span<const E>>;
};

/// The key nearest to what was written, by edit distance; "" when nothing is near.
std::string nearest(std::string_view key, const std::vector<std::string_view>& keys);

/// One resolved parameter, for `describe`, result.json and docs/parameters.md.
struct Parameter {
  std::string path;   ///< "nand.t_r"
  std::string value;  ///< "45us"
  std::string type;   ///< "duration"
  std::string doc;
  Known known;
  std::string source;
  std::string low, high;  ///< "" without a range
};

/// Everything given, by full path ("nand.t_r"); filled from presets, files and --set, later ones winning.
class Settings {
 public:
  /// Reads a TOML text. Syntax errors and doubtful values are added to `errors` with file and line.
  /// `base = "name"` at the top names a preset to start from; the caller resolves it (see platform).
  void read_toml(std::string_view text, const std::string& file, UserErrors& errors);
  /// One `path=value` of the command line; quotes around the value are optional.
  void set(std::string_view assignment, UserErrors& errors);
  /// The value of a top-level `base` key, if the last text read had one.
  std::optional<Given> base;

  std::map<std::string, Given> values;
  std::map<std::string, bool> used;  ///< filled by read(); what stays unused is an unknown key
};

/// Reads `prefix.*` of the settings into `value`, adding every mistake to `errors` and every parameter,
/// given or default, to `out`. Call check_unused() after all blocks are read.
template <class Struct>
void read(Settings& settings, const std::string& prefix, Struct& value, UserErrors& errors, std::vector<Parameter>& out);

/// Reports settings that no block has read, each with the nearest known key.
void check_unused(const Settings& settings, const std::vector<Parameter>& known, UserErrors& errors);

}  // namespace flashpath

#include "base/config_read.h"
