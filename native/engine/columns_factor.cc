// The factor of a symmetric matrix in panels, in its place, and such matrices from moments.
#include <atomic>

#include "engine/columns.h"
#include "engine/columns_blocks.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t at_once = 8;         // panels of rows that are finished together
constexpr std::int64_t in_cache = 512;      // later rows of a strip that are taken from all columns in turn
constexpr std::int64_t alone_below = 2048;  // elements of a matrix: smaller ones are shared out whole

// From the last rows to the first, a strip of them at a time: those behind it are taken from its own columns, which are
// finished; then the columns before it are.
class Factor {
 public:
  Factor(const ColumnKernels& kernel, double* panels, std::int64_t size, const Execution& execution)
      : kernel_(kernel), panels_(panels), size_(size), execution_(execution) {}

  bool run() const {
    bool positive = true;
    for (std::int64_t end = size_ / tile_side; end > 0 && positive; end -= at_once) {
      const std::int64_t begin = std::max<std::int64_t>(end - at_once, 0);
      positive = finish_own(begin, end);
      if (positive) finish_before(begin, end);
    }
    return positive;
  }

 private:
  // Of a panel from row n on.
  double* at(std::int64_t panel, std::int64_t n) const { return panels_ + (panel * size_ + n) * tile_side; }

  // Rows [first, last), from the last, are taken from the tile of rows at panel j, columns of panel c.
  void take(std::int64_t j, std::int64_t c, std::int64_t first, std::int64_t last) const {
    if (first >= last) return;
    kernel_.subtract({at(c, j * tile_side), at(c, last - 1), -tile_side, at(j, last - 1), -tile_side, last - first});
  }

  bool finish(std::int64_t j, std::int64_t c) const {
    double* tile = at(c, j * tile_side);
    if (j == c) return kernel_.factor(tile, nullptr);
    kernel_.factor(tile, at(j, j * tile_side));
    double* across = at(j, c * tile_side);
    for (std::int64_t k = 0; k < tile_side; ++k) {
      for (std::int64_t n = 0; n < tile_side; ++n) across[k * tile_side + n] = tile[n * tile_side + k];
    }
    return true;
  }

  bool finish_own(std::int64_t begin, std::int64_t end) const {
    const std::int64_t count = end - begin, behind = size_ - end * tile_side;
    auto run = [&](std::int64_t item) {
      const std::int64_t j = begin + item / count, c = begin + item % count;
      if (c <= j) take(j, c, end * tile_side, size_);
    };
    parallel_for(count * count, threads_for(count * count * tile_size * behind), run);
    bool positive = true;
    for (std::int64_t j = end - 1; j >= begin && positive; --j) {
      for (std::int64_t c = j; c >= begin && positive; --c) {
        take(j, c, (j + 1) * tile_side, end * tile_side);
        positive = finish(j, c);
      }
    }
    return positive;
  }

  void finish_before(std::int64_t begin, std::int64_t end) const {
    const std::int64_t work = begin * (end - begin) * tile_size * (size_ - begin * tile_side);
    const int threads = threads_for(work);
    const std::int64_t items = std::min<std::int64_t>(begin, threads == 1 ? 1 : 4 * threads);
    auto run = [&](std::int64_t item) { finish_columns(item * begin / items, (item + 1) * begin / items, begin, end); };
    parallel_for(items, threads, run);
  }

  void finish_columns(std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t n = size_; n > end * tile_side; n -= in_cache) {
      const std::int64_t from = std::max(n - in_cache, end * tile_side);
      for (std::int64_t c = first; c < last; ++c) {
        for (std::int64_t j = begin; j < end; ++j) take(j, c, from, n);
      }
    }
    for (std::int64_t c = first; c < last; ++c) {
      for (std::int64_t j = end - 1; j >= begin; --j) {
        take(j, c, (j + 1) * tile_side, end * tile_side);
        finish(j, c);
      }
    }
  }

  int threads_for(std::int64_t work) const { return column_threads(execution_, work); }

  const ColumnKernels& kernel_;
  double* panels_;
  std::int64_t size_;
  const Execution& execution_;
};

// Rows [first, last) of one group in panels.
void some_to_panels(const Covariance& t, std::int64_t group, std::int64_t size, std::int64_t first, std::int64_t last) {
  const std::int64_t full = padded(size);
  const std::int64_t* order = t.order + group * size;
  const double* mean = t.mean + group * size;
  for (std::int64_t n = first; n < last; ++n) {
    const bool there = n < size;
    const double* sums = there ? t.sums + (group * size + order[n]) * size : nullptr;
    for (std::int64_t k = 0; k < full; ++k) {
      double value = n == k ? 1.0 : 0.0;
      if (there && k < size) {
        value = sums[order[k]] / t.count - mean[order[n]] * mean[order[k]];
        if (n == k) value += t.added[group];
      }
      t.panels[((group * full / tile_side + k / tile_side) * full + n) * tile_side + k % tile_side] = value;
    }
  }
}

}  // namespace

void to_panels(const Covariance& covariance, const Batch& batch, const Execution& execution) {
  constexpr std::int64_t rows = 32;
  const std::int64_t parts = ceil_div(padded(batch.size), rows);
  auto run = [&](std::int64_t item) {
    const std::int64_t first = item % parts * rows;
    some_to_panels(covariance, item / parts, batch.size, first, std::min(first + rows, padded(batch.size)));
  };
  parallel_for(parts * batch.groups, column_threads(execution, batch.groups * batch.size * batch.size * 4), run);
}

bool factor(double* panels, const Batch& batch, const Execution& execution) {
  const ColumnKernels& kernel = column_kernels_for(execution);
  const std::int64_t size = padded(batch.size);
  const bool whole = batch.groups > 1 && size * size <= alone_below;
  std::atomic<bool> positive = true;
  auto run = [&](std::int64_t g) {
    const Execution inside{execution.isa, whole ? 1 : execution.threads};
    if (!Factor(kernel, panels + g * size * size, size, inside).run()) positive = false;
  };
  parallel_for(batch.groups, whole ? column_threads(execution, batch.groups * size * size * size) : 1, run);
  return positive;
}

}  // namespace halfeven::native
