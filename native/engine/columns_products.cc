// Products of matrices and moments of rows, each sum in one order.
#include <array>

#include "engine/columns.h"
#include "engine/columns_blocks.h"

namespace halfeven::native {
namespace {

// Columns [first, first + 16) of a row-major matrix, row by row; missing ones are 0.
void columns_of(const double* a, std::int64_t rows, std::int64_t columns, std::int64_t first, double* panel) {
  const std::int64_t count = std::min(tile_side, columns - first);
  for (std::int64_t n = 0; n < rows; ++n) {
    std::copy_n(a + n * columns + first, count, panel + n * tile_side);
    std::fill(panel + n * tile_side + count, panel + (n + 1) * tile_side, 0.0);
  }
}

// Of a tile, the columns and rows that there are.
void store_tile(const double* tile, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* out) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < columns; ++k) out[i * stride + k] = tile[k * tile_side + i];
  }
}

// Some rows of a in blocks times columns of b, a strip of panels after the other.
class RowProduct {
 public:
  RowProduct(const ColumnKernels& kernel, const double* a, const Chunk& chunk, std::int64_t size)
      : kernel_(kernel),
        chunk_(chunk),
        size_(size),
        left_(a, chunk, size, size, 0.0, -1.0),  // tiles are subtracted from
        tiles_(chunk.blocks(), strip * tile_side) {}

  // `panels` with columns [first, ...) of b; `out` is row-major, its first column that at `first`.
  void run(const std::array<const double*, strip>& panels, std::int64_t columns, std::int64_t stride,
           double* out) const {
    const std::int64_t count = std::min(strip, ceil_div(columns, tile_side)), blocks = chunk_.blocks();
    const auto tile = [&](std::int64_t b, std::int64_t p) { return tiles_[b] + p * tile_size; };
    for (std::int64_t b = 0; b < blocks; ++b) std::fill_n(tiles_[b], strip * tile_size, 0.0);
    subtract_strip(
        kernel_, blocks, count, 0, size_, true, tile, [&](std::int64_t b) { return left_[b]; },
        [&](std::int64_t p) { return panels[static_cast<std::size_t>(p)]; });
    for (std::int64_t b = 0; b < blocks; ++b) {
      for (std::int64_t p = 0; p < count; ++p) {
        store_tile(tile(b, p), std::min(tile_side, chunk_.rows - b * tile_side),
                   std::min(tile_side, columns - p * tile_side), stride, out + b * tile_side * stride + p * tile_side);
      }
    }
  }

 private:
  const ColumnKernels& kernel_;
  Chunk chunk_;
  std::int64_t size_;
  Blocks left_;
  Blocks tiles_;
};

// `panel_of(group, first, scratch)`: columns of b from `first` on, in a panel; `scratch` holds one. Few rows are shared
// out by columns: each part of b is read by one thread.
template <class Panel>
void multiply_by(const double* a, const Panel& panel_of, double* out, std::int64_t columns, const Batch& batch,
                 const Execution& execution) {
  constexpr std::int64_t rows = 16 * tile_side;
  const ColumnKernels& kernel = column_kernels_for(execution);
  const std::int64_t chunks = ceil_div(batch.rows, rows), strips = ceil_div(columns, strip * tile_side);
  const int threads = column_threads(execution, batch.groups * batch.rows * batch.size * columns);
  const std::int64_t parts = std::min<std::int64_t>(batch.groups * chunks < threads ? threads : 1, strips);
  auto run = [&](std::int64_t item) {
    const std::int64_t part = item % parts, first = item / parts % chunks * rows, group = item / parts / chunks;
    const std::int64_t row = group * batch.rows + first;
    const Chunk chunk{group, first, std::min(rows, batch.rows - first)};
    const RowProduct product(kernel, a + row * batch.size, chunk, batch.size);
    const Blocks scratch(strip, batch.size);
    for (std::int64_t s = part * strips / parts; s < (part + 1) * strips / parts; ++s) {
      const std::int64_t column = s * strip * tile_side;
      std::array<const double*, strip> panels{};
      for (std::int64_t p = 0; p < strip && column + p * tile_side < columns; ++p) {
        panels[static_cast<std::size_t>(p)] = panel_of(group, column + p * tile_side, scratch[p]);
      }
      product.run(panels, std::min(strip * tile_side, columns - column), columns, out + row * columns + column);
    }
  };
  parallel_for(batch.groups * chunks * parts, threads, run);
}

}  // namespace

void multiply(const double* a, const double* b, double* out, std::int64_t columns, const Batch& batch,
              const Execution& execution) {
  const auto panel = [&](std::int64_t group, std::int64_t first, double* scratch) {
    columns_of(b + group * batch.size * columns, batch.size, columns, first, scratch);
    return scratch;
  };
  multiply_by(a, panel, out, columns, batch, execution);
}

void multiply_panels(const double* a, const double* panels, double* out, const Batch& batch,
                     const Execution& execution) {
  const std::int64_t size = padded(batch.size);
  const auto panel = [&](std::int64_t group, std::int64_t first, double*) {
    return panels + (group * size + first) * size;
  };
  multiply_by(a, panel, out, batch.size, batch, execution);
}

namespace {

constexpr std::int64_t at_a_time = 512;  // rows whose products are added

// Rows [first, last) of one side in panels of 16 columns.
class Panels {
 public:
  Panels(const float* a, std::int64_t columns, std::int64_t stride, double sign)
      : a_(a), columns_(columns), stride_(stride), sign_(sign), data_(padded(columns) * at_a_time) {}

  std::int64_t count() const { return ceil_div(columns_, tile_side); }
  double* operator[](std::int64_t panel) const { return data_.data() + panel * at_a_time * tile_side; }
  std::int64_t columns(std::int64_t panel) const { return std::min(tile_side, columns_ - panel * tile_side); }

  void read(std::int64_t panel, std::int64_t first, std::int64_t last) const {
    side_by_side(a_ + panel * tile_side * stride_ + first, columns(panel), stride_, last - first, last - first, 0.0,
                 sign_, (*this)[panel]);
  }

 private:
  const float* a_;
  std::int64_t columns_;
  std::int64_t stride_;
  double sign_;
  Doubles data_;
};

class AddedMoments {
 public:
  AddedMoments(const Moments& moments, std::int64_t group, const Execution& execution)
      : moments_(moments),
        execution_(execution),
        kernel_(column_kernels_for(execution)),
        left_(moments.a + group * moments.columns_a * moments.rows, moments.columns_a, moments.rows, -1.0),
        right_(moments.b + group * moments.columns_b * moments.rows, moments.columns_b, moments.rows, 1.0),
        out_(moments.out + group * moments.columns_a * moments.columns_b) {}

  void run() const {
    for (std::int64_t first = 0; first < moments_.rows; first += at_a_time) {
      add(first, std::min(first + at_a_time, moments_.rows));
    }
    if (moments_.symmetric) mirror();
  }

 private:
  void add(std::int64_t first, std::int64_t last) const {
    auto read = [&](std::int64_t item) {
      if (item < left_.count()) {
        left_.read(item, first, last);
      } else {
        right_.read(item - left_.count(), first, last);
      }
    };
    const std::int64_t numbers = (moments_.columns_a + moments_.columns_b) * (last - first);
    parallel_for(left_.count() + right_.count(), column_threads(execution_, numbers), read);
    auto run = [&](std::int64_t item) {
      const std::int64_t begin = item * strip, end = std::min(begin + strip, left_.count());
      for (std::int64_t j = moments_.symmetric ? begin : 0; j < right_.count(); ++j) {
        for (std::int64_t i = begin; i < end; ++i) add_tile(i, j, last - first);
      }
    };
    const std::int64_t work = moments_.columns_a * moments_.columns_b * (last - first);
    parallel_for(ceil_div(left_.count(), strip), column_threads(execution_, work), run);
  }

  void add_tile(std::int64_t i, std::int64_t j, std::int64_t count) const {
    std::array<double, tile_size> tile{};
    double* out = out_ + i * tile_side * moments_.columns_b + j * tile_side;
    for (std::int64_t r = 0; r < left_.columns(i); ++r) {
      std::copy_n(out + r * moments_.columns_b, right_.columns(j), tile.data() + r * tile_side);
    }
    kernel_.subtract({tile.data(), right_[j], tile_side, left_[i], tile_side, count});
    for (std::int64_t r = 0; r < left_.columns(i); ++r) {
      std::copy_n(tile.data() + r * tile_side, right_.columns(j), out + r * moments_.columns_b);
    }
  }

  // Below the diagonal what stands above it, in squares that stay in the cache.
  void mirror() const {
    constexpr std::int64_t square = 64;
    const std::int64_t size = moments_.columns_a, squares = ceil_div(size, square);
    auto run = [&](std::int64_t item) {
      for (std::int64_t across = 0; across <= item; ++across) {
        for (std::int64_t i = item * square; i < std::min((item + 1) * square, size); ++i) {
          for (std::int64_t j = across * square; j < std::min((across + 1) * square, i); ++j) {
            out_[i * size + j] = out_[j * size + i];
          }
        }
      }
    };
    parallel_for(squares, column_threads(execution_, size * size), run);
  }

  const Moments& moments_;
  const Execution& execution_;
  const ColumnKernels& kernel_;
  Panels left_;
  Panels right_;
  double* out_;
};

}  // namespace

void add_moments(const Moments& moments, const Execution& execution) {
  constexpr std::int64_t alone_below = 1 << 12;  // elements of a matrix: smaller ones are shared out whole
  const std::int64_t elements = moments.columns_a * moments.columns_b;
  const bool whole = moments.groups > 1 && elements <= alone_below;
  auto run = [&](std::int64_t group) {
    const Execution inside{execution.isa, whole ? 1 : execution.threads};
    AddedMoments(moments, group, inside).run();
  };
  parallel_for(moments.groups, whole ? column_threads(execution, moments.groups * elements * moments.rows) : 1, run);
}

}  // namespace halfeven::native
