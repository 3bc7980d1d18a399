// Sixteen lanes of AVX-512 (F, BW, VL, DQ) as the loops of the kernels see them.
// Everything is in an unnamed namespace: a copy compiled for this instruction set must never be linked elsewhere.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace halfeven::native {
namespace {

struct Vector {
  using Floats = __m512;
  using Ints = __m512i;
  static constexpr int lanes = 16;
  static constexpr int alignment = 64;  // of streaming stores

  struct Doubles {
    __m512d lo, hi;  // lanes 0-7 and 8-15
  };
  struct Block {
    Ints part[4];
  };

  static void prefetch(const char* p) { _mm_prefetch(p, _MM_HINT_T0); }
  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static Ints load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static Doubles load(const double* p) { return {_mm512_loadu_pd(p), _mm512_loadu_pd(p + 8)}; }
  static Floats fill(float v) { return _mm512_set1_ps(v); }
  static Ints fill(std::int32_t v) { return _mm512_set1_epi32(v); }
  static Doubles fill(double v) { return {_mm512_set1_pd(v), _mm512_set1_pd(v)}; }

  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }    // a * b + c
  static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a * b
  static Floats clamp(Floats v, Floats lo, Floats hi) { return _mm512_min_ps(_mm512_max_ps(v, lo), hi); }
  // The second where one of them is NaN.
  static Floats least(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats greatest(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats with_sign_of(Floats magnitude, Floats v) {
    return _mm512_or_ps(magnitude, _mm512_and_ps(v, _mm512_set1_ps(-0.0f)));
  }
  static bool any_nan(const Floats (&v)[4]) {
    return (_mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q) | _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q)) != 0;
  }
  static std::int64_t count_nan(Floats v) { return _mm_popcnt_u32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q)); }
  static Floats zero_where_nan(Floats v) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v); }

  static Ints nearest(Floats v) { return _mm512_cvtps_epi32(v); }
  static Ints floor(Floats v) { return _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  static Ints truncate(Floats v) { return _mm512_cvttps_epi32(v); }
  static Floats to_floats(Ints v) { return _mm512_cvtepi32_ps(v); }

  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Ints subtract(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  static Ints bit_and(Ints a, Ints b) { return _mm512_and_si512(a, b); }
  static Ints bit_or(Ints a, Ints b) { return _mm512_or_si512(a, b); }
  static Ints least(Ints a, Ints b) { return _mm512_min_epi32(a, b); }
  static Ints bits(Floats v) { return _mm512_castps_si512(v); }
  static Ints shift_left(Ints a, Ints n) { return _mm512_sllv_epi32(a, n); }
  static Ints shift_right(Ints a, Ints n) { return _mm512_srav_epi32(a, n); }
  static Ints bit_xor(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
  static Ints shift_right_logical(Ints a, int n) { return _mm512_srli_epi32(a, static_cast<unsigned int>(n)); }
  static Ints one_if_greater(Ints a, Ints b) {
    return _mm512_maskz_mov_epi32(_mm512_cmpgt_epi32_mask(a, b), _mm512_set1_epi32(1));
  }
  static Ints choose_if_equal(Ints a, Ints b, Ints equal, Ints other) {
    return _mm512_mask_mov_epi32(other, _mm512_cmpeq_epi32_mask(a, b), equal);
  }
  // floor(a * b / 2^31 + 1/2), b >= 0
  static Ints doubling_high_multiply(Ints a, Ints b) {
    const Ints half = _mm512_set1_epi64(std::int64_t{1} << 30);
    const Ints even = _mm512_add_epi64(_mm512_mul_epi32(a, b), half);
    const Ints odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32)), half);
    return _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), 0xaaaa, _mm512_slli_epi64(odd, 1));
  }

  // Stores the lanes of `v` where `x` is not zero side by side, and something in the others; returns how many.
  static int append_where_not_zero(std::int32_t* p, Ints v, Floats x) {
    const __mmask16 kept = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(kept, v));
    return _mm_popcnt_u32(kept);
  }

  static Doubles to_doubles(Ints v) {
    return {_mm512_cvtepi32_pd(_mm512_castsi512_si256(v)), _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(v, 1))};
  }
  static Doubles to_doubles(Floats v) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))};
  }
  static Floats to_floats(Doubles v) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(v.lo)), _mm512_cvtpd_ps(v.hi), 1);
  }
  static Doubles add(Doubles a, Doubles b) { return {_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)}; }
  static Doubles subtract(Doubles a, Doubles b) { return {_mm512_sub_pd(a.lo, b.lo), _mm512_sub_pd(a.hi, b.hi)}; }
  static Doubles multiply(Doubles a, Doubles b) { return {_mm512_mul_pd(a.lo, b.lo), _mm512_mul_pd(a.hi, b.hi)}; }
  static Doubles divide(Doubles a, Doubles b) { return {_mm512_div_pd(a.lo, b.lo), _mm512_div_pd(a.hi, b.hi)}; }
  static Doubles fma(Doubles a, Doubles b, Doubles c) {
    return {_mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi)};
  }
  static Doubles fnma(Doubles a, Doubles b, Doubles c) {  // c - a * b
    return {_mm512_fnmadd_pd(a.lo, b.lo, c.lo), _mm512_fnmadd_pd(a.hi, b.hi, c.hi)};
  }
  static Doubles fms(Doubles a, Doubles b, Doubles c) {  // a * b - c
    return {_mm512_fmsub_pd(a.lo, b.lo, c.lo), _mm512_fmsub_pd(a.hi, b.hi, c.hi)};
  }
  static void store(double* p, Doubles v) {
    _mm512_storeu_pd(p, v.lo);
    _mm512_storeu_pd(p + lanes / 2, v.hi);
  }
  static Doubles clamp(Doubles v, Doubles lo, Doubles hi) {
    return {_mm512_min_pd(_mm512_max_pd(v.lo, lo.lo), hi.lo), _mm512_min_pd(_mm512_max_pd(v.hi, lo.hi), hi.hi)};
  }
  // v + 1 where r >= 0
  static Doubles add_one_where_not_negative(Doubles v, Doubles r) {
    const __m512d zero = _mm512_setzero_pd();
    const __m512d one = _mm512_set1_pd(1.0);
    return {_mm512_mask_add_pd(v.lo, _mm512_cmp_pd_mask(r.lo, zero, _CMP_GE_OQ), v.lo, one),
            _mm512_mask_add_pd(v.hi, _mm512_cmp_pd_mask(r.hi, zero, _CMP_GE_OQ), v.hi, one)};
  }
  // The low 32 bits of each pattern.
  static Ints low_words(Doubles v) {
    const Ints index = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_epi32(_mm512_castpd_si512(v.lo), index, _mm512_castpd_si512(v.hi));
  }

  static Block load_codes(const std::int8_t* p) {
    return {{_mm512_cvtepi8_epi32(load_128(p)), _mm512_cvtepi8_epi32(load_128(p + 16)),
             _mm512_cvtepi8_epi32(load_128(p + 32)), _mm512_cvtepi8_epi32(load_128(p + 48))}};
  }
  static Block load_codes(const std::uint8_t* p) {
    return {{_mm512_cvtepu8_epi32(load_128(p)), _mm512_cvtepu8_epi32(load_128(p + 16)),
             _mm512_cvtepu8_epi32(load_128(p + 32)), _mm512_cvtepu8_epi32(load_128(p + 48))}};
  }
  static Block load_codes(const std::int16_t* p) {
    return {{_mm512_cvtepi16_epi32(load_256(p)), _mm512_cvtepi16_epi32(load_256(p + 16)),
             _mm512_cvtepi16_epi32(load_256(p + 32)), _mm512_cvtepi16_epi32(load_256(p + 48))}};
  }
  static Block load_codes(const std::uint16_t* p) {
    return {{_mm512_cvtepu16_epi32(load_256(p)), _mm512_cvtepu16_epi32(load_256(p + 16)),
             _mm512_cvtepu16_epi32(load_256(p + 32)), _mm512_cvtepu16_epi32(load_256(p + 48))}};
  }
  static Block load_codes(const std::int32_t* p) { return {{load(p), load(p + 16), load(p + 32), load(p + 48)}}; }

  // Codes inside the type already; the saturation of the packs never acts.
  template <bool stream>
  static void store_codes(std::int8_t* p, const Block& b) {
    const Ints packed =
        _mm512_packs_epi16(_mm512_packs_epi32(b.part[0], b.part[1]), _mm512_packs_epi32(b.part[2], b.part[3]));
    store<stream>(p, in_order_of_bytes(packed));
  }
  template <bool stream>
  static void store_codes(std::uint8_t* p, const Block& b) {
    const Ints packed =
        _mm512_packus_epi16(_mm512_packs_epi32(b.part[0], b.part[1]), _mm512_packs_epi32(b.part[2], b.part[3]));
    store<stream>(p, in_order_of_bytes(packed));
  }
  template <bool stream>
  static void store_codes(std::int16_t* p, const Block& b) {
    store<stream>(p, in_order_of_words(_mm512_packs_epi32(b.part[0], b.part[1])));
    store<stream>(p + 32, in_order_of_words(_mm512_packs_epi32(b.part[2], b.part[3])));
  }
  template <bool stream>
  static void store_codes(std::uint16_t* p, const Block& b) {
    store<stream>(p, in_order_of_words(_mm512_packus_epi32(b.part[0], b.part[1])));
    store<stream>(p + 32, in_order_of_words(_mm512_packus_epi32(b.part[2], b.part[3])));
  }
  template <bool stream>
  static void store_codes(std::int32_t* p, const Block& b) {
    for (int k = 0; k < 4; ++k) store<stream>(p + 16 * k, b.part[k]);
  }
  template <bool stream>
  static void store(float* p, Floats v) {
    if constexpr (stream) {
      _mm512_stream_ps(p, v);
    } else {
      _mm512_storeu_ps(p, v);
    }
  }

 private:
  static __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static __m256i load_256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  template <bool stream>
  static void store(void* p, Ints v) {
    if constexpr (stream) {
      _mm512_stream_si512(static_cast<__m512i*>(p), v);
    } else {
      _mm512_storeu_si512(p, v);
    }
  }
  // Packs work on 128 bits at a time: these put the groups back in order.
  static Ints in_order_of_bytes(Ints v) {
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
  }
  static Ints in_order_of_words(Ints v) {
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v);
  }
};

}  // namespace
}  // namespace halfeven::native
