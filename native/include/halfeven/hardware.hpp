// The arithmetic of affine.hpp as loops that compilers turn into vector instructions.
//
// Equal bit for bit to the integer definition, provided that hardware_is_exact() and zero points are small (|Z| <= 2^16
// here; the callers see to both). Each kernel is kept out of line, so that no caller's context can contract,
// reassociate or move its arithmetic.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_HARDWARE_HPP_
#define HALFEVEN_HARDWARE_HPP_

#include <cstddef>
#include <type_traits>

#include "codes.hpp"
#include "environment.hpp"
#include "profile.hpp"

#if HALFEVEN_HARDWARE_FLOAT
#define HALFEVEN_NOINLINE __attribute__((noinline))
#define HALFEVEN_RESTRICT __restrict__

namespace halfeven {
namespace detail {

HALFEVEN_PRECISE_BEGIN

// 0, in a way that no compiler can see. XOR with it makes a product opaque: nothing can be fused with it.
inline std::uint32_t hidden_zero() noexcept {
  std::uint32_t zero = 0;
  __asm__ volatile("" : "+r"(zero));
  return zero;
}

// a where the condition holds, else b. Written with masks, because compilers that must keep floating-point traps in
// mind turn a conditional into a branch, and do not vectorise the loop then.
inline std::uint32_t select(bool condition, std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(condition);
  return (a & mask) | (b & ~mask);
}

inline float select(bool condition, float a, float b) noexcept {
  return float_of(select(condition, bits_of(a), bits_of(b)));
}

inline std::int32_t select(bool condition, std::int32_t a, std::int32_t b) noexcept {
  return static_cast<std::int32_t>(select(condition, static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b)));
}

// The integer next to c by the rule; c is finite and |c| <= 2^17.
template <Rounding kRounding>
inline std::int32_t round_small(float c) noexcept {
  if (kRounding == Rounding::kHalfEven) {
    const float magic = 12582912.0f;  // 1.5 * 2^23: the sum's last bit is worth 1, and the addition rounds half to even
    return static_cast<std::int32_t>(bits_of(c + magic)) - static_cast<std::int32_t>(0x4B400000);
  }
  if (kRounding == Rounding::kHalfUpFloat32) {
    const float t = c + 0.5f;
    const std::int32_t cut = static_cast<std::int32_t>(t);
    return cut - static_cast<std::int32_t>(static_cast<float>(cut) > t);
  }
  const std::int32_t cut = static_cast<std::int32_t>(c);
  const float rest = c - static_cast<float>(cut);  // exact
  return cut + static_cast<std::int32_t>(rest >= 0.5f) - static_cast<std::int32_t>(rest <= -0.5f);
}

// One element. Clamping first is the same as clamping last: each rule is monotone and keeps integers.
template <Scaling kScaling, ZeroPoint kZeroPoint, Rounding kRounding>
inline std::int32_t quantize_one(float x, float s, std::int32_t z, CodeRange range, std::uint32_t zero,
                                 std::uint32_t& nans) noexcept {
  const bool inside = kZeroPoint == ZeroPoint::kInside;
  float v = kScaling == Scaling::kDivide ? x / s : x * s;
  if (kScaling == Scaling::kReciprocal) v = float_of(bits_of(v) ^ zero);
  if (inside) v += static_cast<float>(z);
  const float lo = static_cast<float>(inside ? range.qmin : range.qmin - z);
  const float hi = static_cast<float>(inside ? range.qmax : range.qmax - z);
  const bool is_number = v == v;
  float c = select(v < lo, lo, v);
  c = select(c > hi, hi, c);
  c = select(is_number, c, 0.0f);  // a NaN must not reach the conversion
  nans += static_cast<std::uint32_t>(!is_number);
  const std::int32_t q = round_small<kRounding>(c) + (inside ? 0 : z);
  const std::int32_t nan_code = z < range.qmin ? range.qmin : (z > range.qmax ? range.qmax : z);
  return select(is_number, q, nan_code);
}

// Elements that the loops below take at a time. A constant, so that compilers vectorise at -O2 too.
inline constexpr std::size_t kChunk = 32;

// kChunk codes. kStep is 0 for one scale, 1 for one scale an element (channels last).
template <int kStep, Scaling kScaling, ZeroPoint kZeroPoint, Rounding kRounding, class Code>
inline std::uint32_t quantize_chunk(const float* HALFEVEN_RESTRICT x, const float* HALFEVEN_RESTRICT scale,
                                    const std::int32_t* HALFEVEN_RESTRICT zero_point, CodeRange range,
                                    std::uint32_t zero, Code* HALFEVEN_RESTRICT out) noexcept {
  std::uint32_t nans = 0;
  for (std::size_t i = 0; i < kChunk; ++i) {
    const float s = kScaling == Scaling::kDivide ? scale[i * kStep] : 1.0f / scale[i * kStep];
    const std::int32_t z = zero_point[i * kStep];
    out[i] = static_cast<Code>(quantize_one<kScaling, kZeroPoint, kRounding>(x[i], s, z, range, zero, nans));
  }
  return nans;
}

template <class T>
inline void copy_tail(const T* from, std::size_t n, T filling, T* to) noexcept {
  for (std::size_t i = 0; i < kChunk; ++i) to[i] = i < n ? from[i] : filling;
}

// n codes. Returns the NaN count.
template <int kStep, Scaling kScaling, ZeroPoint kZeroPoint, Rounding kRounding, class Code>
HALFEVEN_NOINLINE std::size_t quantize_hardware(const float* x, std::size_t n, const float* scale,
                                                const std::int32_t* zero_point, CodeRange range, Code* out) noexcept {
  const std::uint32_t zero = hidden_zero();
  std::size_t nans = 0, i = 0;
  for (; i + kChunk <= n; i += kChunk) {
    nans += quantize_chunk<kStep, kScaling, kZeroPoint, kRounding>(x + i, scale + i * kStep, zero_point + i * kStep,
                                                                   range, zero, out + i);
  }
  if (i == n) return nans;
  float tail_x[kChunk], tail_scale[kChunk];
  std::int32_t tail_zero_point[kChunk];
  Code tail_out[kChunk];
  copy_tail(x + i, n - i, 0.0f, tail_x);
  copy_tail(scale + i * kStep, kStep == 0 ? 1 : n - i, 1.0f, tail_scale);
  copy_tail(zero_point + i * kStep, kStep == 0 ? 1 : n - i, 0, tail_zero_point);
  nans += quantize_chunk<kStep, kScaling, kZeroPoint, kRounding>(tail_x, tail_scale, tail_zero_point, range, zero,
                                                                 tail_out);
  std::memcpy(out + i, tail_out, (n - i) * sizeof(Code));
  return nans;
}

// f32(f32(q - z) * S). For 32-bit codes the difference is exact in double, and its conversion the one rounding.
template <int kStep, class Code>
HALFEVEN_NOINLINE void dequantize_hardware(const Code* HALFEVEN_RESTRICT q, std::size_t n,
                                           const float* HALFEVEN_RESTRICT scale,
                                           const std::int32_t* HALFEVEN_RESTRICT zero_point,
                                           float* HALFEVEN_RESTRICT out) noexcept {
  using Exact = typename std::conditional<sizeof(Code) == 4, double, std::int32_t>::type;
  for (std::size_t i = 0; i < n; ++i) {
    const Exact difference = static_cast<Exact>(q[i]) - static_cast<Exact>(zero_point[i * kStep]);
    out[i] = static_cast<float>(difference) * scale[i * kStep];
  }
}

HALFEVEN_PRECISE_END

}  // namespace detail
}  // namespace halfeven

#endif  // HALFEVEN_HARDWARE_FLOAT
#endif  // HALFEVEN_HARDWARE_HPP_
