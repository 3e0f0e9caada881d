// SPDX-License-Identifier: Apache-2.0
#include "platform/faults.h"

#include <array>
#include <charconv>

namespace flashpath::platform {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool parse_one(std::string_view item, Fault& fault, std::string& wrong, const Config& c) {
  struct Kind {
    std::string_view name;
    Fault::What what;
    std::size_t numbers;
  };
  static constexpr std::array kinds{Kind{"drive", Fault::What::drive, 1}, Kind{"channel", Fault::What::channel, 2},
                                    Kind{"die", Fault::What::die, 2}, Kind{"plane", Fault::What::plane, 3},
                                    Kind{"link", Fault::What::link, 1}};
  const std::size_t colon = item.find(':'), at = item.find('@');
  const Kind* kind = nullptr;
  for (const Kind& k : kinds)
    if (colon != std::string_view::npos && item.substr(0, colon) == k.name) kind = &k;
  if (kind == nullptr || at == std::string_view::npos || at < colon) {
    wrong = "neither drive:D@TIME, channel:D.C@TIME, die:D.N@TIME, plane:D.N.P@TIME nor link:D@TIME";
    return false;
  }
  fault.what = kind->what;
  std::array<std::uint32_t, 3> numbers{};
  std::string_view rest = item.substr(colon + 1, at - colon - 1);
  std::size_t n = 0;
  for (; !rest.empty() && n < numbers.size(); ++n) {
    const char* const end = rest.data() + rest.size();
    const auto [next, error] = std::from_chars(rest.data(), end, numbers[n]);
    if (error != std::errc{} || (next != end && (*next != '.' || next + 1 == end))) break;
    rest.remove_prefix(static_cast<std::size_t>(next - rest.data()) + (next != end ? 1U : 0U));
  }
  if (n != kind->numbers || !rest.empty()) {
    wrong = std::string{kind->name} + " needs " + std::to_string(kind->numbers) + " number" + (kind->numbers == 1 ? "" : "s") +
            " with dots between them";
    return false;
  }
  Given given;
  given.text = std::string{trimmed(item.substr(at + 1))};
  if (!parse(given, fault.at) || fault.at < Duration{}) {
    wrong = "\"" + given.text + "\" is not a time such as 10ms";
    return false;
  }
  fault.drive = numbers[0];
  fault.part = numbers[1];
  fault.plane = numbers[2];
  const auto below = [&](const char* what, std::uint32_t value, std::uint32_t count) {
    if (value < count) return true;
    wrong = std::string{"there is no "} + what + " " + std::to_string(value) + "; there are " + std::to_string(count);
    return false;
  };
  if (!below("drive", fault.drive, c.general.drives)) return false;
  if (fault.what == Fault::What::channel) return below("channel", fault.part, c.nand.channels);
  if (!of_flash(fault)) return true;
  if (!below("die", fault.part, c.nand.channels * c.nand.dies_per_channel)) return false;
  return fault.what == Fault::What::die || below("plane", fault.plane, c.nand.planes);
}

}  // namespace

std::vector<Fault> parse_faults(const std::string& text, const Config& config, UserErrors& errors) {
  std::vector<Fault> faults;
  bool flash = false;
  std::string_view rest = text;
  while (!trimmed(rest).empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    Fault fault;
    std::string wrong;
    if (parse_one(item, fault, wrong, config)) {
      faults.push_back(fault);
      flash = flash || of_flash(fault);
    } else {
      errors.add("faults: \"" + std::string{item} + "\": " + wrong);
    }
  }
  if (flash && (geometry_of(config.nand).program_unit() % config.ftl.mapping_unit).count != 0) {
    errors.add("faults: dies and planes can only fail where ftl.mapping_unit divides a program unit (" +
               print(geometry_of(config.nand).program_unit()) + ")");
  }
  return faults;
}

std::string name_of(const Fault& f) {
  const std::string drive = std::to_string(f.drive), part = "." + std::to_string(f.part);
  switch (f.what) {
    case Fault::What::drive: return "drive:" + drive;
    case Fault::What::link: return "link:" + drive;
    case Fault::What::channel: return "channel:" + drive + part;
    case Fault::What::die: return "die:" + drive + part;
    case Fault::What::plane: return "plane:" + drive + part + "." + std::to_string(f.plane);
  }
  return "";
}

std::uint32_t planes_of(const Fault& fault, const nand::Config& config, std::uint32_t die) {
  switch (fault.what) {
    case Fault::What::channel: return die % config.channels == fault.part ? ~0U : 0U;
    case Fault::What::die: return die == fault.part ? ~0U : 0U;
    case Fault::What::plane: return die == fault.part ? 1U << fault.plane : 0U;
    case Fault::What::drive:
    case Fault::What::link: break;
  }
  return 0;
}

}  // namespace flashpath::platform
