// Bit patterns and exact wide integers: the ground under every other header.
//
// Everything here is integer arithmetic, so no floating-point mode, compiler flag or contraction can change it.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_BITS_HPP_
#define HALFEVEN_BITS_HPP_

#include <cstdint>
#include <cstring>

namespace halfeven {

static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754 binary32 and binary64 are expected");

// The pattern of a float. Loads through a pointer never make a float value, which matters under -ffast-math, where
// a compiler may assume that no float argument is NaN.
inline std::uint32_t load_bits(const float* p) noexcept {
  std::uint32_t bits = 0;
  std::memcpy(&bits, p, sizeof bits);
  return bits;
}

inline void store_bits(float* p, std::uint32_t bits) noexcept { std::memcpy(p, &bits, sizeof bits); }

inline std::uint32_t bits_of(float value) noexcept { return load_bits(&value); }

inline std::uint64_t bits_of(double value) noexcept {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float float_of(std::uint32_t bits) noexcept {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

namespace detail {

// Number of bits up to and including the highest one set; 0 for 0.
constexpr int bit_length(std::uint64_t v) noexcept {
#if defined(__GNUC__)
  return v == 0 ? 0 : 64 - __builtin_clzll(v);
#else
  int length = 0;
  for (int step = 32; step > 0; step /= 2) {
    if ((v >> step) != 0) {
      v >>= step;
      length += step;
    }
  }
  return length + static_cast<int>(v);
#endif
}

// |v| as unsigned, right for the lowest int64 too.
constexpr std::uint64_t magnitude_of(std::int64_t v) noexcept {
  return v < 0 ? ~static_cast<std::uint64_t>(v) + 1 : static_cast<std::uint64_t>(v);
}

// v / 2^n cut off, with a 1 in the lowest bit when anything was lost ("sticky"); n >= 0.
constexpr std::uint64_t shift_right_sticky(std::uint64_t v, int n) noexcept {
  if (n == 0) return v;
  if (n > 63) return v != 0 ? 1 : 0;
  const std::uint64_t lost = v & ((std::uint64_t{1} << n) - 1);
  return (v >> n) | (lost != 0 ? 1 : 0);
}

// A magnitude of 128 bits. C++17 has no portable one, and boards with 32-bit compilers have no __int128.
struct UInt128 {
  std::uint64_t hi;
  std::uint64_t lo;
};

// a * b, exact: four 32-bit products.
constexpr UInt128 multiply_exact(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t mask = 0xFFFFFFFFu;
  const std::uint64_t a0 = a & mask, a1 = a >> 32, b0 = b & mask, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, mid1 = a1 * b0, mid2 = a0 * b1;
  const std::uint64_t carry = ((low >> 32) + (mid1 & mask) + (mid2 & mask)) >> 32;
  return {a1 * b1 + (mid1 >> 32) + (mid2 >> 32) + carry, a * b};
}

// The low 64 bits of v >> n, for 0 <= n.
constexpr std::uint64_t shifted_low(UInt128 v, int n) noexcept {
  if (n == 0) return v.lo;
  if (n < 64) return (v.lo >> n) | (v.hi << (64 - n));
  return n < 128 ? v.hi >> (n - 64) : 0;
}

// Bit n of v, n >= 0.
constexpr bool bit_at(UInt128 v, int n) noexcept { return (shifted_low(v, n) & 1) != 0; }

// Whether any bit below bit n of v is set, n >= 0.
constexpr bool any_below(UInt128 v, int n) noexcept {
  if (n == 0) return false;
  if (n >= 128) return (v.hi | v.lo) != 0;
  if (n > 64) return v.lo != 0 || (v.hi & ((std::uint64_t{1} << (n - 64)) - 1)) != 0;
  return n == 64 ? v.lo != 0 : (v.lo & ((std::uint64_t{1} << n) - 1)) != 0;
}

constexpr int bit_length(UInt128 v) noexcept { return v.hi != 0 ? 64 + bit_length(v.hi) : bit_length(v.lo); }

constexpr std::int64_t clamp(std::int64_t v, std::int64_t lo, std::int64_t hi) noexcept {
  return v < lo ? lo : (v > hi ? hi : v);
}

}  // namespace detail
}  // namespace halfeven

#endif  // HALFEVEN_BITS_HPP_
