// SPDX-License-Identifier: Apache-2.0
// flashpath shell: Debian's nvme-cli, unchanged, talks to the modelled drive.
#include <fstream>
#include <nlohmann/json.hpp>

#include "command/program.h"

using namespace flashpath::test;

namespace {
class Shell : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    if (std::system("nvme version >/dev/null 2>&1") != 0) GTEST_SKIP() << "nvme-cli is not installed (scripts/setup.sh --ci)";
  }
  const std::string drive = "shell --set nand.blocks_per_plane=24 --set nand.wordlines_per_block=64 --set ftl.capacity=1GiB ";
  Ended nvme(const std::string& what) const { return run(drive + "-- nvme " + what); }
  nlohmann::json json(const std::string& what) const {
    const Ended e = nvme(what + " -o json");
    EXPECT_EQ(e.code, 0) << what << "\n" << e.err << e.out;
    return nlohmann::json::parse(e.out, nullptr, false);
  }
};
}  // namespace

TEST_F(Shell, IdentifyAsJson) {
  const auto controller = json("id-ctrl /dev/nvme0");
  EXPECT_EQ(controller["sqes"], 0x66);
  EXPECT_EQ(controller["cqes"], 0x44);
  EXPECT_EQ(controller["mn"].get<std::string>().substr(0, 9), "flashpath");
  EXPECT_GE(controller["nn"].get<int>(), 1);
  const auto name_space = json("id-ns /dev/nvme0n1");
  const auto format = name_space["lbafs"][name_space["flbas"].get<unsigned>() & 15U];
  EXPECT_EQ(name_space["nsze"].get<std::uint64_t>() << format["ds"].get<unsigned>(), std::uint64_t{1} << 30U);
}

TEST_F(Shell, LogsAndFeatures) {
  const auto smart = json("smart-log /dev/nvme0");
  EXPECT_EQ(smart["avail_spare"], 100);
  EXPECT_EQ(smart["critical_warning"], 0);
  const Ended features = nvme("get-feature /dev/nvme0 -f 7 -H");
  EXPECT_NE(features.out.find("Number of IO Completion Queues Allocated"), std::string::npos) << features.out << features.err;
  EXPECT_EQ(nvme("error-log /dev/nvme0").code, 0);
  EXPECT_EQ(nvme("fw-log /dev/nvme0").code, 0);
  const Ended raw = nvme("get-log /dev/nvme0 -i 2 -l 512 -b");
  EXPECT_EQ(raw.out.size(), 512U);
}

TEST_F(Shell, DataLivesAsLongAsTheShell) {
  const std::string in_file = file("in.bin", std::string(16384, 'k')), out_file = in("out.bin").string();
  const Ended e =
      run(drive + "-- sh -c 'nvme write /dev/nvme0n1 -s 8 -c 3 -z 16384 -d " + in_file +
          " && nvme read /dev/nvme0n1 -s 8 -c 3 -z 16384 -d " + out_file + " && cmp " + in_file + " " + out_file + " && echo same bytes'");
  EXPECT_EQ(e.code, 0) << e.err;
  EXPECT_NE(e.out.find("same bytes"), std::string::npos) << e.out << e.err;
  // Another shell is another drive.
  EXPECT_EQ(run(drive + "-- sh -c 'nvme read /dev/nvme0n1 -s 8 -c 3 -z 16384 -d " + out_file + "'").code, 0);
  EXPECT_NE(std::system(("cmp -s " + in_file + " " + out_file).c_str()), 0);
}

TEST_F(Shell, ErrorsComeBackAsTheProgramsOwn) {
  EXPECT_NE(nvme("id-ns /dev/nvme0n2").code, 0);
  const Ended bad = nvme("admin-passthru /dev/nvme0 --opcode=0xfe");
  EXPECT_NE((bad.out + bad.err).find("0x4001"), std::string::npos) << bad.out << bad.err;
  EXPECT_EQ(run(drive + "-- sh -c 'exit 7'").code, 7);
  EXPECT_EQ(run(drive + "-- no-such-program").code, 127);
  expect_refused("shell --platform mqsim-tlc8 -- true", {"can stand alone"});
  expect_refused("shell --log /nowhere/x -- true", {"--log /nowhere/x"});
}
