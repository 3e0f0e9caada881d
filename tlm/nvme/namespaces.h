// SPDX-License-Identifier: Apache-2.0
// The namespaces of a drive: which there are, in which logical blocks, and where each lies in the FTL's logical bytes.
//
//   drive   | granule | granule | granule | … | short one |        1 MiB each, the last what is left
//   ns 1    [extent 0]          [extent 1]                         as few extents as there are holes to fill
//
// A namespace's bytes are contiguous to its host; a piece of a command never crosses an extent's end (left()). Space that a deleted
// namespace leaves is given back when the FTL has unmapped it, so the next owner reads zeros.
//
// Not modelled: sharing between controllers (there is one), thin provisioning, NVM sets.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/units.h"
#include "nvme/namespace.h"
#include "nvme/nvme_config.h"
#include "nvme/spec.h"
#include "nvme/spec_identify.h"

namespace flashpath::nvme {

class Namespaces {
 public:
  static constexpr Bytes granule = 1_MiB;

  /// One namespace of the whole capacity, attached.
  Namespaces(const Config& config, Bytes capacity);

  std::uint32_t most() const { return static_cast<std::uint32_t>(all_.size()); }
  bool valid(std::uint32_t id) const { return id >= 1 && id <= all_.size(); }
  Namespace* allocated(std::uint32_t id) { return valid(id) && all_[id - 1].nsid != 0 ? &all_[id - 1] : nullptr; }
  const Namespace* allocated(std::uint32_t id) const { return const_cast<Namespaces*>(this)->allocated(id); }
  Namespace* active(std::uint32_t id) {
    Namespace* const ns = allocated(id);
    return ns != nullptr && ns->attached && !ns->leaving ? ns : nullptr;
  }
  const Namespace* active(std::uint32_t id) const { return const_cast<Namespaces*>(this)->active(id); }
  std::vector<Namespace>& all() { return all_; }
  const std::vector<Namespace>& all() const { return all_; }
  std::uint32_t count() const;

  const std::vector<LbaFormat>& formats() const { return formats_; }
  Bytes lba_of(std::size_t format) const { return {std::uint64_t{1} << formats_[format].lbads}; }
  Bytes capacity() const { return capacity_; }
  Bytes unallocated() const;

  /// A new one, not attached; `status` says why there is none.
  Namespace* create(Bytes size, std::uint8_t format, CommandSet set, Status& status);
  void remove(Namespace& ns);
  /// Another block format, for the same space.
  void reformat(Namespace& ns, std::uint8_t format);

 private:
  std::vector<Extent> holes() const;
  void shape(Namespace& ns, std::uint8_t format, std::uint64_t bytes) const;

  Bytes capacity_;
  Namespace pattern_;  // metadata and protection of the first format
  std::vector<LbaFormat> formats_;
  std::vector<Namespace> all_;
  std::uint64_t created_ = 0;
};

}  // namespace flashpath::nvme
