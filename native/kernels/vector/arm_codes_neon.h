// From int32 sums in registers to u8 codes, see x86_codes_avx512.h. In an unnamed namespace, see arm_neon.h.
#pragma once

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/arm_neon.h"

namespace halfeven::native {
namespace {

// 16 int32, in order.
struct Sixteen {
  int32x4_t part[4];
};

// A CodeRule in registers.
struct CodeVectors {
  explicit CodeVectors(const CodeRule& rule)
      : zero(vdupq_n_s32(rule.zero)), lo(vdupq_n_s32(rule.lo)), hi(vdupq_n_s32(rule.hi)) {}

  // clamp(q + zero) of rounded values; saturates on the way, so that the largest stay the largest.
  uint8x16_t operator()(const Sixteen& q) const {
    int32x4_t limited[4];
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) limited[v] = vminq_s32(vmaxq_s32(vqaddq_s32(q.part[v], zero), lo), hi);
    const int16x8_t low = vmovn_high_s32(vmovn_s32(limited[0]), limited[1]);
    const int16x8_t high = vmovn_high_s32(vmovn_s32(limited[2]), limited[3]);
    return vreinterpretq_u8_s8(vmovn_high_s16(vmovn_s16(low), high));
  }

  int32x4_t zero;
  int32x4_t lo;
  int32x4_t hi;
};

// rhe(m * sums)
HALFEVEN_INLINE Sixteen rounded(const Sixteen& sums, const double* m) {
  const Vector::Doubles magic = Vector::fill(0x1.8p52);
  Sixteen q;
  HALFEVEN_UNROLL
  for (int v = 0; v < 4; ++v) {
    const Vector::Doubles exact = Vector::to_doubles(sums.part[v]);
    q.part[v] = Vector::low_words(Vector::fma(exact, Vector::load(m + 4 * v), magic));
  }
  return q;
}

// rhe(a * codes + b * other + constant)
HALFEVEN_INLINE Sixteen rounded_sum(const SumRule& rule, uint8x16_t codes, uint8x16_t other) {
  const uint16x8_t x[2] = {vmovl_u8(vget_low_u8(codes)), vmovl_high_u8(codes)};
  const uint16x8_t y[2] = {vmovl_u8(vget_low_u8(other)), vmovl_high_u8(other)};
  const float32x4_t constant = vdupq_n_f32(rule.constant);
  Sixteen q;
  HALFEVEN_UNROLL
  for (int v = 0; v < 4; ++v) {
    const uint32x4_t a = v % 2 == 0 ? vmovl_u16(vget_low_u16(x[v / 2])) : vmovl_high_u16(x[v / 2]);
    const uint32x4_t b = v % 2 == 0 ? vmovl_u16(vget_low_u16(y[v / 2])) : vmovl_high_u16(y[v / 2]);
    const float32x4_t second = vfmaq_n_f32(constant, vcvtq_f32_u32(b), rule.b);
    q.part[v] = vcvtnq_s32_f32(vfmaq_n_f32(second, vcvtq_f32_u32(a), rule.a));
  }
  return q;
}

inline void write_bytes(std::uint8_t* out, uint8x16_t codes, std::int64_t count) {
  if (count >= 16) return vst1q_u8(out, codes);
  std::uint8_t bytes[16];
  vst1q_u8(bytes, codes);
  std::memcpy(out, bytes, static_cast<std::size_t>(count));
}

}  // namespace
}  // namespace halfeven::native
