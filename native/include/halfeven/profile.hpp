// Profiles: every choice on which toolchains differ, as one constexpr value each. Source: docs/math/profiles.md.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_PROFILE_HPP_
#define HALFEVEN_PROFILE_HPP_

#include "rounding.hpp"

namespace halfeven {

// How r / S is formed.
enum class Scaling : std::uint8_t {
  kDivide = 0,      // f32(r / S)
  kReciprocal = 1,  // f32(r * f32(1 / S)): another function
};

// On which side of the rounding of Quantize the zero point is added.
enum class ZeroPoint : std::uint8_t {
  kInside = 0,   // round(f32(v + Z))
  kOutside = 1,  // round(v) + Z
};

// How M * acc becomes an integer. Source: docs/math/requantize.md.
enum class Requantize : std::int8_t {
  kUndefined = -1,      // the toolchain defines none
  kExactHalfEven = 0,   // one rounding of the exact product, ties to even
  kExactHalfUp = 1,     // one rounding of the exact product, floor(x + 1/2)
  kDoubleRounding = 2,  // saturating rounding doubling high multiply, then a rounding shift: two roundings
  kFloat32 = 3,         // rhe(f32(f32(acc) * M)), M a float32
};

// One toolchain's arithmetic.
struct Profile {
  const char* name;
  Scaling scaling;
  ZeroPoint zero_point;
  Rounding rounding;
  Requantize requantize;
  int multiplier_bits;        // width of M0
  bool multiplier_half_away;  // M0 itself is rounded half away from zero, else half to even
  bool multiplier_float32;    // M is formed in float32 steps, else in float64
};

namespace profiles {

// clang-format off: a table, one row a profile
// Journey 6 toolchain, OE 3.0.31 and later: the default.
inline constexpr Profile journey6{       "journey6",        Scaling::kDivide,     ZeroPoint::kInside,  Rounding::kHalfEven,
                                         Requantize::kExactHalfEven,  31, false, false};
// Journey 6 toolchain before OE 3.0.31.
inline constexpr Profile journey6_legacy{"journey6-legacy", Scaling::kDivide,     ZeroPoint::kInside,  Rounding::kHalfUpFloat32,
                                         Requantize::kExactHalfUp,    31, false, false};
// ONNX Runtime, CPU.
inline constexpr Profile onnxruntime{    "onnxruntime",     Scaling::kDivide,     ZeroPoint::kOutside, Rounding::kHalfEven,
                                         Requantize::kFloat32,        24, false, true};
// PyTorch fake_quantize.
inline constexpr Profile pytorch{        "pytorch",         Scaling::kReciprocal, ZeroPoint::kOutside, Rounding::kHalfEven,
                                         Requantize::kUndefined,      31, false, false};
// TensorFlow Lite, single rounding.
inline constexpr Profile tflite{         "tflite",          Scaling::kDivide,     ZeroPoint::kOutside, Rounding::kHalfAway,
                                         Requantize::kExactHalfUp,    31, true,  false};
// TensorFlow Lite Micro and gemmlowp, double rounding.
inline constexpr Profile tflite_double{  "tflite-double",   Scaling::kDivide,     ZeroPoint::kOutside, Rounding::kHalfAway,
                                         Requantize::kDoubleRounding, 31, true,  false};
// XNNPACK, fp32 requantization.
inline constexpr Profile xnnpack{        "xnnpack",         Scaling::kReciprocal, ZeroPoint::kOutside, Rounding::kHalfEven,
                                         Requantize::kFloat32,        24, false, true};
// clang-format on

inline constexpr Profile all[] = {journey6, journey6_legacy, onnxruntime, pytorch, tflite, tflite_double, xnnpack};

}  // namespace profiles
}  // namespace halfeven

#endif  // HALFEVEN_PROFILE_HPP_
