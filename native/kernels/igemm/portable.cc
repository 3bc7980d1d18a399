// The definition: sums in plain loops, modulo 2^32.
#include "kernels/igemm/igemm.h"

namespace halfeven::native {
namespace {

const std::uint8_t* row_under(const IgemmTask& task, std::int64_t tap, std::int64_t row) {
  if (task.offsets == nullptr) return task.input + row * task.row_stride;
  return task.input + task.offsets[tap * task.offset_stride + row];
}

void sum_row(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row) {
  const int columns = panel.vectors * igemm_lanes;
  std::uint32_t sums[igemm_panel_columns];
  for (int j = 0; j < columns; ++j) sums[j] = static_cast<std::uint32_t>(task.bias[panel.column + j]);
  const std::int8_t* w = static_cast<const std::int8_t*>(task.weights) + panel.offset;
  for (std::int64_t tap = 0; tap < task.taps; ++tap) {
    const std::uint8_t* x = row_under(task, tap, row);
    for (std::int64_t k = 0; k < task.depth; k += igemm_step) {
      for (int j = 0; j < columns; ++j, w += igemm_step) {
        for (int i = 0; i < igemm_step; ++i) sums[j] += static_cast<std::uint32_t>(x[k + i] * w[i]);
      }
    }
  }
  std::int32_t* out = task.sums + (row - task.row_begin) * igemm_panel_columns;
  for (int j = 0; j < columns; ++j) out[j] = static_cast<std::int32_t>(sums[j]);
}

}  // namespace

void igemm_u8_u8_portable(const IgemmTask& task) {
  for (std::int64_t row = task.row_begin; row < task.row_end; ++row) sum_row(task, task.panels[task.panel_begin], row);
}

}  // namespace halfeven::native
