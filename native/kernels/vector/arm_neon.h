// Four lanes of NEON (AArch64) as the loops of the kernels see them.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace halfeven::native {
namespace {

// For each set of four lanes, the bytes of those in it first.
struct KeptFirst {
  std::uint8_t bytes[16][16] = {};
  constexpr KeptFirst() {
    for (int kept = 0; kept < 16; ++kept) {
      int n = 0;
      for (int lane = 0; lane < 4; ++lane) {
        for (int byte = 0; byte < 4 && (kept >> lane & 1); ++byte) {
          bytes[kept][n++] = static_cast<std::uint8_t>(4 * lane + byte);
        }
      }
    }
  }
};
constexpr KeptFirst kept_first;

struct Vector {
  using Floats = float32x4_t;
  using Ints = int32x4_t;
  static constexpr int lanes = 4;
  static constexpr int alignment = 16;

  struct Doubles {
    float64x2_t lo, hi;  // lanes 0-1 and 2-3
  };
  struct Block {
    Ints part[4];
  };

  static void prefetch(const char* p) { __builtin_prefetch(p); }
  static Floats load(const float* p) { return vld1q_f32(p); }
  static Ints load(const std::int32_t* p) { return vld1q_s32(p); }
  static Doubles load(const double* p) { return {vld1q_f64(p), vld1q_f64(p + 2)}; }
  static Floats fill(float v) { return vdupq_n_f32(v); }
  static Ints fill(std::int32_t v) { return vdupq_n_s32(v); }
  static Doubles fill(double v) { return {vdupq_n_f64(v), vdupq_n_f64(v)}; }

  static Floats add(Floats a, Floats b) { return vaddq_f32(a, b); }
  static Floats multiply(Floats a, Floats b) { return vmulq_f32(a, b); }
  static Floats divide(Floats a, Floats b) { return vdivq_f32(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }   // a * b + c
  static Floats fnma(Floats a, Floats b, Floats c) { return vfmsq_f32(c, a, b); }  // c - a * b
  static Floats clamp(Floats v, Floats lo, Floats hi) { return vminq_f32(vmaxq_f32(v, lo), hi); }
  // The other where one of them is NaN.
  static Floats least(Floats a, Floats b) { return vminnmq_f32(a, b); }
  static Floats greatest(Floats a, Floats b) { return vmaxnmq_f32(a, b); }
  static Floats with_sign_of(Floats magnitude, Floats v) { return vbslq_f32(vdupq_n_u32(0x80000000u), v, magnitude); }
  static bool any_nan(const Floats (&v)[4]) {
    const uint32x4_t numbers = vandq_u32(vandq_u32(vceqq_f32(v[0], v[0]), vceqq_f32(v[1], v[1])),
                                         vandq_u32(vceqq_f32(v[2], v[2]), vceqq_f32(v[3], v[3])));
    return vminvq_u32(numbers) == 0;
  }
  static std::int64_t count_nan(Floats v) { return 4 + vaddvq_s32(vreinterpretq_s32_u32(vceqq_f32(v, v))); }
  static Floats zero_where_nan(Floats v) {
    return vreinterpretq_f32_u32(vandq_u32(vceqq_f32(v, v), vreinterpretq_u32_f32(v)));
  }

  static Ints nearest(Floats v) { return vcvtnq_s32_f32(v); }
  static Ints floor(Floats v) { return vcvtmq_s32_f32(v); }
  static Ints truncate(Floats v) { return vcvtq_s32_f32(v); }
  static Floats to_floats(Ints v) { return vcvtq_f32_s32(v); }

  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static Ints subtract(Ints a, Ints b) { return vsubq_s32(a, b); }
  static Ints bit_and(Ints a, Ints b) { return vandq_s32(a, b); }
  static Ints bit_or(Ints a, Ints b) { return vorrq_s32(a, b); }
  static Ints least(Ints a, Ints b) { return vminq_s32(a, b); }
  static Ints bits(Floats v) { return vreinterpretq_s32_f32(v); }
  // 0 <= n < 256; from 32 on a left shift gives 0 and a right shift the sign.
  static Ints shift_left(Ints a, Ints n) { return vshlq_s32(a, vminq_s32(n, vdupq_n_s32(32))); }
  static Ints shift_right(Ints a, Ints n) { return vshlq_s32(a, vnegq_s32(vminq_s32(n, vdupq_n_s32(32)))); }
  static Ints bit_xor(Ints a, Ints b) { return veorq_s32(a, b); }
  static Ints shift_right_logical(Ints a, int n) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n)));
  }
  static Ints one_if_greater(Ints a, Ints b) { return vreinterpretq_s32_u32(vshrq_n_u32(vcgtq_s32(a, b), 31)); }
  static Ints choose_if_equal(Ints a, Ints b, Ints equal, Ints other) {
    return vbslq_s32(vceqq_s32(a, b), equal, other);
  }
  // floor(a * b / 2^31 + 1/2), b >= 0
  static Ints doubling_high_multiply(Ints a, Ints b) { return vqrdmulhq_s32(a, b); }

  // Stores the lanes of `v` where `x` is not zero side by side, and something in the others; returns how many.
  static int append_where_not_zero(std::int32_t* p, Ints v, Floats x) {
    const uint32x4_t weights = {1, 2, 4, 8};
    const std::uint32_t kept = vaddvq_u32(vbicq_u32(weights, vceqzq_f32(x)));
    const uint8x16_t order = vld1q_u8(kept_first.bytes[kept]);
    vst1q_s32(p, vreinterpretq_s32_u8(vqtbl1q_u8(vreinterpretq_u8_s32(v), order)));
    return __builtin_popcount(kept);
  }

  static Doubles to_doubles(Ints v) {
    return {vcvtq_f64_s64(vmovl_s32(vget_low_s32(v))), vcvtq_f64_s64(vmovl_high_s32(v))};
  }
  static Doubles to_doubles(Floats v) { return {vcvt_f64_f32(vget_low_f32(v)), vcvt_high_f64_f32(v)}; }
  static Floats to_floats(Doubles v) { return vcvt_high_f32_f64(vcvt_f32_f64(v.lo), v.hi); }
  static Doubles add(Doubles a, Doubles b) { return {vaddq_f64(a.lo, b.lo), vaddq_f64(a.hi, b.hi)}; }
  static Doubles subtract(Doubles a, Doubles b) { return {vsubq_f64(a.lo, b.lo), vsubq_f64(a.hi, b.hi)}; }
  static Doubles multiply(Doubles a, Doubles b) { return {vmulq_f64(a.lo, b.lo), vmulq_f64(a.hi, b.hi)}; }
  static Doubles divide(Doubles a, Doubles b) { return {vdivq_f64(a.lo, b.lo), vdivq_f64(a.hi, b.hi)}; }
  static Doubles fma(Doubles a, Doubles b, Doubles c) {
    return {vfmaq_f64(c.lo, a.lo, b.lo), vfmaq_f64(c.hi, a.hi, b.hi)};
  }
  static Doubles fnma(Doubles a, Doubles b, Doubles c) {  // c - a * b
    return {vfmsq_f64(c.lo, a.lo, b.lo), vfmsq_f64(c.hi, a.hi, b.hi)};
  }
  static Doubles fms(Doubles a, Doubles b, Doubles c) {  // a * b - c
    return {vfmaq_f64(vnegq_f64(c.lo), a.lo, b.lo), vfmaq_f64(vnegq_f64(c.hi), a.hi, b.hi)};
  }
  static void store(double* p, Doubles v) {
    vst1q_f64(p, v.lo);
    vst1q_f64(p + 2, v.hi);
  }
  static Doubles clamp(Doubles v, Doubles lo, Doubles hi) {
    return {vminq_f64(vmaxq_f64(v.lo, lo.lo), hi.lo), vminq_f64(vmaxq_f64(v.hi, lo.hi), hi.hi)};
  }
  // v + 1 where r >= 0
  static Doubles add_one_where_not_negative(Doubles v, Doubles r) {
    return {vaddq_f64(v.lo, one_where(vcgezq_f64(r.lo))), vaddq_f64(v.hi, one_where(vcgezq_f64(r.hi)))};
  }
  // The low 32 bits of each pattern.
  static Ints low_words(Doubles v) { return vuzp1q_s32(vreinterpretq_s32_f64(v.lo), vreinterpretq_s32_f64(v.hi)); }

  static Block load_codes(const std::int8_t* p) {
    const int8x16_t v = vld1q_s8(p);
    return widened(vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v));
  }
  static Block load_codes(const std::uint8_t* p) {
    const uint8x16_t v = vld1q_u8(p);
    return widened(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))), vreinterpretq_s16_u16(vmovl_high_u8(v)));
  }
  static Block load_codes(const std::int16_t* p) { return widened(vld1q_s16(p), vld1q_s16(p + 8)); }
  static Block load_codes(const std::uint16_t* p) {
    const uint16x8_t a = vld1q_u16(p);
    const uint16x8_t b = vld1q_u16(p + 8);
    return {{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(a))), vreinterpretq_s32_u32(vmovl_high_u16(a)),
             vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(b))), vreinterpretq_s32_u32(vmovl_high_u16(b))}};
  }
  static Block load_codes(const std::int32_t* p) { return {{load(p), load(p + 4), load(p + 8), load(p + 12)}}; }

  // Codes inside the type already: taking the low part loses nothing. There is no streaming store to ask for.
  template <bool>
  static void store_codes(std::int8_t* p, const Block& b) {
    vst1q_s8(p, vcombine_s8(vmovn_s16(narrowed(b.part[0], b.part[1])), vmovn_s16(narrowed(b.part[2], b.part[3]))));
  }
  template <bool stream>
  static void store_codes(std::uint8_t* p, const Block& b) {
    store_codes<stream>(reinterpret_cast<std::int8_t*>(p), b);
  }
  template <bool>
  static void store_codes(std::int16_t* p, const Block& b) {
    vst1q_s16(p, narrowed(b.part[0], b.part[1]));
    vst1q_s16(p + 8, narrowed(b.part[2], b.part[3]));
  }
  template <bool stream>
  static void store_codes(std::uint16_t* p, const Block& b) {
    store_codes<stream>(reinterpret_cast<std::int16_t*>(p), b);
  }
  template <bool>
  static void store_codes(std::int32_t* p, const Block& b) {
    for (int k = 0; k < 4; ++k) vst1q_s32(p + 4 * k, b.part[k]);
  }
  template <bool>
  static void store(float* p, Floats v) {
    vst1q_f32(p, v);
  }

 private:
  static float64x2_t one_where(uint64x2_t m) {
    return vreinterpretq_f64_u64(vandq_u64(m, vreinterpretq_u64_f64(vdupq_n_f64(1.0))));
  }
  static int16x8_t narrowed(Ints a, Ints b) { return vmovn_high_s32(vmovn_s32(a), b); }
  static Block widened(int16x8_t a, int16x8_t b) {
    return {{vmovl_s16(vget_low_s16(a)), vmovl_high_s16(a), vmovl_s16(vget_low_s16(b)), vmovl_high_s16(b)}};
  }
};

}  // namespace
}  // namespace halfeven::native
