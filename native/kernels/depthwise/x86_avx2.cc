// Bytes of two taps are interleaved and widened, then vpmaddwd sums them channel by channel.
#include "kernels/depthwise/ymm_runs.h"

namespace halfeven::native {
namespace {

struct Dot {
  static constexpr int taps = 2;
  static constexpr std::int64_t step_bytes = group * taps * 2;

  // Two taps of 32 bytes; those of weight 0 may point anywhere that can be read.
  static HALFEVEN_INLINE void add(const std::uint8_t* const* x, std::int64_t at, const std::int8_t* w,
                                  __m256i (&acc)[4]) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i a = load_bytes(x[0] + at);
    const __m256i b = load_bytes(x[1] + at);
    const __m256i low = _mm256_unpacklo_epi8(a, b);
    const __m256i high = _mm256_unpackhi_epi8(a, b);
    const __m256i pairs[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                              _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      const __m256i weights = _mm256_load_si256(reinterpret_cast<const __m256i*>(w) + v);
      acc[v] = _mm256_add_epi32(acc[v], _mm256_madd_epi16(pairs[v], weights));
    }
  }
};

}  // namespace

void depthwise_u8_u8_avx2(const DepthwiseTask& task) { run_rows<Dot>(task); }

}  // namespace halfeven::native
