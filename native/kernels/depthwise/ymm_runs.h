// The loop of the kernels of 256 bits, over a Dot: how many taps it takes at a time, and how it adds them. 32 channels
// at a time, otherwise as in x86_avx512vnni.cc. In an unnamed namespace, see vector/.
#pragma once

#include <immintrin.h>

#include "kernels/depthwise/depthwise.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx2.h"

namespace halfeven::native {
namespace {

constexpr int group = 32;
constexpr std::int64_t most_taps = 64;  // of those with pointers kept beside each other

HALFEVEN_INLINE __m256i load_bytes(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// Codes of 4 x 8 sums, whose multipliers are in the order of the weights.
HALFEVEN_INLINE __m256i codes_of(const CodeVectors& codes, const __m256i (&acc)[4], const double* m) {
  __m256i q[4];
  HALFEVEN_UNROLL
  for (int v = 0; v < 4; ++v) {
    const __m256i mixed = rounded_mixed(acc[v], _mm256_loadu_pd(m + 8 * v), _mm256_loadu_pd(m + 8 * v + 4));
    q[v] = _mm256_permute4x64_epi64(mixed, 0xd8);
  }
  return codes.interleaved(q[0], q[1], q[2], q[3]);
}

inline void write_group(std::uint8_t* out, __m256i codes, std::int64_t count) {
  if (count >= group) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), codes);
  alignas(32) std::uint8_t bytes[group];
  _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), codes);
  std::memcpy(out, bytes, static_cast<std::size_t>(count));
}

inline void write_sums(std::int32_t* out, const __m256i (&acc)[4]) {
  for (int v = 0; v < 4; ++v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * v), _mm256_castsi256_si128(acc[v]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 + 4 * v), _mm256_extracti128_si256(acc[v], 1));
  }
}

// `count` pixels from row `row` on that follow each other in memory.
template <class Dot>
void run_pixels(const DepthwiseTask& task, std::int64_t row, std::int64_t count) {
  const CodeVectors codes(task.rule);
  const std::int64_t steps = (task.taps + Dot::taps - 1) / Dot::taps;
  const std::uint8_t* x[most_taps];
  for (std::int64_t t = 0; t < steps * Dot::taps; ++t) {
    x[t] = task.input + task.offsets[(t < task.taps ? t : 0) * task.offset_stride + row];
  }
  const std::int64_t bytes = count * task.channels;
  const std::int64_t width = (task.channels + depthwise_width - 1) / depthwise_width * depthwise_width;
  std::int64_t vector = 0;
  for (std::int64_t i = 0; i < bytes; i += group) {
    const std::int8_t* w = task.weights + vector * steps * Dot::step_bytes;
    __m256i acc[4];
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      acc[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(task.bias + vector * group + 8 * v));
    }
    for (std::int64_t s = 0; s < steps; ++s, w += Dot::step_bytes) Dot::add(x + s * Dot::taps, i, w, acc);
    if (task.sums != nullptr) {
      write_sums(task.sums + (row - task.row_begin) * width + i, acc);
    } else {
      write_group(task.out + row * task.out_stride + i, codes_of(codes, acc, task.multiplier + vector * group),
                  bytes - i);
    }
    if (++vector == task.period) vector = 0;
  }
}

template <class Dot>
void run_rows(const DepthwiseTask& task) {
  for (std::int64_t row = task.row_begin; row < task.row_end;) {
    const std::int64_t count = depthwise_run(task, row);
    run_pixels<Dot>(task, row, count);
    row += count;
  }
}

}  // namespace
}  // namespace halfeven::native
