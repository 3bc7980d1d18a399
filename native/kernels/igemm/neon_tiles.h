// The loop of the NEON kernels, over a Dot: how it adds 4 products to each of 16 sums, and how many rows leave it
// registers enough. Activations become signed, x - 128; what that takes from the sums is behind a panel's weights.
// In an unnamed namespace, see vector/.
#pragma once

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/arm_codes_neon.h"

namespace halfeven::native {
namespace {

HALFEVEN_INLINE int8x16_t signed_quad_at(const std::uint8_t* p) {
  std::uint32_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return vreinterpretq_s8_u32(veorq_u32(vdupq_n_u32(quad), vdupq_n_u32(0x80808080U)));
}

HALFEVEN_INLINE void write_row(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row, const Sixteen& sums) {
  if (task.sums != nullptr) {
    std::int32_t* out = task.sums + (row - task.row_begin) * igemm_panel_columns;
    for (int v = 0; v < 4; ++v) vst1q_s32(out + 4 * v, sums.part[v]);
    return;
  }
  uint8x16_t codes = CodeVectors(task.rule)(rounded(sums, task.multiplier + panel.column));
  if (task.sum != nullptr) {
    const uint8x16_t other = vld1q_u8(task.sum->codes + row * task.sum->stride + panel.column);
    codes = CodeVectors(task.sum->rule.code)(rounded_sum(task.sum->rule, codes, other));
  }
  write_bytes(task.out + row * task.out_stride + panel.column, codes, task.columns - panel.column);
}

template <class Dot, int rows>
void multiply_tile(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row) {
  Dot dot[rows];
  const std::int8_t* w = static_cast<const std::int8_t*>(task.weights) + panel.offset;
  for (std::int64_t tap = 0; tap < task.taps; ++tap) {
    const std::uint8_t* x[rows];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      x[r] = task.input +
             (task.offsets == nullptr ? (row + r) * task.row_stride : task.offsets[tap * task.offset_stride + row + r]);
    }
    for (std::int64_t k = 0; k < task.depth; k += igemm_step, w += 64) {
      const int8x16_t weights[4] = {vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(w + 32), vld1q_s8(w + 48)};
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) dot[r].add(signed_quad_at(x[r] + k), weights);
    }
  }
  const std::int32_t* missing = reinterpret_cast<const std::int32_t*>(w);
  const std::int32_t* bias = task.bias + panel.column;
  for (int r = 0; r < rows; ++r) {
    Sixteen sums = dot[r].sums();
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      const int32x4_t constant = vaddq_s32(vld1q_s32(bias + 4 * v), vld1q_s32(missing + 4 * v));
      sums.part[v] = vaddq_s32(sums.part[v], constant);
    }
    write_row(task, panel, row + r, sums);
  }
}

template <class Dot, int most>
void multiply_rows(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row, std::int64_t end) {
  for (; row + most <= end; row += most) multiply_tile<Dot, most>(task, panel, row);
  if constexpr (most > 1) {
    if (row < end) multiply_rows<Dot, most - 1>(task, panel, row, end);
  }
}

template <class Dot>
void multiply_panels(const IgemmTask& task) {
  for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
    multiply_rows<Dot, Dot::rows>(task, task.panels[p], task.row_begin, task.row_end);
  }
}

}  // namespace
}  // namespace halfeven::native
