// What every loop over blocks of four vectors shares. In an unnamed namespace, see the Vector's own header.
#pragma once

#include <cstdint>

namespace halfeven::native {
namespace {

constexpr int block_size = 4 * Vector::lanes;

// Elements of type T before the first boundary that streaming stores can start from, at most `count`.
template <class T>
std::int64_t unaligned(const void* out, std::int64_t count) {
  const std::uintptr_t past = reinterpret_cast<std::uintptr_t>(out) % Vector::alignment;
  const std::int64_t n = past == 0 ? 0 : static_cast<std::int64_t>((Vector::alignment - past) / sizeof(T));
  return n < count ? n : count;
}

}  // namespace
}  // namespace halfeven::native
