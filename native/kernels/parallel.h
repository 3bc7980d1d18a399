// How a kernel hands out its work, without knowing threads: body(item) for each item in [0, items), each exactly once.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace halfeven::native {

// Something to call, by reference: it must outlive the call. Unlike std::function it never allocates.
template <class Signature>
class FunctionRef;

template <class... Arguments>
class FunctionRef<void(Arguments...)> {
 public:
  template <class Body>
    requires(!std::is_same_v<std::remove_cvref_t<Body>, FunctionRef>)
  // NOLINTNEXTLINE(google-explicit-constructor): stands where the body itself would
  FunctionRef(Body&& body)
      : context_(const_cast<void*>(static_cast<const void*>(std::addressof(body)))),
        call_([](void* context, Arguments... arguments) {
          (*static_cast<std::remove_reference_t<Body>*>(context))(arguments...);
        }) {}

  void operator()(Arguments... arguments) const { call_(context_, arguments...); }

 private:
  void* context_;
  void (*call_)(void*, Arguments...);
};

using ItemBody = FunctionRef<void(std::int64_t item)>;

// Runs the items in any order, perhaps at once, and returns when all are done. What a body throws comes out of it.
using Parallel = FunctionRef<void(std::int64_t items, ItemBody body)>;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace halfeven::native
