#include "kernels/vector/x86_codes_avx2.h"

#define HALFEVEN_ISA avx2
#define HALFEVEN_OWN_SUM
#include "kernels/rows/plain_loops.inc"

namespace halfeven::native {
namespace {

constexpr std::int64_t width = 32;

__m256i load_bytes(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }

void store_bytes(std::uint8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

// body(32 bytes of x, of y) for all of them; what is left of the last is done in room of its own.
template <class Body>
void for_each_vector(std::uint8_t* out, const std::uint8_t* x, const std::uint8_t* y, std::int64_t count,
                     const Body& body) {
  std::int64_t i = 0;
  for (; i + width <= count; i += width) store_bytes(out + i, body(load_bytes(x + i), load_bytes(y + i)));
  if (i == count) return;
  alignas(32) std::uint8_t last[2][width] = {};
  const std::size_t left = static_cast<std::size_t>(count - i);
  std::memcpy(last[0], x + i, left);
  std::memcpy(last[1], y + i, left);
  store_bytes(last[0], body(load_bytes(last[0]), load_bytes(last[1])));
  std::memcpy(out + i, last[0], left);
}

// Two of the table's parts by the top bits of `bit`.
__m256i either(__m256i bit, __m256i low, __m256i high) { return _mm256_blendv_epi8(low, high, bit); }

}  // namespace

void sum_rows_u8_u8_avx2(const SumRows& task) {
  const SumVectors sum(task.rule);
  const CodeVectors codes(task.rule.code);
  for_each_vector(task.out, task.x, task.y, task.count, [&](__m256i x, __m256i y) {
    const __m128i a = _mm256_castsi256_si128(x);
    const __m128i b = _mm256_castsi256_si128(y);
    const __m128i c = _mm256_extracti128_si256(x, 1);
    const __m128i d = _mm256_extracti128_si256(y, 1);
    const TwoRows q = codes.of_ordered(sum(a, b), sum(second_half(a), second_half(b)), sum(c, d),
                                       sum(second_half(c), second_half(d)));
    return _mm256_set_m128i(q.row[1], q.row[0]);
  });
}

// The table in 16 parts of 16 entries: the low four bits pick an entry of each, the high four pick the part.
void look_up_u8_u8_avx2(std::uint8_t* out, const std::uint8_t* x, std::int64_t count, const std::uint8_t* table) {
  const auto part = [&](int k) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * k)));
  };
  for_each_vector(out, x, x, count, [&](__m256i codes, __m256i) {
    const __m256i low = _mm256_and_si256(codes, _mm256_set1_epi8(15));
    const __m256i bit4 = _mm256_slli_epi16(codes, 3);
    const __m256i bit5 = _mm256_slli_epi16(codes, 2);
    const __m256i bit6 = _mm256_slli_epi16(codes, 1);
    __m256i quarters[4];
    HALFEVEN_UNROLL
    for (int k = 0; k < 4; ++k) {
      const __m256i a = _mm256_shuffle_epi8(part(4 * k), low);
      const __m256i b = _mm256_shuffle_epi8(part(4 * k + 1), low);
      const __m256i c = _mm256_shuffle_epi8(part(4 * k + 2), low);
      const __m256i d = _mm256_shuffle_epi8(part(4 * k + 3), low);
      quarters[k] = either(bit5, either(bit4, a, b), either(bit4, c, d));
    }
    return either(codes, either(bit6, quarters[0], quarters[1]), either(bit6, quarters[2], quarters[3]));
  });
}

}  // namespace halfeven::native
