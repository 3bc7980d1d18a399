// The transforms of winograd.h in registers of 256 bits: 16 words or 8 sums at a time. In an unnamed namespace, see
// vector/.
#pragma once

#include <immintrin.h>

#include "kernels/unroll.h"
#include "kernels/winograd/winograd.h"

namespace halfeven::native {
namespace {

HALFEVEN_INLINE __m256i twice(__m256i v) { return _mm256_add_epi16(v, v); }

// B' d, rows (4 0 -5 0 1 0) (0 -4 -4 1 1 0) (0 4 -4 -1 1 0) (0 -2 -1 2 1 0) (0 2 -1 -2 1 0) (0 4 0 -5 0 1): words
// within [-12750, 17340] after both axes of bytes.
HALFEVEN_INLINE void transform_in(const __m256i (&d)[6], __m256i (&t)[6]) {
  const __m256i even = _mm256_sub_epi16(d[4], _mm256_slli_epi16(d[2], 2));
  const __m256i odd = _mm256_sub_epi16(d[3], _mm256_slli_epi16(d[1], 2));
  const __m256i near = _mm256_sub_epi16(d[4], d[2]);
  const __m256i far = twice(_mm256_sub_epi16(d[3], d[1]));
  t[0] = _mm256_sub_epi16(near, _mm256_slli_epi16(_mm256_sub_epi16(d[2], d[0]), 2));
  t[1] = _mm256_add_epi16(even, odd);
  t[2] = _mm256_sub_epi16(even, odd);
  t[3] = _mm256_add_epi16(near, far);
  t[4] = _mm256_sub_epi16(near, far);
  t[5] = _mm256_sub_epi16(_mm256_sub_epi16(d[5], d[3]), twice(far));
}

// G w, rows (6 0 0) (4 4 4) (4 -4 4) (1 2 4) (1 -2 4) (0 0 12): words of at most 144 * 128 after both axes.
HALFEVEN_INLINE void transform_taps(const __m256i (&w)[3], __m256i (&u)[6]) {
  const __m256i ends = _mm256_add_epi16(w[0], w[2]);
  const __m256i four = _mm256_slli_epi16(w[2], 2);
  const __m256i outer = _mm256_add_epi16(w[0], four);
  const __m256i inner = twice(w[1]);
  u[0] = _mm256_mullo_epi16(w[0], _mm256_set1_epi16(6));
  u[1] = _mm256_slli_epi16(_mm256_add_epi16(ends, w[1]), 2);
  u[2] = _mm256_slli_epi16(_mm256_sub_epi16(ends, w[1]), 2);
  u[3] = _mm256_add_epi16(outer, inner);
  u[4] = _mm256_sub_epi16(outer, inner);
  u[5] = _mm256_add_epi16(twice(four), four);
}

// A' m, rows (1 -1 -1 1 1 0) (0 -1 1 2 -2 0) (0 -1 -1 4 4 0) (0 -1 1 8 -8 2), modulo 2^32.
HALFEVEN_INLINE void transform_out(const __m256i (&m)[6], __m256i (&y)[4]) {
  const __m256i p = _mm256_add_epi32(m[1], m[2]);
  const __m256i q = _mm256_sub_epi32(m[1], m[2]);
  const __m256i r = _mm256_add_epi32(m[3], m[4]);
  const __m256i s = _mm256_sub_epi32(m[3], m[4]);
  y[0] = _mm256_add_epi32(_mm256_sub_epi32(m[0], p), r);
  y[1] = _mm256_sub_epi32(_mm256_add_epi32(s, s), q);
  y[2] = _mm256_sub_epi32(_mm256_slli_epi32(r, 2), p);
  y[3] = _mm256_add_epi32(_mm256_sub_epi32(_mm256_slli_epi32(s, 3), q), _mm256_add_epi32(m[5], m[5]));
}

// U of 16 columns and `depth` channels: [place][depth / 2][16][2].
inline void transform_weights(const std::int8_t* w, std::int64_t depth, std::int16_t* out) {
  constexpr std::int64_t stride = winograd_stride(winograd_depth * igemm_lanes);
  constexpr std::int64_t step = 2 * igemm_lanes;  // codes of a tap
  for (std::int64_t k = 0; k < depth; k += 2, w += winograd_taps * step, out += step) {
    for (std::int64_t h = 0; h < step; h += winograd_lanes) {
      __m256i half[6][3];
      HALFEVEN_UNROLL
      for (int x = 0; x < 3; ++x) {
        __m256i taps[3];
        __m256i t[6];
        HALFEVEN_UNROLL
        for (int y = 0; y < 3; ++y) {
          const std::int8_t* at = w + (3 * y + x) * step + h;
          taps[y] = _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(at)));
        }
        transform_taps(taps, t);
        HALFEVEN_UNROLL
        for (int i = 0; i < 6; ++i) half[i][x] = t[i];
      }
      HALFEVEN_UNROLL
      for (int i = 0; i < 6; ++i) {
        __m256i u[6];
        transform_taps(half[i], u);
        HALFEVEN_UNROLL
        for (int j = 0; j < 6; ++j) {
          _mm256_store_si256(reinterpret_cast<__m256i*>(out + (6 * i + j) * stride + h), u[j]);
        }
      }
    }
  }
}

// V of one tile, [place][depth] with `stride` words between places.
inline void transform_tile(const WinogradTask& task, std::int64_t tile, std::int64_t stride, std::int16_t* out) {
  const std::uint8_t* pixels[winograd_places];
  for (int e = 0; e < winograd_places; ++e) pixels[e] = task.input + task.offsets[e * task.tiles + tile];
  for (std::int64_t c = 0; c < task.depth; c += winograd_lanes) {
    __m256i half[6][6];
    HALFEVEN_UNROLL
    for (int j = 0; j < 6; ++j) {
      __m256i d[6];
      __m256i t[6];
      HALFEVEN_UNROLL
      for (int i = 0; i < 6; ++i) {
        d[i] = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels[6 * i + j] + c)));
      }
      transform_in(d, t);
      HALFEVEN_UNROLL
      for (int i = 0; i < 6; ++i) half[i][j] = t[i];
    }
    HALFEVEN_UNROLL
    for (int i = 0; i < 6; ++i) {
      __m256i t[6];
      transform_in(half[i], t);
      HALFEVEN_UNROLL
      for (int j = 0; j < 6; ++j) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(out + (6 * i + j) * stride + c), t[j]);
      }
    }
  }
}

// S + bias of one tile and of 8 columns, from the sums at its places, `stride` apart.
HALFEVEN_INLINE void transform_sums(const std::int32_t* sums, std::int64_t stride, __m256i less, __m256i bias,
                                    __m256i (&out)[4][4]) {
  __m256i half[4][6];
  HALFEVEN_UNROLL
  for (int j = 0; j < 6; ++j) {
    __m256i m[6];
    __m256i y[4];
    HALFEVEN_UNROLL
    for (int i = 0; i < 6; ++i) {
      m[i] = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums + (6 * i + j) * stride));
    }
    transform_out(m, y);
    HALFEVEN_UNROLL
    for (int i = 0; i < 4; ++i) half[i][j] = y[i];
  }
  const __m256i ninth = _mm256_set1_epi32(static_cast<std::int32_t>(winograd_ninth));
  HALFEVEN_UNROLL
  for (int i = 0; i < 4; ++i) {
    transform_out(half[i], out[i]);
    HALFEVEN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const __m256i above = _mm256_sub_epi32(_mm256_mullo_epi32(out[i][j], ninth), less);  // 64 (S - middle)
      out[i][j] = _mm256_add_epi32(_mm256_srai_epi32(above, winograd_shift), bias);
    }
  }
}

}  // namespace
}  // namespace halfeven::native
