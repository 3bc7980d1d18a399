// vpdpbusd of 256 bits (never its saturating twin), for processors without AVX-512: tiles of 6x16 sums.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx2.h"

namespace halfeven::native {
namespace {

__m256i quad_at(const std::uint8_t* p) {
  std::int32_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return _mm256_set1_epi32(quad);
}

template <int rows>
void multiply_tile(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row, const PanelWriter& writer) {
  const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.column);
  __m256i acc[rows][2];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    acc[r][0] = _mm256_loadu_si256(bias);
    acc[r][1] = _mm256_loadu_si256(bias + 1);
  }
  const __m256i* b = reinterpret_cast<const __m256i*>(static_cast<const char*>(task.weights) + panel.offset);
  for (std::int64_t tap = 0; tap < task.taps; ++tap) {
    const std::uint8_t* x[rows];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      x[r] = task.input +
             (task.offsets == nullptr ? (row + r) * task.row_stride : task.offsets[tap * task.offset_stride + row + r]);
    }
    for (std::int64_t k = 0; k < task.depth; k += igemm_step, b += 2) {
      const __m256i b0 = _mm256_load_si256(b);
      const __m256i b1 = _mm256_load_si256(b + 1);
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m256i a = quad_at(x[r] + k);
        acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], a, b0);
        acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], a, b1);
      }
    }
  }
  writer.write(panel, row, acc);
}

void multiply_panel(const IgemmTask& task, const IgemmPanel& panel, const PanelWriter& writer) {
  std::int64_t row = task.row_begin;
  for (; row + 6 <= task.row_end; row += 6) multiply_tile<6>(task, panel, row, writer);
  switch (task.row_end - row) {
    case 5: return multiply_tile<5>(task, panel, row, writer);
    case 4: return multiply_tile<4>(task, panel, row, writer);
    case 3: return multiply_tile<3>(task, panel, row, writer);
    case 2: return multiply_tile<2>(task, panel, row, writer);
    case 1: return multiply_tile<1>(task, panel, row, writer);
    default: return;
  }
}

}  // namespace

void igemm_u8_u8_avx_vnni(const IgemmTask& task) {
  const PanelWriter writer(task);
  for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) multiply_panel(task, task.panels[p], writer);
}

}  // namespace halfeven::native
