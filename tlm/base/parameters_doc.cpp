// SPDX-License-Identifier: Apache-2.0
#include "base/parameters_doc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace flashpath {
namespace {

struct Block {
  std::string_view name;
  std::vector<const Parameter*> rows;
};

std::string_view block_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

std::string_view key_of(std::string_view path) { return path.substr(path.rfind('.') + 1); }  // npos + 1 is 0

std::vector<Block> blocks_of(std::span<const Parameter> parameters) {
  std::vector<Block> blocks;
  for (const Parameter& parameter : parameters) {
    const std::string_view name = block_of(parameter.path);
    auto block = std::find_if(blocks.begin(), blocks.end(), [&](const Block& b) { return b.name == name; });
    if (block == blocks.end()) block = blocks.insert(blocks.end(), Block{name, {}});
    block->rows.push_back(&parameter);
  }
  return blocks;
}

std::string range_of(const Parameter& p) { return p.low.empty() && p.high.empty() ? std::string{} : p.low + " to " + p.high; }

/// A cell of a markdown table: no bar and no line break ends it early.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += "\\|";
    else out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(std::string_view text) { return text.empty() ? std::string{} : '`' + cell(text) + '`'; }

/// Characters on the screen: UTF-8 continuation bytes take no room.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

constexpr std::size_t columns = 6;
using Row = std::array<std::string, columns>;

Row row_of(const Parameter& p) {
  return {std::string{key_of(p.path)}, p.value.empty() ? "\"\"" : p.value, range_of(p), std::string{name_of(p.known)}, p.doc, p.source};
}

std::string line_of(const Row& row, const std::array<std::size_t, columns>& widths) {
  std::string line;
  for (std::size_t i = 0; i < columns; ++i) line.append("  ").append(row[i]).append(widths[i] - width_of(row[i]), ' ');
  return line.erase(line.find_last_not_of(' ') + 1) + '\n';
}

}  // namespace

std::string parameters_markdown(std::span<const Parameter> parameters) {
  std::string out;
  for (const Block& block : blocks_of(parameters)) {
    out += fmt::format("{}## {}\n\n", out.empty() ? "" : "\n", block.name.empty() ? "top level" : block.name);
    out += "| key | default | type | range | known | source | meaning |\n|---|---|---|---|---|---|---|\n";
    for (const Parameter* p : block.rows) {
      out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", code(key_of(p->path)), code(p->value), p->type, range_of(*p),
                         name_of(p->known), cell(p->source), cell(p->doc));
    }
  }
  return out;
}

std::string parameters_text(std::span<const Parameter> parameters, ParameterOrder order) {
  std::vector<Block> blocks = blocks_of(parameters);
  std::array<std::size_t, columns> widths{};
  for (const Parameter& p : parameters) {
    const Row row = row_of(p);
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (Block& block : blocks) {
    if (order == ParameterOrder::assumed_first) {
      std::stable_partition(block.rows.begin(), block.rows.end(), [](const Parameter* p) { return p->known == Known::assumed; });
    }
    out += fmt::format("{}{}\n", out.empty() ? "" : "\n", block.name.empty() ? "top level" : block.name);
    for (const Parameter* p : block.rows) out += line_of(row_of(*p), widths);
  }
  return out;
}

}  // namespace flashpath
