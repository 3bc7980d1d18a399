// Products of words by vpmaddwd, place by place, for one panel of 16 columns after the other.
#include "kernels/igemm/ymm_words.h"
#include "kernels/vector/x86_codes_avx2.h"
#include "kernels/winograd/ymm_transforms.h"

namespace halfeven::native {
namespace {

// A product at one place: rows of V, one a tile, times U of 16 columns.
struct PlaceProduct {
  const std::int16_t* x;
  std::int64_t stride;
  std::int64_t depth;
  const __m256i* weights;
  bool first;  // else it adds to the sums
};

template <int rows>
void multiply_rows(const PlaceProduct& place, std::int64_t row, std::int32_t* sums) {
  __m256i* out = reinterpret_cast<__m256i*>(sums + row * igemm_lanes);
  __m256i acc[rows][2] = {};
  if (!place.first) {
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      acc[r][0] = _mm256_load_si256(out + 2 * r);
      acc[r][1] = _mm256_load_si256(out + 2 * r + 1);
    }
  }
  add_words(place.x + row * place.stride, place.stride, place.depth, place.weights, acc);
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    _mm256_store_si256(out + 2 * r, acc[r][0]);
    _mm256_store_si256(out + 2 * r + 1, acc[r][1]);
  }
}

void multiply_place(const PlaceProduct& place, std::int64_t tiles, std::int32_t* sums) {
  std::int64_t row = 0;
  for (; row + 6 <= tiles; row += 6) multiply_rows<6>(place, row, sums);
  switch (tiles - row) {
    case 5: return multiply_rows<5>(place, row, sums);
    case 4: return multiply_rows<4>(place, row, sums);
    case 3: return multiply_rows<3>(place, row, sums);
    case 2: return multiply_rows<2>(place, row, sums);
    case 1: return multiply_rows<1>(place, row, sums);
    default: return;
  }
}

template <int count>
void write_pixels(const PanelWriter& writer, const IgemmPanel& panel, std::int64_t row, const __m256i (&low)[4],
                  const __m256i (&high)[4]) {
  __m256i sums[count][2];
  HALFEVEN_UNROLL
  for (int k = 0; k < count; ++k) {
    sums[k][0] = low[k];
    sums[k][1] = high[k];
  }
  writer.write(panel, row, sums);
}

// The pixels of one tile, of one panel: those inside of the image.
void write_tile(const WinogradTask& task, const PanelWriter& writer, const IgemmPanel& panel, std::int64_t tile,
                const std::int32_t* sums, std::int64_t stride) {
  __m256i y[2][4][4];
  HALFEVEN_UNROLL
  for (int h = 0; h < 2; ++h) {
    const __m256i* less = reinterpret_cast<const __m256i*>(task.less + panel.column + 8 * h);
    const __m256i* bias = reinterpret_cast<const __m256i*>(task.bias + panel.column + 8 * h);
    transform_sums(sums + 8 * h, stride, _mm256_loadu_si256(less), _mm256_loadu_si256(bias), y[h]);
  }
  const std::int64_t across = (task.width + winograd_out - 1) / winograd_out;
  const std::int64_t down = (task.height + winograd_out - 1) / winograd_out;
  const std::int64_t top = tile / across % down * winograd_out;
  const std::int64_t left = tile % across * winograd_out;
  std::int64_t row = (tile / (across * down) * task.height + top) * task.width + left;
  for (std::int64_t i = 0; i < winograd_out && top + i < task.height; ++i, row += task.width) {
    switch (task.width - left) {
      case 1: write_pixels<1>(writer, panel, row, y[0][i], y[1][i]); break;
      case 2: write_pixels<2>(writer, panel, row, y[0][i], y[1][i]); break;
      case 3: write_pixels<3>(writer, panel, row, y[0][i], y[1][i]); break;
      default: write_pixels<4>(writer, panel, row, y[0][i], y[1][i]); break;
    }
  }
}

// Where the parts of a block lie in the scratch.
struct Block {
  std::int64_t tiles;
  std::int64_t v_stride;
  std::int16_t* v;     // [place][tile][depth]
  std::int16_t* u;     // [place][depth / 2][16][2]
  std::int32_t* sums;  // [place][tile][16]

  explicit Block(const WinogradTask& task)
      : tiles(task.tile_end - task.tile_begin),
        v_stride(winograd_stride(tiles * task.depth)),
        v(static_cast<std::int16_t*>(task.scratch)),
        u(v + winograd_places * v_stride),
        sums(reinterpret_cast<std::int32_t*>(u + winograd_places * winograd_stride(winograd_depth * igemm_lanes))) {}
};

// The sums of one panel, from V.
void multiply_panel(const WinogradTask& task, const Block& block, const std::int8_t* weights) {
  for (std::int64_t k = 0; k < task.depth; k += winograd_depth) {
    const std::int64_t depth = task.depth - k < winograd_depth ? task.depth - k : winograd_depth;
    transform_weights(weights + k * winograd_taps * igemm_lanes, depth, block.u);
    for (int e = 0; e < winograd_places; ++e) {
      const std::int16_t* u = block.u + e * winograd_stride(winograd_depth * igemm_lanes);
      const PlaceProduct place{block.v + e * block.v_stride + k, task.depth, depth, reinterpret_cast<const __m256i*>(u),
                               k == 0};
      multiply_place(place, block.tiles, block.sums + e * block.tiles * igemm_lanes);
    }
  }
}

}  // namespace

void winograd_u8_u8_avx2(const WinogradTask& task) {
  IgemmTask rows{};
  rows.multiplier = task.multiplier;
  rows.columns = task.columns;
  rows.out = task.out;
  rows.out_stride = task.out_stride;
  rows.rule = task.rule;
  rows.sum = task.sum;
  const PanelWriter writer(rows);
  const Block block(task);
  for (std::int64_t t = 0; t < block.tiles; ++t) {
    transform_tile(task, task.tile_begin + t, block.v_stride, block.v + t * task.depth);
  }
  for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) {
    multiply_panel(task, block, task.weights + p * igemm_lanes * winograd_taps * task.depth);
    const IgemmPanel panel{static_cast<std::int32_t>(p * igemm_lanes), 1, 0};
    for (std::int64_t t = 0; t < block.tiles; ++t) {
      write_tile(task, writer, panel, task.tile_begin + t, block.sums + t * igemm_lanes, block.tiles * igemm_lanes);
    }
  }
}

}  // namespace halfeven::native
