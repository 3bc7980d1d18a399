// The definition: sums in plain loops.
#define HALFEVEN_ISA portable
#include "kernels/wgemm/plain_loops.inc"

namespace halfeven::native {
namespace {

constexpr int columns = igemm_lanes;

void sum_row(const WgemmTask& task, std::int64_t row) {
  std::int64_t sums[columns];
  for (int j = 0; j < columns; ++j) sums[j] = task.bias[j];
  const std::int16_t* w = task.weights;
  for (std::int64_t tap = 0; tap < task.taps; ++tap) {
    const std::int64_t offset =
        task.offsets == nullptr ? row * task.row_stride : task.offsets[tap * task.offset_stride + row];
    const std::int16_t* x = reinterpret_cast<const std::int16_t*>(task.input + offset);
    for (std::int64_t k = 0; k < task.depth; k += wgemm_step) {
      for (int j = 0; j < columns; ++j, w += wgemm_step) {
        sums[j] += std::int64_t{x[k]} * w[0] + std::int64_t{x[k + 1]} * w[1];
      }
    }
  }
  const std::int64_t first = (row - task.row_begin) * igemm_panel_columns;
  for (int j = 0; j < columns; ++j) {
    if (task.segments == 1) {
      static_cast<std::int32_t*>(task.sums)[first + j] = static_cast<std::int32_t>(static_cast<std::uint64_t>(sums[j]));
    } else {
      static_cast<std::int64_t*>(task.sums)[first + j] = sums[j];
    }
  }
}

}  // namespace

void wgemm_s16_s64_portable(const WgemmTask& task) {
  for (std::int64_t row = task.row_begin; row < task.row_end; ++row) sum_row(task, row);
}

}  // namespace halfeven::native
