#include "engine/columns.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "engine/thread_pool.h"
#include "kernels/parallel.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t tile = 64;           // rows of a factor between two meetings of the threads
constexpr std::int64_t alone_below = 2048;  // elements of a matrix: smaller ones are shared out whole
constexpr std::int64_t work_per_thread = 1 << 18;

using Doubles = std::vector<double>;

const ColumnKernels& kernels(const Execution& execution) {
  return find_kernel(column_kernels, Type::f64, Type::f64, execution.isa)->function;
}

int threads_for(const Execution& execution, std::int64_t work) {
  const int most = execution.threads > 0 ? execution.threads : default_threads();
  return static_cast<int>(std::clamp<std::int64_t>(work / work_per_thread, 1, most));
}

// Rows [first, first + count) of a matrix, side by side; what is missing of a block holds `rest`.
void to_block(const double* a, std::int64_t columns, std::int64_t count, double rest, double* block) {
  for (std::int64_t k = 0; k < columns; ++k) {
    for (std::int64_t r = 0; r < columns_rows; ++r) block[k * columns_rows + r] = r < count ? a[r * columns + k] : rest;
  }
}

void from_block(const double* block, std::int64_t columns, std::int64_t count, double* a) {
  for (std::int64_t r = 0; r < count; ++r) {
    for (std::int64_t k = 0; k < columns; ++k) a[r * columns + k] = block[k * columns_rows + r];
  }
}

// body(group, first row, rows) for each block of rows.
template <class Body>
void for_blocks(const Batch& batch, const Execution& execution, const Body& body) {
  const std::int64_t blocks = ceil_div(batch.rows, columns_rows), items = blocks * batch.groups;
  auto run = [&](std::int64_t item) {
    const std::int64_t first = item % blocks * columns_rows;
    body(item / blocks, first, std::min(columns_rows, batch.rows - first));
  };
  parallel_for(items, threads_for(execution, items * columns_rows * batch.size * batch.size), run);
}

bool factor_small(const ColumnKernels& kernel, const FactorTask& task) {
  bool positive = true;
  for (std::int64_t row = (task.size - 1) / columns_rows * columns_rows; row >= 0; row -= columns_rows) {
    for (std::int64_t column = row; column >= 0; column -= columns_rows) {
      positive = kernel.factor(task, row, column) && positive;
    }
  }
  return positive;
}

// A tile of rows: its own columns in turn, those before it at once.
bool factor_large(const ColumnKernels& kernel, const FactorTask& task, const Execution& execution) {
  bool positive = true;
  for (std::int64_t begin = (task.size - 1) / tile * tile; begin >= 0 && positive; begin -= tile) {
    const std::int64_t last = (std::min(begin + tile, task.size) - 1) / columns_rows * columns_rows;
    for (std::int64_t row = last; row >= begin; row -= columns_rows) {
      for (std::int64_t column = row; column >= begin; column -= columns_rows) {
        positive = kernel.factor(task, row, column) && positive;
      }
    }
    auto run = [&](std::int64_t item) {
      for (std::int64_t row = last; row >= begin; row -= columns_rows) kernel.factor(task, row, item * columns_rows);
    };
    parallel_for(begin / columns_rows, threads_for(execution, begin * (task.size - begin) * tile), run);
  }
  return positive;
}

void clear_above_diagonal(double* w, std::int64_t size, std::int64_t stride) {
  for (std::int64_t k = 0; k < size; ++k) std::fill(w + k * stride + k + 1, w + k * stride + size, 0.0);
}

bool factor_one(const ColumnKernels& kernel, const double* h, double* w, std::int64_t size,
                const Execution& execution) {
  const std::int64_t stride = ceil_div(size, columns_rows) * columns_rows;
  const auto run = [&](const double* from, double* to) {
    const FactorTask task{from, to, size, stride};
    return size < tile ? factor_small(kernel, task) : factor_large(kernel, task, execution);
  };
  bool positive = false;
  if (stride == size) {
    positive = run(h, w);
  } else {
    Doubles from(static_cast<std::size_t>(size * stride)), to(from.size());
    for (std::int64_t k = 0; k < size; ++k) std::copy_n(h + k * size, size, from.data() + k * stride);
    positive = run(from.data(), to.data());
    for (std::int64_t k = 0; k < size; ++k) std::copy_n(to.data() + k * stride, size, w + k * size);
  }
  clear_above_diagonal(w, size, size);
  return positive;
}

}  // namespace

bool factor(const double* h, double* w, std::int64_t groups, std::int64_t size, const Execution& execution) {
  const ColumnKernels& kernel = kernels(execution);
  std::atomic<bool> positive = true;
  const bool whole = groups > 1 && size * size <= alone_below;
  auto run = [&](std::int64_t g) {
    const Execution inside{execution.isa, whole ? 1 : execution.threads};
    if (!factor_one(kernel, h + g * size * size, w + g * size * size, size, inside)) positive = false;
  };
  parallel_for(groups, whole ? threads_for(execution, groups * size * size * size) : 1, run);
  return positive;
}

void solve(const double* u, const double* w, double* b, const Batch& batch, const Execution& execution) {
  const ColumnKernels& kernel = kernels(execution);
  for_blocks(batch, execution, [&](std::int64_t group, std::int64_t row, std::int64_t count) {
    const std::int64_t square = group * batch.size * batch.size;
    double* rows = b + (group * batch.rows + row) * batch.size;
    Doubles block(static_cast<std::size_t>(batch.size * columns_rows));
    to_block(rows, batch.size, count, 0.0, block.data());
    kernel.solve({u + square, w + square, batch.size, block.data()});
    from_block(block.data(), batch.size, count, rows);
  });
}

namespace {

// A block of rows with its grid.
class GridBlock {
 public:
  GridBlock(const double* v, const Grid& grid, const Batch& batch, std::int64_t first_row, std::int64_t count)
      : v_(static_cast<std::size_t>(batch.size * columns_rows)),
        codes_(v_.size()),
        scale_(static_cast<std::size_t>(grid.scales * columns_rows)) {
    to_block(v + first_row * batch.size, batch.size, count, 0.0, v_.data());
    to_block(grid.scale + first_row * grid.scales, grid.scales, count, 1.0, scale_.data());
    const std::int64_t step = grid.scales == 1 ? 0 : columns_rows;
    task = {v_.data(), scale_.data(), step, grid.qmin, grid.qmax, batch.size, codes_.data()};
  }

  GridTask task;

 private:
  Doubles v_;
  Doubles codes_;
  Doubles scale_;
};

}  // namespace

void round_columns(const double* v, const double* f, const Grid& grid, double* codes, const Batch& batch,
                   const Execution& execution) {
  const ColumnKernels& kernel = kernels(execution);
  for_blocks(batch, execution, [&](std::int64_t group, std::int64_t row, std::int64_t count) {
    const std::int64_t first = group * batch.rows + row;
    const GridBlock block(v, grid, batch, first, count);
    Doubles errors(static_cast<std::size_t>(batch.size * columns_rows));
    kernel.round(block.task, f + group * batch.size * batch.size, errors.data());
    from_block(block.task.codes, batch.size, count, codes + first * batch.size);
  });
}

void improve_columns(const double* v, const double* h, const Grid& grid, double* codes, double* pull,
                     std::int64_t sweeps, const Batch& batch, const Execution& execution) {
  const ColumnKernels& kernel = kernels(execution);
  for_blocks(batch, execution, [&](std::int64_t group, std::int64_t row, std::int64_t count) {
    const std::int64_t first = group * batch.rows + row;
    const GridBlock block(v, grid, batch, first, count);
    Doubles pulls(static_cast<std::size_t>(batch.size * columns_rows));
    to_block(codes + first * batch.size, batch.size, count, 0.0, block.task.codes);
    to_block(pull + first * batch.size, batch.size, count, 0.0, pulls.data());
    kernel.improve(block.task, h + group * batch.size * batch.size, pulls.data(), sweeps);
    from_block(block.task.codes, batch.size, count, codes + first * batch.size);
    from_block(pulls.data(), batch.size, count, pull + first * batch.size);
  });
}

}  // namespace halfeven::native
