// 64 channels and 4 taps at a time: bytes of the taps are interleaved, then vpdpbusd sums them channel by channel. The
// interleaving leaves channels in an order that the packs of the result undo. Where pixels follow each other under
// every tap, 64 bytes are taken whatever pixels they are of, so that no number of channels wastes lanes.
#include <immintrin.h>

#include "kernels/depthwise/depthwise.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr int group = 64;
constexpr int taps_a_step = 4;
constexpr std::int64_t most_taps = 64;  // of those with pointers kept beside each other

// Adds 4 taps of 64 bytes; those of weight 0 may point anywhere that can be read.
inline void add_taps(const std::uint8_t* const* x, std::int64_t at, __mmask64 mask, const std::int8_t* w,
                     __m512i (&acc)[4]) {
  const __m512i a = _mm512_maskz_loadu_epi8(mask, x[0] + at);
  const __m512i b = _mm512_maskz_loadu_epi8(mask, x[1] + at);
  const __m512i c = _mm512_maskz_loadu_epi8(mask, x[2] + at);
  const __m512i d = _mm512_maskz_loadu_epi8(mask, x[3] + at);
  const __m512i low_ab = _mm512_unpacklo_epi8(a, b);
  const __m512i high_ab = _mm512_unpackhi_epi8(a, b);
  const __m512i low_cd = _mm512_unpacklo_epi8(c, d);
  const __m512i high_cd = _mm512_unpackhi_epi8(c, d);
  acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(low_ab, low_cd), _mm512_load_si512(w));
  acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(low_ab, low_cd), _mm512_load_si512(w + 64));
  acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(high_ab, high_cd), _mm512_load_si512(w + 128));
  acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(high_ab, high_cd), _mm512_load_si512(w + 192));
}

// Adds a last single tap: fewer steps, since the others' weights are 0.
inline void add_tap(const std::uint8_t* x, __mmask64 mask, const std::int8_t* w, __m512i (&acc)[4]) {
  const __m512i a = _mm512_maskz_loadu_epi8(mask, x);
  const __m512i low = _mm512_unpacklo_epi8(a, a);
  const __m512i high = _mm512_unpackhi_epi8(a, a);
  acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(low, low), _mm512_load_si512(w));
  acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(low, low), _mm512_load_si512(w + 64));
  acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(high, high), _mm512_load_si512(w + 128));
  acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(high, high), _mm512_load_si512(w + 192));
}

void write_sums(std::int32_t* out, const __m512i (&acc)[4]) {
  for (int v = 0; v < 4; ++v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * v), _mm512_extracti32x4_epi32(acc[v], 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 32 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 2));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 48 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 3));
  }
}

// `count` pixels from row `row` on that follow each other in memory. nine: 3x3 taps, else any number.
template <bool nine>
void run_pixels(const DepthwiseTask& task, std::int64_t row, std::int64_t count) {
  const CodeVectors codes(task.rule);
  const std::int64_t taps = nine ? 9 : task.taps;
  const std::int64_t quads = (taps + taps_a_step - 1) / taps_a_step;
  const std::uint8_t* x[most_taps];
  for (std::int64_t t = 0; t < quads * taps_a_step; ++t) {
    x[t] = task.input + task.offsets[(t < taps ? t : 0) * task.offset_stride + row];
  }
  const std::int64_t bytes = count * task.channels;
  std::int64_t vector = 0;
  for (std::int64_t i = 0; i < bytes; i += group) {
    const __mmask64 mask = first_bytes(bytes - i);
    const std::int8_t* w = task.weights + vector * quads * 256;
    __m512i acc[4];
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      acc[v] = _mm512_loadu_si512(task.bias + vector * group + igemm_lanes * v);
    }
    if constexpr (nine) {
      add_taps(x, i, mask, w, acc);
      add_taps(x + 4, i, mask, w + 256, acc);
      add_tap(x[8] + i, mask, w + 512, acc);
    } else {
      for (std::int64_t q = 0; q < quads; ++q) add_taps(x + q * taps_a_step, i, mask, w + q * 256, acc);
    }
    if (task.sums != nullptr) {
      write_sums(task.sums + (row - task.row_begin) * ((task.channels + 63) / 64 * 64) + i, acc);
    } else {
      const double* m = task.multiplier + vector * group;
      const __m512i packed = codes.interleaved(rounded(acc[0], m), rounded(acc[1], m + 16), rounded(acc[2], m + 32),
                                               rounded(acc[3], m + 48));
      _mm512_mask_storeu_epi8(task.out + row * task.out_stride + i, mask, packed);
    }
    if (++vector == task.period) vector = 0;
  }
}

}  // namespace

void depthwise_u8_u8_avx512_vnni(const DepthwiseTask& task) {
  const auto run = task.taps == 9 ? run_pixels<true> : run_pixels<false>;
  for (std::int64_t row = task.row_begin; row < task.row_end;) {
    const std::int64_t count = depthwise_run(task, row);
    run(task, row, count);
    row += count;
  }
}

}  // namespace halfeven::native
