// Binary and log2 quantizers, for weights. Source: docs/math/nonlinear.md.
//
//   binary  q = +1 where r >= 0 (also -0.0), else -1;   r = S q
//   log2    q = 0, or +-(k + 1) for +-S 2^-k, k = 0 .. K-1, K = 2^(bits-1) - 1
//
// Decided in integers: no floating-point mode matters.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_NONLINEAR_HPP_
#define HALFEVEN_NONLINEAR_HPP_

#include <cstddef>

#include "softfloat.hpp"

namespace halfeven {

// +1 or -1. NaN, which is not >= 0, gives -1.
constexpr std::int8_t quantize_binary_bits(std::uint32_t r) noexcept {
  const bool negative = (r & soft::kSign) != 0 && !soft::is_zero(r);
  return soft::is_nan(r) || negative ? std::int8_t{-1} : std::int8_t{1};
}

// S q. A code that is neither -1 nor +1 counts by its sign, 0 as +1.
constexpr std::uint32_t dequantize_binary_bits(std::int8_t code, std::uint32_t scale) noexcept {
  return code < 0 ? scale ^ soft::kSign : scale;
}

// K, the largest log2 code of 2 to 8 bits.
constexpr int log2_max_code(int bits) noexcept { return (1 << (bits - 1)) - 1; }

namespace detail {

// The k with S 2^-(k + 1/2) < |r| < S 2^-(k - 1/2): log2(S / |r|) to the nearest integer. Exact, by squares; they
// never meet, since 2^(1/2) is irrational. r is finite and not zero.
constexpr int log2_exponent(std::uint32_t r, std::uint32_t scale) noexcept {
  const soft::Number a = soft::normalized(soft::unpack(r), 24), s = soft::normalized(soft::unpack(scale), 24);
  const std::uint64_t a2 = a.significand * a.significand, s2 = s.significand * s.significand;
  const int mantissas = s2 > 2 * a2 ? 1 : (a2 > 2 * s2 ? -1 : 0);
  return s.exponent - a.exponent + mantissas;
}

}  // namespace detail

// Sign and exponent code. |r| above S, inf too: k = 0. |r| below S 2^-(K - 1/2), and NaN: 0. bits is 2 to 8.
constexpr std::int8_t quantize_log2_bits(std::uint32_t r, std::uint32_t scale, int bits) noexcept {
  if (soft::is_nan(r) || soft::is_zero(r)) return 0;
  const int k = soft::is_infinite(r) ? 0 : detail::log2_exponent(r, scale);
  const int magnitude = k < 0 ? 1 : k + 1;
  if (magnitude > log2_max_code(bits)) return 0;
  return static_cast<std::int8_t>((r & soft::kSign) != 0 ? -magnitude : magnitude);
}

// sign(q) S 2^-(|q| - 1), rounded once where it is subnormal; 0 for code 0.
constexpr std::uint32_t dequantize_log2_bits(std::int8_t code, std::uint32_t scale) noexcept {
  if (code == 0) return 0;
  const std::uint32_t magnitude = soft::scale_by_power(scale, code < 0 ? code + 1 : 1 - code);
  return code < 0 ? magnitude | soft::kSign : magnitude;
}

// n contiguous numbers with one scale. Each returns the number of NaN met.
inline std::size_t quantize_binary(const float* x, std::size_t n, std::int8_t* out) noexcept {
  std::size_t nans = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t r = load_bits(x + i);
    nans += soft::is_nan(r) ? 1u : 0u;
    out[i] = quantize_binary_bits(r);
  }
  return nans;
}

inline std::size_t quantize_log2(const float* x, std::size_t n, std::int8_t* out, float scale, int bits) noexcept {
  const std::uint32_t s = load_bits(&scale);
  std::size_t nans = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t r = load_bits(x + i);
    nans += soft::is_nan(r) ? 1u : 0u;
    out[i] = quantize_log2_bits(r, s, bits);
  }
  return nans;
}

inline void dequantize_binary(const std::int8_t* codes, std::size_t n, float* out, float scale) noexcept {
  const std::uint32_t s = load_bits(&scale);
  for (std::size_t i = 0; i < n; ++i) store_bits(out + i, dequantize_binary_bits(codes[i], s));
}

inline void dequantize_log2(const std::int8_t* codes, std::size_t n, float* out, float scale) noexcept {
  const std::uint32_t s = load_bits(&scale);
  for (std::size_t i = 0; i < n; ++i) store_bits(out + i, dequantize_log2_bits(codes[i], s));
}

}  // namespace halfeven

#endif  // HALFEVEN_NONLINEAR_HPP_
