// SPDX-License-Identifier: Apache-2.0
// Records with stable addresses, recycled: nothing is allocated once the peak has been reached.
#pragma once
#include <cstddef>
#include <memory>
#include <vector>

namespace flashpath {

template <class T>
class Slots {
 public:
  /// A record as its last user left it (buffers keep their capacity); the caller fills it in.
  T& take() {
    if (free_.empty()) free_.push_back(all_.emplace_back(std::make_unique<T>()).get());
    T& slot = *free_.back();
    free_.pop_back();
    return slot;
  }
  void give_back(T& slot) { free_.push_back(&slot); }
  std::size_t in_use() const { return all_.size() - free_.size(); }

 private:
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> free_;
};

}  // namespace flashpath
