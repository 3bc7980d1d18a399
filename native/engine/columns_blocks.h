// Blocks of 16 rows of a matrix, as the kernels of kernels/columns read them, and how batches are shared out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "engine/columns.h"
#include "engine/thread_pool.h"

namespace halfeven::native {

// Not zeroed.
class Doubles {
 public:
  explicit Doubles(std::int64_t count)
      : data_(std::make_unique_for_overwrite<double[]>(static_cast<std::size_t>(count))) {}
  double* data() const { return data_.get(); }

 private:
  std::unique_ptr<double[]> data_;
};

inline const ColumnKernels& column_kernels_for(const Execution& execution) {
  return find_kernel(column_kernels, Type::f64, Type::f64, execution.isa)->function;
}

inline int column_threads(const Execution& execution, std::int64_t work) {
  constexpr std::int64_t work_per_thread = 1 << 18;
  const int most = execution.threads > 0 ? execution.threads : default_threads();
  return static_cast<int>(std::clamp<std::int64_t>(work / work_per_thread, 1, most));
}

// Lines of `a`, `length` numbers each and as many apart, side by side: what is missing of `side` lines, and of `filled`
// numbers, is `rest`.
template <class T>
void side_by_side(const T* a, std::int64_t lines, std::int64_t stride, std::int64_t length, std::int64_t filled,
                  double rest, double sign, double* block) {
  for (std::int64_t r = 0; r < tile_side; ++r) {
    const std::int64_t there = r < lines ? length : 0;
    for (std::int64_t k = 0; k < there; ++k) block[k * tile_side + r] = sign * static_cast<double>(a[r * stride + k]);
    for (std::int64_t k = there; k < filled; ++k) block[k * tile_side + r] = rest;
  }
}

// Some consecutive rows of a group, in blocks of 16.
struct Chunk {
  std::int64_t group;
  std::int64_t row;  // first of the group's
  std::int64_t rows;

  std::int64_t blocks() const { return ceil_div(rows, tile_side); }
};

// Rows of a chunk in blocks; `columns` numbers a row, filled up to `filled` with `rest`.
class Blocks {
 public:
  Blocks(std::int64_t blocks, std::int64_t filled) : filled_(filled), data_(blocks * filled * tile_side) {}

  Blocks(const double* rows, const Chunk& chunk, std::int64_t columns, std::int64_t filled, double rest = 0.0,
         double sign = 1.0)
      : Blocks(chunk.blocks(), filled) {
    for (std::int64_t b = 0; b < chunk.blocks(); ++b) {
      const std::int64_t count = std::min(tile_side, chunk.rows - b * tile_side);
      side_by_side(rows + b * tile_side * columns, count, columns, columns, filled, rest, sign, (*this)[b]);
    }
  }

  double* operator[](std::int64_t block) const { return data_.data() + block * filled_ * tile_side; }

  void store(double* rows, const Chunk& chunk, std::int64_t columns) const {
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      const double* from = (*this)[r / tile_side] + r % tile_side;
      for (std::int64_t k = 0; k < columns; ++k) rows[r * columns + k] = from[k * tile_side];
    }
  }

 private:
  std::int64_t filled_;
  Doubles data_;
};

inline constexpr std::int64_t strip = 4;  // panels whose tiles take what comes before or behind them at once

// Tiles of a strip of panels less x times the panels for n in [first, last), upwards or from the last down. So many n
// at a time that a panel's part stays near while all blocks take it, and a block's while all panels do. tile(block,
// panel) gives a tile, x(block) a block of x, m(panel) a panel.
template <class TileOf, class XOf, class PanelOf>
void subtract_strip(const ColumnKernels& kernel, std::int64_t blocks, std::int64_t panels, std::int64_t first,
                    std::int64_t last, bool upwards, const TileOf& tile, const XOf& x, const PanelOf& m) {
  constexpr std::int64_t near = 512;
  for (std::int64_t done = 0; done < last - first; done += near) {
    const std::int64_t count = std::min(near, last - first - done);
    const std::int64_t at = (upwards ? first + done : last - 1 - done) * tile_side;
    const std::int64_t step = upwards ? tile_side : -tile_side;
    for (std::int64_t b = 0; b < blocks; ++b) {
      for (std::int64_t p = 0; p < panels; ++p) {
        kernel.subtract({tile(b, p), x(b) + at, step, m(p) + at, step, count});
      }
    }
  }
}

// body(chunk) for chunks that are as large as threads and memory let them be: each reads all of its group's matrix.
template <class Body>
void for_chunks(const Batch& batch, const Execution& execution, const Body& body) {
  constexpr std::int64_t most = 16;  // blocks
  const std::int64_t blocks = ceil_div(batch.rows, tile_side);
  if (blocks * batch.groups == 0) return;
  const int threads = column_threads(execution, batch.groups * blocks * tile_side * batch.size * batch.size);
  const std::int64_t parts =
      batch.groups >= threads ? ceil_div(blocks, most) : ceil_div(ceil_div(blocks, most), threads) * threads;
  const std::int64_t rows = ceil_div(blocks, std::min(parts, blocks)) * tile_side;
  const std::int64_t chunks = ceil_div(batch.rows, rows);
  auto run = [&](std::int64_t item) {
    const std::int64_t first = item % chunks * rows;
    body(Chunk{item / chunks, first, std::min(rows, batch.rows - first)});
  };
  parallel_for(chunks * batch.groups, threads, run);
}

}  // namespace halfeven::native
