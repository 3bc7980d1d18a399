// 256 bits: tiles of 6x16 sums.
#include <immintrin.h>

#define HALFEVEN_ISA avx2
#include "kernels/wgemm/plain_loops.inc"

namespace halfeven::native {
namespace {

struct Wide {
  using Ints = __m256i;
  static constexpr int lanes = 8;

  static const __m256i* at(const void* p) { return static_cast<const __m256i*>(p); }
  static Ints load(const std::int16_t* p) { return _mm256_loadu_si256(at(p)); }
  static Ints fill(std::int32_t v) { return _mm256_set1_epi32(v); }
  static Ints add_products(Ints sums, Ints a, Ints b) { return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b)); }
  static Ints low_halves(const std::int64_t* p) {
    const Ints order = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    const Ints low = _mm256_permutevar8x32_epi32(_mm256_loadu_si256(at(p)), order);
    return _mm256_blend_epi32(low, _mm256_permutevar8x32_epi32(_mm256_loadu_si256(at(p + 4)), order), 0xf0);
  }
  static void store(std::int32_t* p, Ints v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static void add_widened(std::int64_t* p, Ints v) {
    __m256i* out = reinterpret_cast<__m256i*>(p);
    const Ints low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(v));
    const Ints high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1));
    _mm256_storeu_si256(out, _mm256_add_epi64(_mm256_loadu_si256(out), low));
    _mm256_storeu_si256(out + 1, _mm256_add_epi64(_mm256_loadu_si256(out + 1), high));
  }
};

}  // namespace
}  // namespace halfeven::native

#include "kernels/wgemm/tile.h"

namespace halfeven::native {

void wgemm_s16_s64_avx2(const WgemmTask& task) { multiply_rows<2, 6>(task); }

}  // namespace halfeven::native
