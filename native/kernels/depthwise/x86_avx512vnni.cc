// 64 channels and 4 taps at a time: bytes of the taps are interleaved, then vpdpbusd sums them channel by channel. The
// interleaving leaves channels in an order that the packs of the result undo.
#include <immintrin.h>

#include "kernels/depthwise/depthwise.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

class Row {
 public:
  Row(const DepthwiseTask& task, std::int64_t row) : task_(task), row_(row) {}

  // Adds taps [tap, tap + 4) of a group of channels; those that are not there have weight 0.
  void add_taps(std::int64_t tap, std::int64_t first, __mmask64 mask, const std::int8_t* w, __m512i (&acc)[4]) const {
    const __m512i a = load(tap, first, mask);
    const __m512i b = load(tap + 1, first, mask);
    const __m512i c = load(tap + 2, first, mask);
    const __m512i d = load(tap + 3, first, mask);
    const __m512i low_ab = _mm512_unpacklo_epi8(a, b);
    const __m512i high_ab = _mm512_unpackhi_epi8(a, b);
    const __m512i low_cd = _mm512_unpacklo_epi8(c, d);
    const __m512i high_cd = _mm512_unpackhi_epi8(c, d);
    acc[0] = _mm512_dpbusd_epi32(acc[0], _mm512_unpacklo_epi16(low_ab, low_cd), _mm512_load_si512(w));
    acc[1] = _mm512_dpbusd_epi32(acc[1], _mm512_unpackhi_epi16(low_ab, low_cd), _mm512_load_si512(w + 64));
    acc[2] = _mm512_dpbusd_epi32(acc[2], _mm512_unpacklo_epi16(high_ab, high_cd), _mm512_load_si512(w + 128));
    acc[3] = _mm512_dpbusd_epi32(acc[3], _mm512_unpackhi_epi16(high_ab, high_cd), _mm512_load_si512(w + 192));
  }

 private:
  __m512i load(std::int64_t tap, std::int64_t first, __mmask64 mask) const {
    if (tap >= task_.taps) return _mm512_setzero_si512();
    return _mm512_maskz_loadu_epi8(mask, task_.input + task_.offsets[tap * task_.offset_stride + row_] + first);
  }

  const DepthwiseTask& task_;
  std::int64_t row_;
};

void write_sums(std::int32_t* out, const __m512i (&acc)[4]) {
  for (int v = 0; v < 4; ++v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * v), _mm512_extracti32x4_epi32(acc[v], 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 32 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 2));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 48 + 4 * v), _mm512_extracti32x4_epi32(acc[v], 3));
  }
}

}  // namespace

void depthwise_u8_u8_avx512_vnni(const DepthwiseTask& task) {
  const CodeVectors codes(task.rule);
  const std::int64_t quads = (task.taps + depthwise_taps - 1) / depthwise_taps;
  const std::int64_t width = (task.channels + depthwise_group - 1) / depthwise_group * depthwise_group;
  for (std::int64_t r = task.row_begin; r < task.row_end; ++r) {
    const Row row(task, r);
    const std::int8_t* w = task.weights;
    for (std::int64_t c = 0; c < task.channels; c += depthwise_group) {
      const __mmask64 mask = first_bytes(task.channels - c);
      __m512i acc[4];
      HALFEVEN_UNROLL
      for (int v = 0; v < 4; ++v) acc[v] = _mm512_loadu_si512(task.bias + c + igemm_lanes * v);
      for (std::int64_t q = 0; q < quads; ++q, w += 256) row.add_taps(q * depthwise_taps, c, mask, w, acc);
      if (task.sums != nullptr) {
        write_sums(task.sums + (r - task.row_begin) * width + c, acc);
        continue;
      }
      const double* m = task.multiplier + c;
      const __m512i packed = codes.interleaved(rounded(acc[0], m), rounded(acc[1], m + 16), rounded(acc[2], m + 32),
                                               rounded(acc[3], m + 48));
      _mm512_mask_storeu_epi8(task.out + r * task.out_stride + c, mask, packed);
    }
  }
}

}  // namespace halfeven::native
