// The loop of the vector kernels, over the Vector of the instruction set that was included before.
// In an unnamed namespace, see vector/.
//
// Clamping comes before rounding: every rule is monotone and maps an integer to itself, so the order does not matter,
// and what is converted always fits.
#pragma once

#include <cstring>

#include "kernels/quantize/quantize.h"
#include "kernels/vector/blocks.h"

namespace halfeven::native {
namespace {

// How f32(x / S) or f32(x * f32(1 / S)) is computed.
//
// fused: v = x r, v += (x - v S) r with r = f32(1 / S) and each step an FMA. Equal to the division: with u = 2^-24 the
// first v is off by at most (2u + u^2) v, hence the second by 4u^2 v before its one rounding, and no quotient of two
// float32 significands for which that could matter rounds differently (all such quotients were enumerated, see
// docs/decisions/0004). 2^-60 <= S <= 2^60 keeps every step that can reach a code away from under- and overflow.
enum class Quotient { divide, fused, reciprocal };

constexpr float min_fused_scale = 0x1p-60f;
constexpr float max_fused_scale = 0x1p60f;

template <Quotient quotient, ZeroPoint side, Rounding rounding, bool one_an_element>
class Quantizer {
 public:
  static constexpr bool per_element = one_an_element;

  Quantizer(const QuantizeRun& run, const QuantizeRule& rule)
      : scales_(run.scale), zero_points_(run.zero_point), range_(rule.range) {
    const float scale = run.scale[0];
    const std::int32_t zero_point = run.zero_point[0];
    scale_ = Vector::fill(scale);
    factor_ = Vector::fill(1.0f / scale);
    zero_point_ = Vector::fill(zero_point);
    zero_point_float_ = Vector::fill(static_cast<float>(zero_point));
    const bool inside = side == ZeroPoint::kInside && quotient != Quotient::fused;
    lo_ = Vector::fill(bound(rule.range.qmin, inside ? 0 : zero_point, scale));
    hi_ = Vector::fill(bound(rule.range.qmax, inside ? 0 : zero_point, scale));
  }

  // The codes of x, none of it NaN, whose parameters are entry i and following.
  Vector::Ints codes(Vector::Floats x, std::int64_t i) const {
    Vector::Floats t = scaled(x, i);
    const Vector::Ints z = per_element ? Vector::load(zero_points_ + i) : zero_point_;
    if constexpr (side == ZeroPoint::kInside)
      t = Vector::add(t, per_element ? Vector::to_floats(z) : zero_point_float_);
    if constexpr (quotient != Quotient::fused) t = clamped(t, z);
    const Vector::Ints q = rounded(t);
    return side == ZeroPoint::kInside ? q : Vector::add(q, z);
  }

 private:
  // The fused form limits x itself: to (qmin - Z) S and (qmax - Z) S, which are within 2^-6 steps of their codes.
  static float bound(std::int32_t code, std::int32_t zero_point, float scale) {
    const float steps = static_cast<float>(code - zero_point);
    return quotient == Quotient::fused ? steps * scale : steps;
  }

  Vector::Floats scaled(Vector::Floats x, std::int64_t i) const {
    if constexpr (quotient == Quotient::fused) {
      const Vector::Floats limited = Vector::clamp(x, lo_, hi_);
      const Vector::Floats v = Vector::multiply(limited, factor_);
      return Vector::fma(Vector::fnma(v, scale_, limited), factor_, v);
    } else if constexpr (quotient == Quotient::divide) {
      return Vector::divide(x, per_element ? Vector::load(scales_ + i) : scale_);
    } else {
      return Vector::multiply(x, per_element ? Vector::divide(Vector::fill(1.0f), Vector::load(scales_ + i)) : factor_);
    }
  }

  Vector::Floats clamped(Vector::Floats t, Vector::Ints z) const {
    if constexpr (per_element && side == ZeroPoint::kOutside) {
      const Vector::Floats lo = Vector::to_floats(Vector::subtract(Vector::fill(range_.qmin), z));
      const Vector::Floats hi = Vector::to_floats(Vector::subtract(Vector::fill(range_.qmax), z));
      return Vector::clamp(t, lo, hi);
    } else {
      return Vector::clamp(t, lo_, hi_);
    }
  }

  static Vector::Ints rounded(Vector::Floats t) {
    if constexpr (rounding == Rounding::kHalfEven) return Vector::nearest(t);
    if constexpr (rounding == Rounding::kHalfUpFloat32) return Vector::floor(Vector::add(t, Vector::fill(0.5f)));
    // The float32 before 1/2: only from a true half on does the sum reach the next integer. Exact for |t| < 2^22.
    const Vector::Floats almost_half = Vector::fill(0x1.fffffep-2f);
    return Vector::truncate(Vector::add(t, Vector::with_sign_of(almost_half, t)));
  }

  const float* scales_;
  const std::int32_t* zero_points_;
  CodeRange range_;
  Vector::Floats scale_;
  Vector::Floats factor_;
  Vector::Floats lo_;
  Vector::Floats hi_;
  Vector::Floats zero_point_float_;
  Vector::Ints zero_point_;
};

template <class Q, class Code>
class QuantizeLoop {
 public:
  QuantizeLoop(const QuantizeRun& run, const QuantizeRule& rule)
      : run_(run), rule_(rule), quantizer_(run, rule), out_(static_cast<Code*>(run.out)) {}

  std::int64_t operator()() {
    std::int64_t i = 0;
    if (run_.stream) {
      i = unaligned<Code>(run_.out, run_.count);
      partial(0, i);
      for (; i + block_size <= run_.count; i += block_size) {
        prefetch_after(run_.x + i);
        Vector::store_codes<true>(out_ + i, block(quantizer_, run_.x + i, i));
      }
    } else {
      for (; i + block_size <= run_.count; i += block_size) {
        prefetch_after(run_.x + i);
        Vector::store_codes<false>(out_ + i, block(quantizer_, run_.x + i, i));
      }
    }
    partial(i, run_.count - i);
    return nans_;
  }

 private:
  Vector::Block block(const Q& quantizer, const float* x, std::int64_t i) {
    Vector::Floats part[4];
    for (int k = 0; k < 4; ++k) part[k] = Vector::load(x + k * Vector::lanes);
    if (Vector::any_nan(part)) take_out_nans(part);
    Vector::Block codes;
    for (int k = 0; k < 4; ++k) codes.part[k] = quantizer.codes(part[k], i + k * Vector::lanes);
    return codes;
  }

  // Counts the NaN and makes them 0, whose code is clamp(Z).
  void take_out_nans(Vector::Floats (&part)[4]) {
    for (Vector::Floats& x : part) {
      nans_ += Vector::count_nan(x);
      x = Vector::zero_where_nan(x);
    }
  }

  // Fewer elements than a block, by way of copies that are a block long.
  void partial(std::int64_t first, std::int64_t n) {
    if (n == 0) return;
    float x[block_size] = {};
    Code out[block_size];
    const std::size_t count = static_cast<std::size_t>(n);
    std::memcpy(x, run_.x + first, count * sizeof(float));
    Vector::store_codes<false>(out, Q::per_element ? partial_block(x, first, count) : block(quantizer_, x, 0));
    std::memcpy(out_ + first, out, count * sizeof(Code));
  }

  Vector::Block partial_block(const float* x, std::int64_t first, std::size_t count) {
    float scale[block_size];
    std::int32_t zero_point[block_size] = {};
    for (float& s : scale) s = 1.0f;
    std::memcpy(scale, run_.scale + first, count * sizeof(float));
    std::memcpy(zero_point, run_.zero_point + first, count * sizeof(std::int32_t));
    QuantizeRun copy = run_;
    copy.scale = scale;
    copy.zero_point = zero_point;
    return block(Q(copy, rule_), x, 0);
  }

  const QuantizeRun& run_;
  const QuantizeRule& rule_;
  const Q quantizer_;
  Code* out_;
  std::int64_t nans_ = 0;
};

// From the values of the rule to the loop compiled for them.

template <Quotient quotient, ZeroPoint side, Rounding rounding, class Code>
std::int64_t quantize_parameters(const QuantizeRun& run, const QuantizeRule& rule) {
  if constexpr (quotient != Quotient::fused) {
    if (run.per_element) return QuantizeLoop<Quantizer<quotient, side, rounding, true>, Code>(run, rule)();
  }
  return QuantizeLoop<Quantizer<quotient, side, rounding, false>, Code>(run, rule)();
}

template <Quotient quotient, ZeroPoint side, class Code>
std::int64_t quantize_rounding(const QuantizeRun& run, const QuantizeRule& rule) {
  switch (rule.rounding) {
    case Rounding::kHalfEven: return quantize_parameters<quotient, side, Rounding::kHalfEven, Code>(run, rule);
    case Rounding::kHalfUpFloat32:
      return quantize_parameters<quotient, side, Rounding::kHalfUpFloat32, Code>(run, rule);
    default: return quantize_parameters<quotient, side, Rounding::kHalfAway, Code>(run, rule);
  }
}

template <Quotient quotient, class Code>
std::int64_t quantize_side(const QuantizeRun& run, const QuantizeRule& rule) {
  return rule.side == ZeroPoint::kInside ? quantize_rounding<quotient, ZeroPoint::kInside, Code>(run, rule)
                                         : quantize_rounding<quotient, ZeroPoint::kOutside, Code>(run, rule);
}

template <class Code>
std::int64_t quantize_codes(const QuantizeRun& run, const QuantizeRule& rule) {
  if (run.count == 0) return 0;
  if (rule.scaling == Scaling::kReciprocal) return quantize_side<Quotient::reciprocal, Code>(run, rule);
  const bool fused = !run.per_element && run.scale[0] >= min_fused_scale && run.scale[0] <= max_fused_scale;
  return fused ? quantize_side<Quotient::fused, Code>(run, rule) : quantize_side<Quotient::divide, Code>(run, rule);
}

}  // namespace
}  // namespace halfeven::native
