// Tiles of sums over the Wide vectors that the including file declares: int32 sums in registers, drained where a
// segment ends. In an unnamed namespace, see vector/.
#pragma once

#include <cstring>

#include "kernels/unroll.h"
#include "kernels/wgemm/wgemm.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t wide_weights_ahead = 2048;  // bytes: a few steps, for panels that come from the second cache

template <int rows, int parts>
struct WideTile {
  Wide::Ints acc[rows][parts];
};

// Adds elements [begin, end) of all taps together to the sums.
template <int rows, int parts>
HALFEVEN_INLINE void add_segment(const WgemmTask& task, std::int64_t row, std::int64_t begin, std::int64_t end,
                                 WideTile<rows, parts>& tile) {
  const std::int16_t* w = task.weights + begin * parts * Wide::lanes;
  for (std::int64_t tap = begin / task.depth; tap * task.depth < end; ++tap) {
    const std::int64_t first = begin > tap * task.depth ? begin - tap * task.depth : 0;
    const std::int64_t last = end < (tap + 1) * task.depth ? end - tap * task.depth : task.depth;
    const std::uint8_t* x[rows];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      x[r] = task.input +
             (task.offsets == nullptr ? (row + r) * task.row_stride : task.offsets[tap * task.offset_stride + row + r]);
    }
    for (std::int64_t k = first; k < last; k += wgemm_step, w += 2 * parts * Wide::lanes) {
      Wide::Ints b[parts];
      HALFEVEN_UNROLL
      for (int v = 0; v < parts; ++v) {
        b[v] = Wide::load(w + 2 * v * Wide::lanes);
        _mm_prefetch(reinterpret_cast<const char*>(w + 2 * v * Wide::lanes) + wide_weights_ahead, _MM_HINT_T0);
      }
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        std::int32_t pair;
        std::memcpy(&pair, x[r] + 2 * k, sizeof(pair));
        const Wide::Ints a = Wide::fill(pair);
        HALFEVEN_UNROLL
        for (int v = 0; v < parts; ++v) tile.acc[r][v] = Wide::add_products(tile.acc[r][v], a, b[v]);
      }
    }
  }
#if defined(__GNUC__)
  // Keeps the compiler from rearranging the loop's registers for what follows it.
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < parts; ++v) asm volatile("" : "+v"(tile.acc[r][v]));
  }
#endif
}

template <int rows, int parts>
void narrow_tile(const WgemmTask& task, std::int64_t row) {
  WideTile<rows, parts> tile;
  HALFEVEN_UNROLL
  for (int v = 0; v < parts; ++v) {
    const Wide::Ints bias = Wide::low_halves(task.bias + v * Wide::lanes);
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) tile.acc[r][v] = bias;
  }
  add_segment<rows, parts>(task, row, 0, task.taps * task.depth, tile);
  std::int32_t* out = static_cast<std::int32_t*>(task.sums) + (row - task.row_begin) * igemm_panel_columns;
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < parts; ++v) Wide::store(out + r * igemm_panel_columns + v * Wide::lanes, tile.acc[r][v]);
  }
}

template <int rows, int parts>
void wide_tile(const WgemmTask& task, std::int64_t row) {
  std::int64_t* out = static_cast<std::int64_t*>(task.sums) + (row - task.row_begin) * igemm_panel_columns;
  for (int r = 0; r < rows; ++r) {
    std::memcpy(out + r * igemm_panel_columns, task.bias, sizeof(std::int64_t) * parts * Wide::lanes);
  }
  std::int64_t begin = 0;
  for (std::int64_t s = 0; s < task.segments; ++s) {
    WideTile<rows, parts> tile;
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      HALFEVEN_UNROLL
      for (int v = 0; v < parts; ++v) tile.acc[r][v] = Wide::fill(0);
    }
    add_segment<rows, parts>(task, row, begin, task.segment_ends[s], tile);
    begin = task.segment_ends[s];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      HALFEVEN_UNROLL
      for (int v = 0; v < parts; ++v) {
        Wide::add_widened(out + r * igemm_panel_columns + v * Wide::lanes, tile.acc[r][v]);
      }
    }
  }
}

template <int rows, int parts>
void tile_of_rows(const WgemmTask& task, std::int64_t row) {
  if (task.segments == 1) return narrow_tile<rows, parts>(task, row);
  wide_tile<rows, parts>(task, row);
}

template <int parts, int most>
void rest_of_rows(const WgemmTask& task, std::int64_t row) {
  if constexpr (most > 1) {
    if (task.row_end - row < most) return rest_of_rows<parts, most - 1>(task, row);
  }
  tile_of_rows<most, parts>(task, row);
}

// All rows of a panel, `most` at a time.
template <int parts, int most>
void multiply_rows(const WgemmTask& task) {
  std::int64_t row = task.row_begin;
  for (; row + most <= task.row_end; row += most) tile_of_rows<most, parts>(task, row);
  if (row < task.row_end) rest_of_rows<parts, most>(task, row);
}

}  // namespace
}  // namespace halfeven::native
