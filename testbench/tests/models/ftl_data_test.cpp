// SPDX-License-Identifier: Apache-2.0
// Bytes: random reads, writes and trims against a plain array, with garbage collection running.
#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
/// `depth` requests in flight over disjoint ranges at any moment (what overlaps waits), so that the reference is exact.
struct Stress {
  Stress(const Config& c, std::uint64_t seed, std::uint64_t ops, std::uint64_t grain)
      : drive{c, small_geometry(), true},
        reference(c.capacity.count),
        random{seed, "stress"},
        left{ops},
        grain{grain},
        unit{c.mapping_unit.count} {
    drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Stress::done>(this);
  }
  void go(std::size_t depth) {
    slots.resize(depth);
    for (auto& s : slots) next(s);
    drive.agenda.run();
    EXPECT_EQ(left, 0U);
    drive.expect_laws();
  }
  void next(Drive::Io& io) {
    if (left == 0) return;
    --left;
    std::uint64_t address = 0, size = 0;
    do {
      size = grain * (1 + random.below(12));
      address = grain * random.below((reference.size() - size) / grain + 1);
    } while (std::ranges::any_of(slots, [&](const Drive::Io& o) {
      // Whole units: a rewrite reads and writes the unit around it; trims of neighbours must not cross.
      return &o != &io && o.request.size.count != 0 &&
             address / unit * unit < align_up(o.request.address.count + o.request.size.count, unit) &&
             o.request.address.count / unit * unit < align_up(address + size, unit);
    }));
    const std::uint64_t dice = random.below(100);
    const auto kind = dice < 45 ? RequestKind::read : dice < 95 ? RequestKind::write : dice < 99 ? RequestKind::trim : RequestKind::flush;
    io.bytes.assign(size, 0xee);
    if (kind == RequestKind::write) {
      for (auto& b : io.bytes) b = static_cast<unsigned char>(random.next());
      std::copy(io.bytes.begin(), io.bytes.end(), reference.begin() + static_cast<std::ptrdiff_t>(address));
    } else if (kind == RequestKind::trim) {
      const std::uint64_t from = align_up(address, unit), to = (address + size) / unit * unit;
      for (std::uint64_t i = from; i < to; ++i) reference[i] = 0;
    }
    drive.start(io, kind, address, size);
  }
  void done(Drive::Io& io, Time) {
    EXPECT_EQ(io.request.status, RequestStatus::ok);
    if (io.request.kind == RequestKind::read) {
      if (std::memcmp(io.bytes.data(), &reference[io.request.address.count], io.bytes.size()) != 0) {
        ADD_FAILURE() << "wrong bytes at " << io.request.address.count << " + " << io.bytes.size();
        left = 0;
      }
    }
    io.request.size = {};
    next(io);
  }
  Drive drive;
  std::vector<unsigned char> reference;
  Random random;
  std::uint64_t left;
  std::uint64_t grain, unit;
  std::vector<Drive::Io> slots;
};
}  // namespace

TEST(FtlData, TwoHundredThousandRandomRequestsWithGarbageCollection) {
  Stress stress{small_config(), 1, 200'000, 4096};
  stress.go(24);
  EXPECT_GT(stress.drive.model.counts().gc_moved, 100'000'000U);
  EXPECT_GT(stress.drive.model.counts().buffer_hit, 1'000'000U);
}

TEST(FtlData, PartialUnitsKeepTheirOldBytes) {
  Config c = small_config();
  c.mapping_unit = 16_KiB;
  c.flush_programs = true;
  Stress stress{c, 2, 40'000, 512};
  stress.go(16);
  EXPECT_GT(stress.drive.model.counts().rewrites, 20'000U);
  EXPECT_GT(stress.drive.model.counts().gc_victims, 100U);
}

TEST(FtlData, UnitsLargerThanAProgramUnit) {
  Config c = small_config();
  c.mapping_unit = 32_KiB;  // program unit: 24 KiB
  c.write_streams = 2;
  c.flush_programs = true;
  Stress stress{c, 3, 20'000, 2048};
  stress.go(8);
  EXPECT_GT(stress.drive.model.counts().gc_victims, 100U);
}
