// Bytes of four taps are interleaved, then vpdpbusd sums them channel by channel.
#include "kernels/depthwise/ymm_runs.h"

namespace halfeven::native {
namespace {

struct Dot {
  static constexpr int taps = 4;
  static constexpr std::int64_t step_bytes = group * taps;

  // Four taps of 32 bytes; those of weight 0 may point anywhere that can be read.
  static HALFEVEN_INLINE void add(const std::uint8_t* const* x, std::int64_t at, const std::int8_t* w,
                                  __m256i (&acc)[4]) {
    const __m256i a = load_bytes(x[0] + at);
    const __m256i b = load_bytes(x[1] + at);
    const __m256i c = load_bytes(x[2] + at);
    const __m256i d = load_bytes(x[3] + at);
    const __m256i low_ab = _mm256_unpacklo_epi8(a, b);
    const __m256i high_ab = _mm256_unpackhi_epi8(a, b);
    const __m256i low_cd = _mm256_unpacklo_epi8(c, d);
    const __m256i high_cd = _mm256_unpackhi_epi8(c, d);
    const __m256i quads[4] = {_mm256_unpacklo_epi16(low_ab, low_cd), _mm256_unpackhi_epi16(low_ab, low_cd),
                              _mm256_unpacklo_epi16(high_ab, high_cd), _mm256_unpackhi_epi16(high_ab, high_cd)};
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      const __m256i weights = _mm256_load_si256(reinterpret_cast<const __m256i*>(w) + v);
      acc[v] = _mm256_dpbusd_avx_epi32(acc[v], quads[v], weights);
    }
  }
};

}  // namespace

void depthwise_u8_u8_avx_vnni(const DepthwiseTask& task) { run_rows<Dot>(task); }

}  // namespace halfeven::native
