// SPDX-License-Identifier: Apache-2.0
// Typed ids: a die number is not a channel number, a logical page is not a physical one.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace flashpath {

/// An index with a name. `Tag` is any (incomplete) type; `Rep` its width in memory.
template <class Tag, class Rep = std::uint32_t>
struct Id {
  Rep value{};
  constexpr auto operator<=>(const Id&) const = default;
  constexpr explicit operator std::size_t() const { return static_cast<std::size_t>(value); }
};

/// A vector that only the right kind of id can index.
template <class I, class T>
class IndexedVector {
 public:
  IndexedVector() = default;
  explicit IndexedVector(std::size_t n, const T& value = T{}) : items_(n, value) {}
  T& operator[](I id) { return items_[static_cast<std::size_t>(id)]; }
  const T& operator[](I id) const { return items_[static_cast<std::size_t>(id)]; }
  std::size_t size() const { return items_.size(); }
  void resize(std::size_t n) { items_.resize(n); }
  T& emplace_back() { return items_.emplace_back(); }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
};

}  // namespace flashpath
