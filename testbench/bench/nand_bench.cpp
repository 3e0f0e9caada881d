// SPDX-License-Identifier: Apache-2.0
// Host time per NAND operation: the default drive, a closed loop of random reads (and programs), saturated.
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/random.h"
#include "nand/array_model.h"

using namespace flashpath;

namespace {

class Loop {
 public:
  Loop(const nand::Config& config, std::size_t depth, std::uint64_t operations, Bytes size, unsigned program_percent)
      : left_{operations},
        size_{size},
        program_percent_{program_percent},
        array_{agenda_, config, group_, nand::ArrayModel::Answered::to<&Loop::answered>(this)},
        ops_(depth) {}
  double nanoseconds_per_operation() {
    const auto from = std::chrono::steady_clock::now();
    for (nand::Op& op : ops_) again(op, Time{});
    agenda_.run();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - from;
    return took.count() / static_cast<double>(array_.answered());
  }
  double simulated_per_second() const { return static_cast<double>(array_.answered()) / to_seconds(agenda_.now() - Time{}); }
  double events_per_operation() const { return static_cast<double>(agenda_.executed()) / static_cast<double>(array_.answered()); }

 private:
  void answered(nand::Op& op, Time now) {
    if (left_ != 0) again(op, now);
  }
  void again(nand::Op& op, Time now) {
    --left_;
    const nand::Geometry& g = array_.geometry();
    op.die = {static_cast<std::uint16_t>(random_.below(g.dies()))};
    op.block = {static_cast<std::uint32_t>(random_.below(g.blocks()))};
    op.journey = Journey{now};
    const bool program = random_.below(100) < program_percent_;
    op.kind = program ? nand::OpKind::program : nand::OpKind::read;
    op.plane = program ? std::uint8_t{0} : static_cast<std::uint8_t>(random_.below(g.planes()));
    op.planes = static_cast<std::uint8_t>(program ? g.planes() : 1);
    op.page = program ? nand::PageId{0} : nand::PageId{static_cast<std::uint32_t>(random_.below(g.pages()))};
    op.size = program ? g.wordline_bytes(g.planes()) : size_;
    array_.submit(op, now);
  }

  std::uint64_t left_;
  Bytes size_;
  unsigned program_percent_;
  Agenda agenda_;
  stats::Group group_{"nand"};
  Random random_{1, "bench"};
  nand::ArrayModel array_;
  std::vector<nand::Op> ops_;
};

void run(const char* what, const nand::Config& config, std::size_t depth, std::uint64_t operations, Bytes size, unsigned program_percent) {
  Loop loop{config, depth, operations, size, program_percent};
  const double ns = loop.nanoseconds_per_operation();
  std::printf("%-44s %7.1f ns/op  %5.2f events/op  %8.3f M ops per simulated second\n", what, ns, loop.events_per_operation(),
              loop.simulated_per_second() * 1e-6);
}

}  // namespace

int main() {
  const nand::Config shared;
  nand::Config sca;
  sca.sca = true;
  sca.t_cmd_read = sca.t_cmd_out = std::chrono::nanoseconds{150};
  run("random 4 KiB reads, 1024 deep", shared, 1024, 3'000'000, Bytes{4096}, 0);
  run("random 16 KiB reads, 1024 deep", shared, 1024, 3'000'000, Bytes{16384}, 0);
  run("random 16 KiB reads, 64 deep", shared, 64, 3'000'000, Bytes{16384}, 0);
  run("random 4 KiB reads, 1024 deep, SCA", sca, 1024, 3'000'000, Bytes{4096}, 0);
  run("98 % 16 KiB reads, 2 % programs, 1024 deep", shared, 1024, 1'000'000, Bytes{16384}, 2);
  return 0;
}
