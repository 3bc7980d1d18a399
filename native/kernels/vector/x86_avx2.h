// Eight lanes of AVX2 and FMA as the loops of the kernels see them.
// Everything is in an unnamed namespace: a copy compiled for this instruction set must never be linked elsewhere.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace halfeven::native {
namespace {

// For each set of eight lanes, those in it first.
struct KeptFirst {
  std::uint8_t lanes[256][8] = {};
  constexpr KeptFirst() {
    for (int kept = 0; kept < 256; ++kept) {
      int n = 0;
      for (std::uint8_t lane = 0; lane < 8; ++lane) {
        if (kept >> lane & 1) lanes[kept][n++] = lane;
      }
    }
  }
};
constexpr KeptFirst kept_first;

struct Vector {
  using Floats = __m256;
  using Ints = __m256i;
  static constexpr int lanes = 8;
  static constexpr int alignment = 32;  // of streaming stores

  struct Doubles {
    __m256d lo, hi;  // lanes 0-3 and 4-7
  };
  struct Block {
    Ints part[4];
  };

  static void prefetch(const char* p) { _mm_prefetch(p, _MM_HINT_T0); }
  static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static Ints load(const std::int32_t* p) { return load_256(p); }
  static Doubles load(const double* p) { return {_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)}; }
  static Floats fill(float v) { return _mm256_set1_ps(v); }
  static Ints fill(std::int32_t v) { return _mm256_set1_epi32(v); }
  static Doubles fill(double v) { return {_mm256_set1_pd(v), _mm256_set1_pd(v)}; }

  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats multiply(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats divide(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }    // a * b + c
  static Floats fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a * b
  static Floats clamp(Floats v, Floats lo, Floats hi) { return _mm256_min_ps(_mm256_max_ps(v, lo), hi); }
  // The second where one of them is NaN.
  static Floats least(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats greatest(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats with_sign_of(Floats magnitude, Floats v) {
    return _mm256_or_ps(magnitude, _mm256_and_ps(v, _mm256_set1_ps(-0.0f)));
  }
  static bool any_nan(const Floats (&v)[4]) {
    return _mm256_movemask_ps(
               _mm256_or_ps(_mm256_cmp_ps(v[0], v[1], _CMP_UNORD_Q), _mm256_cmp_ps(v[2], v[3], _CMP_UNORD_Q))) != 0;
  }
  static std::int64_t count_nan(Floats v) {
    return _mm_popcnt_u32(static_cast<unsigned int>(_mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q))));
  }
  static Floats zero_where_nan(Floats v) { return _mm256_and_ps(_mm256_cmp_ps(v, v, _CMP_ORD_Q), v); }

  static Ints nearest(Floats v) { return _mm256_cvtps_epi32(v); }
  static Ints floor(Floats v) { return _mm256_cvttps_epi32(_mm256_floor_ps(v)); }
  static Ints truncate(Floats v) { return _mm256_cvttps_epi32(v); }
  static Floats to_floats(Ints v) { return _mm256_cvtepi32_ps(v); }

  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static Ints subtract(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
  static Ints bit_and(Ints a, Ints b) { return _mm256_and_si256(a, b); }
  static Ints bit_or(Ints a, Ints b) { return _mm256_or_si256(a, b); }
  static Ints least(Ints a, Ints b) { return _mm256_min_epi32(a, b); }
  static Ints bits(Floats v) { return _mm256_castps_si256(v); }
  static Ints shift_left(Ints a, Ints n) { return _mm256_sllv_epi32(a, n); }
  static Ints shift_right(Ints a, Ints n) { return _mm256_srav_epi32(a, n); }
  static Ints bit_xor(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
  static Ints shift_right_logical(Ints a, int n) { return _mm256_srli_epi32(a, n); }
  static Ints one_if_greater(Ints a, Ints b) { return _mm256_srli_epi32(_mm256_cmpgt_epi32(a, b), 31); }
  static Ints choose_if_equal(Ints a, Ints b, Ints equal, Ints other) {
    return _mm256_blendv_epi8(other, equal, _mm256_cmpeq_epi32(a, b));
  }
  // floor(a * b / 2^31 + 1/2), b >= 0
  static Ints doubling_high_multiply(Ints a, Ints b) {
    const Ints half = _mm256_set1_epi64x(std::int64_t{1} << 30);
    const Ints even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    const Ints odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
  }

  // Stores the lanes of `v` where `x` is not zero side by side, and something in the others; returns how many.
  static int append_where_not_zero(std::int32_t* p, Ints v, Floats x) {
    const int kept = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    const Ints order = _mm256_cvtepu8_epi32(load_64(kept_first.lanes[kept]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(v, order));
    return _mm_popcnt_u32(static_cast<unsigned int>(kept));
  }

  static Doubles to_doubles(Ints v) {
    return {_mm256_cvtepi32_pd(_mm256_castsi256_si128(v)), _mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1))};
  }
  static Doubles to_doubles(Floats v) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
  }
  static Floats to_floats(Doubles v) { return _mm256_set_m128(_mm256_cvtpd_ps(v.hi), _mm256_cvtpd_ps(v.lo)); }
  static Doubles add(Doubles a, Doubles b) { return {_mm256_add_pd(a.lo, b.lo), _mm256_add_pd(a.hi, b.hi)}; }
  static Doubles subtract(Doubles a, Doubles b) { return {_mm256_sub_pd(a.lo, b.lo), _mm256_sub_pd(a.hi, b.hi)}; }
  static Doubles multiply(Doubles a, Doubles b) { return {_mm256_mul_pd(a.lo, b.lo), _mm256_mul_pd(a.hi, b.hi)}; }
  static Doubles divide(Doubles a, Doubles b) { return {_mm256_div_pd(a.lo, b.lo), _mm256_div_pd(a.hi, b.hi)}; }
  static Doubles fma(Doubles a, Doubles b, Doubles c) {
    return {_mm256_fmadd_pd(a.lo, b.lo, c.lo), _mm256_fmadd_pd(a.hi, b.hi, c.hi)};
  }
  static Doubles fnma(Doubles a, Doubles b, Doubles c) {  // c - a * b
    return {_mm256_fnmadd_pd(a.lo, b.lo, c.lo), _mm256_fnmadd_pd(a.hi, b.hi, c.hi)};
  }
  static Doubles fms(Doubles a, Doubles b, Doubles c) {  // a * b - c
    return {_mm256_fmsub_pd(a.lo, b.lo, c.lo), _mm256_fmsub_pd(a.hi, b.hi, c.hi)};
  }
  static void store(double* p, Doubles v) {
    _mm256_storeu_pd(p, v.lo);
    _mm256_storeu_pd(p + lanes / 2, v.hi);
  }
  static Doubles clamp(Doubles v, Doubles lo, Doubles hi) {
    return {_mm256_min_pd(_mm256_max_pd(v.lo, lo.lo), hi.lo), _mm256_min_pd(_mm256_max_pd(v.hi, lo.hi), hi.hi)};
  }
  // v + 1 where r >= 0
  static Doubles add_one_where_not_negative(Doubles v, Doubles r) {
    const __m256d zero = _mm256_setzero_pd();
    const __m256d one = _mm256_set1_pd(1.0);
    return {_mm256_add_pd(v.lo, _mm256_and_pd(_mm256_cmp_pd(r.lo, zero, _CMP_GE_OQ), one)),
            _mm256_add_pd(v.hi, _mm256_and_pd(_mm256_cmp_pd(r.hi, zero, _CMP_GE_OQ), one))};
  }
  // The low 32 bits of each pattern.
  static Ints low_words(Doubles v) {
    const __m256 mixed = _mm256_shuffle_ps(_mm256_castpd_ps(v.lo), _mm256_castpd_ps(v.hi), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xd8);
  }

  static Block load_codes(const std::int8_t* p) {
    return {{_mm256_cvtepi8_epi32(load_64(p)), _mm256_cvtepi8_epi32(load_64(p + 8)),
             _mm256_cvtepi8_epi32(load_64(p + 16)), _mm256_cvtepi8_epi32(load_64(p + 24))}};
  }
  static Block load_codes(const std::uint8_t* p) {
    return {{_mm256_cvtepu8_epi32(load_64(p)), _mm256_cvtepu8_epi32(load_64(p + 8)),
             _mm256_cvtepu8_epi32(load_64(p + 16)), _mm256_cvtepu8_epi32(load_64(p + 24))}};
  }
  static Block load_codes(const std::int16_t* p) {
    return {{_mm256_cvtepi16_epi32(load_128(p)), _mm256_cvtepi16_epi32(load_128(p + 8)),
             _mm256_cvtepi16_epi32(load_128(p + 16)), _mm256_cvtepi16_epi32(load_128(p + 24))}};
  }
  static Block load_codes(const std::uint16_t* p) {
    return {{_mm256_cvtepu16_epi32(load_128(p)), _mm256_cvtepu16_epi32(load_128(p + 8)),
             _mm256_cvtepu16_epi32(load_128(p + 16)), _mm256_cvtepu16_epi32(load_128(p + 24))}};
  }
  static Block load_codes(const std::int32_t* p) { return {{load(p), load(p + 8), load(p + 16), load(p + 24)}}; }

  // Codes inside the type already; the saturation of the packs never acts.
  template <bool stream>
  static void store_codes(std::int8_t* p, const Block& b) {
    const Ints packed =
        _mm256_packs_epi16(_mm256_packs_epi32(b.part[0], b.part[1]), _mm256_packs_epi32(b.part[2], b.part[3]));
    store<stream>(p, in_order_of_bytes(packed));
  }
  template <bool stream>
  static void store_codes(std::uint8_t* p, const Block& b) {
    const Ints packed =
        _mm256_packus_epi16(_mm256_packs_epi32(b.part[0], b.part[1]), _mm256_packs_epi32(b.part[2], b.part[3]));
    store<stream>(p, in_order_of_bytes(packed));
  }
  template <bool stream>
  static void store_codes(std::int16_t* p, const Block& b) {
    store<stream>(p, in_order_of_words(_mm256_packs_epi32(b.part[0], b.part[1])));
    store<stream>(p + 16, in_order_of_words(_mm256_packs_epi32(b.part[2], b.part[3])));
  }
  template <bool stream>
  static void store_codes(std::uint16_t* p, const Block& b) {
    store<stream>(p, in_order_of_words(_mm256_packus_epi32(b.part[0], b.part[1])));
    store<stream>(p + 16, in_order_of_words(_mm256_packus_epi32(b.part[2], b.part[3])));
  }
  template <bool stream>
  static void store_codes(std::int32_t* p, const Block& b) {
    for (int k = 0; k < 4; ++k) store<stream>(p + 8 * k, b.part[k]);
  }
  template <bool stream>
  static void store(float* p, Floats v) {
    if constexpr (stream) {
      _mm256_stream_ps(p, v);
    } else {
      _mm256_storeu_ps(p, v);
    }
  }

 private:
  static __m128i load_64(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
  static __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static __m256i load_256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  template <bool stream>
  static void store(void* p, Ints v) {
    if constexpr (stream) {
      _mm256_stream_si256(static_cast<__m256i*>(p), v);
    } else {
      _mm256_storeu_si256(static_cast<__m256i*>(p), v);
    }
  }
  // Packs work on 128 bits at a time: these put the groups back in order.
  static Ints in_order_of_bytes(Ints v) {
    return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }
  static Ints in_order_of_words(Ints v) { return _mm256_permute4x64_epi64(v, 0xd8); }
};

}  // namespace
}  // namespace halfeven::native
