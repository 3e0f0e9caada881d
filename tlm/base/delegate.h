// SPDX-License-Identifier: Apache-2.0
// A member function and its object, callable, two words, no allocation: `Delegate<void(int)>::to<&X::f>(x)`.
#pragma once
#include <type_traits>

namespace flashpath {

template <class Signature>
class Delegate;

template <class R, class... Args>
class Delegate<R(Args...)> {
 public:
  Delegate() = default;
  template <auto Member, class T>
  static Delegate to(T* object) {
    Delegate d;
    d.object_ = const_cast<std::remove_const_t<T>*>(object);
    d.call_ = [](void* o, Args... args) -> R { return (static_cast<T*>(o)->*Member)(static_cast<Args&&>(args)...); };
    return d;
  }
  R operator()(Args... args) const { return call_(object_, static_cast<Args&&>(args)...); }
  explicit operator bool() const { return call_ != nullptr; }

 private:
  void* object_ = nullptr;
  R (*call_)(void*, Args...) = nullptr;
};

}  // namespace flashpath
