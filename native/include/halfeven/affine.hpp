// Quantize and dequantize. Source: docs/math/affine.md eq. 1, 2, 5.
//
//   (1) r = S (q - Z)
//   (2) q = clamp(round(f32(f32(r / S) + Z)))      profile journey6; the others differ as profile.hpp says
//   (5) r = f32(f32(q - Z) * S)                    the difference exact
//
// The integer path below is the definition; the array functions run the hardware path of hardware.hpp where it is
// known to give the same bits.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_AFFINE_HPP_
#define HALFEVEN_AFFINE_HPP_

#include "codes.hpp"
#include "hardware.hpp"
#include "profile.hpp"

namespace halfeven {

// r = S (q - Z) of a tensor or a channel. The scale is finite, > 0 and normal; the zero point lies in the range.
struct AffineParams {
  float scale;
  std::int32_t zero_point;
  CodeRange range;
};

// Eq. 2 with everything prepared: maps the bit pattern of a float32 to its code.
class Quantizer {
 public:
  // Any scale and zero point are safe; only those that AffineParams allows are meaningful.
  constexpr Quantizer(std::uint32_t scale_bits, std::int32_t zero_point, CodeRange range,
                      const Profile& profile) noexcept
      : factor_(profile.scaling == Scaling::kDivide ? scale_bits : soft::divide(soft::kOne, scale_bits)),
        zero_point_(zero_point),
        range_(range),
        scaling_(profile.scaling),
        side_(profile.zero_point),
        rounding_(profile.rounding) {}

  Quantizer(const AffineParams& params, const Profile& profile) noexcept
      : Quantizer(load_bits(&params.scale), params.zero_point, params.range, profile) {}

  // The code of a float32. Beyond the range, +-inf included: qmin or qmax. NaN: clamp(Z).
  constexpr std::int32_t operator()(std::uint32_t x) const noexcept {
    const std::uint32_t v = scaling_ == Scaling::kDivide ? soft::divide(x, factor_) : soft::multiply(x, factor_);
    if (soft::is_nan(v)) return clamped(zero_point_);
    if (side_ == ZeroPoint::kInside) return clamped(round_float(soft::add_integer(v, zero_point_), rounding_));
    return clamped(round_float(v, rounding_) + zero_point_);
  }

 private:
  constexpr std::int32_t clamped(std::int64_t q) const noexcept {
    return static_cast<std::int32_t>(detail::clamp(q, range_.qmin, range_.qmax));
  }

  std::uint32_t factor_;  // S, or f32(1 / S)
  std::int32_t zero_point_;
  CodeRange range_;
  Scaling scaling_;
  ZeroPoint side_;
  Rounding rounding_;
};

// Eq. 2 for one number. NaN gives clamp(Z), +-inf saturate. Under -ffast-math a compiler may take a float argument for
// not NaN: there, pass the pattern to a Quantizer, or use the array function.
inline std::int32_t quantize(float x, const AffineParams& params,
                             const Profile& profile = profiles::journey6) noexcept {
  return Quantizer(params, profile)(load_bits(&x));
}

// Eq. 5 on patterns: f32(f32(q - Z) * S), both roundings half to even. Overflow gives +-inf, a tiny result a subnormal.
constexpr std::uint32_t dequantize_bits(std::int32_t code, std::int32_t zero_point, std::uint32_t scale_bits) noexcept {
  return soft::multiply(soft::from_integer(std::int64_t{code} - zero_point), scale_bits);
}

// Eq. 5 for one code.
inline float dequantize(std::int32_t code, const AffineParams& params) noexcept {
  return float_of(dequantize_bits(code, params.zero_point, load_bits(&params.scale)));
}

namespace detail {

// One row of elements with one scale and zero point (step 0), or one of each an element (step 1).
struct RowParams {
  const float* scale;
  const std::int32_t* zero_point;
  CodeRange range;
};

template <int kStep, class Code>
std::size_t quantize_soft(const float* x, std::size_t n, RowParams p, const Profile& profile, Code* out) noexcept {
  Quantizer code(load_bits(p.scale), *p.zero_point, p.range, profile);
  std::size_t nans = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (kStep == 1) code = Quantizer(load_bits(p.scale + i), p.zero_point[i], p.range, profile);
    const std::uint32_t bits = load_bits(x + i);
    nans += soft::is_nan(bits) ? 1u : 0u;
    out[i] = static_cast<Code>(code(bits));
  }
  return nans;
}

template <int kStep, class Code>
void dequantize_soft(const Code* q, std::size_t n, RowParams p, float* out) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t k = i * kStep;
    store_bits(out + i, dequantize_bits(q[i], p.zero_point[k], load_bits(p.scale + k)));
  }
}

#if HALFEVEN_HARDWARE_FLOAT
constexpr int kernel_of(Scaling scaling, ZeroPoint side, Rounding rounding) noexcept {
  return static_cast<int>(scaling) * 16 + static_cast<int>(side) * 8 + static_cast<int>(rounding);
}

constexpr int kernel_of(const Profile& p) noexcept { return kernel_of(p.scaling, p.zero_point, p.rounding); }
#endif

// `hardware` says that the floating-point environment is the default one and that zero points are within +-2^16.
template <int kStep, class Code>
std::size_t quantize_row(const float* x, std::size_t n, RowParams p, const Profile& profile, bool hardware,
                         Code* out) noexcept {
#if HALFEVEN_HARDWARE_FLOAT
  constexpr Scaling D = Scaling::kDivide, M = Scaling::kReciprocal;
  constexpr ZeroPoint I = ZeroPoint::kInside, O = ZeroPoint::kOutside;
  constexpr Rounding E = Rounding::kHalfEven, U = Rounding::kHalfUpFloat32, A = Rounding::kHalfAway;
  if (hardware && sizeof(Code) < 4) {
    switch (kernel_of(profile)) {
      case kernel_of(D, I, E): return quantize_hardware<kStep, D, I, E>(x, n, p.scale, p.zero_point, p.range, out);
      case kernel_of(D, I, U): return quantize_hardware<kStep, D, I, U>(x, n, p.scale, p.zero_point, p.range, out);
      case kernel_of(D, O, E): return quantize_hardware<kStep, D, O, E>(x, n, p.scale, p.zero_point, p.range, out);
      case kernel_of(D, O, A): return quantize_hardware<kStep, D, O, A>(x, n, p.scale, p.zero_point, p.range, out);
      case kernel_of(M, O, E): return quantize_hardware<kStep, M, O, E>(x, n, p.scale, p.zero_point, p.range, out);
      default: break;
    }
  }
#endif
  static_cast<void>(hardware);
  return n == 0 ? 0 : quantize_soft<kStep>(x, n, p, profile, out);
}

template <int kStep, class Code>
void dequantize_row(const Code* q, std::size_t n, RowParams p, bool hardware, float* out) noexcept {
#if HALFEVEN_HARDWARE_FLOAT
  if (hardware) return dequantize_hardware<kStep>(q, n, p.scale, p.zero_point, out);
#endif
  static_cast<void>(hardware);
  dequantize_soft<kStep>(q, n, p, out);
}

constexpr bool is_small(std::int32_t zero_point) noexcept { return zero_point >= -65536 && zero_point <= 65536; }

}  // namespace detail

// Eq. 2 for n contiguous numbers. `out` must not overlap `x`. Codes also stay inside what Code can store.
// Returns the number of NaN met, each of which became clamp(Z). +-inf saturate.
template <class Code>
std::size_t quantize(const float* x, std::size_t n, Code* out, const AffineParams& params,
                     const Profile& profile = profiles::journey6) noexcept {
  const CodeRange range = intersection(params.range, range_of<Code>());
  const bool hardware = hardware_is_exact() && detail::is_small(params.zero_point);
  return detail::quantize_row<0>(x, n, {&params.scale, &params.zero_point, range}, profile, hardware, out);
}

// Eq. 5 for n contiguous codes. `out` must not overlap `codes`.
template <class Code>
void dequantize(const Code* codes, std::size_t n, float* out, const AffineParams& params) noexcept {
  static_assert(is_code_type<Code>(), "codes are stored as int8, uint8, int16, uint16 or int32");
  const bool hardware = hardware_is_exact() && (sizeof(Code) == 4 || detail::is_small(params.zero_point));
  detail::dequantize_row<0>(codes, n, {&params.scale, &params.zero_point, params.range}, hardware, out);
}

}  // namespace halfeven

#endif  // HALFEVEN_AFFINE_HPP_
