// What every loop over blocks of four vectors shares. In an unnamed namespace, see the Vector's own header.
#pragma once

#include <cstdint>

namespace halfeven::native {
namespace {

constexpr int block_size = 4 * Vector::lanes;

// How far ahead of the loads memory is asked for. The hardware's own prefetch stops at each page of 4 KiB and leaves
// the loops waiting; this distance was the best of 0.5 to 8 KiB (docs/decisions/0004).
constexpr int prefetch_distance = 2048;
constexpr int cache_line = 64;

// Asks for the block that lies prefetch_distance after the one at `p`.
template <class T>
void prefetch_after(const T* p) {
  const char* ahead = reinterpret_cast<const char*>(p) + prefetch_distance;
  for (int offset = 0; offset < block_size * static_cast<int>(sizeof(T)); offset += cache_line) {
    Vector::prefetch(ahead + offset);
  }
}

// Elements of type T before the first boundary that streaming stores can start from, at most `count`.
template <class T>
std::int64_t unaligned(const void* out, std::int64_t count) {
  const std::uintptr_t past = reinterpret_cast<std::uintptr_t>(out) % Vector::alignment;
  const std::int64_t n = past == 0 ? 0 : static_cast<std::int64_t>((Vector::alignment - past) / sizeof(T));
  return n < count ? n : count;
}

}  // namespace
}  // namespace halfeven::native
