# SPDX-License-Identifier: Apache-2.0
# Writes the presets into a header, so that the program needs no file beside itself.
# cmake -DDIR=… -DOUT=… -P embed_presets.cmake
file(GLOB presets ${DIR}/*.toml)
list(SORT presets)
set(text "// Generated from platform/presets/*.toml by scripts/cmake/embed_presets.cmake\n#pragma once\n#include <array>\n#include <string_view>\n\nnamespace flashpath::platform {\nstruct EmbeddedPreset { std::string_view name, text; };\n")
list(LENGTH presets count)
string(APPEND text "inline constexpr std::array<EmbeddedPreset, ${count}> embedded_presets{{\n")
foreach(preset ${presets})
  get_filename_component(name ${preset} NAME_WE)
  file(READ ${preset} content)
  string(APPEND text "    {\"${name}\", R\"toml(${content})toml\"},\n")
endforeach()
string(APPEND text "}};\n}  // namespace flashpath::platform\n")
file(WRITE ${OUT} "${text}")
