#include "engine/columns.h"

#include <vector>

#include "engine/columns_blocks.h"

namespace halfeven::native {

namespace {

// One group's factor with some rows.
class Solution {
 public:
  Solution(const ColumnKernels& kernel, const double* w, std::int64_t size, const Blocks& x, std::int64_t blocks)
      : kernel_(kernel), w_(w), size_(size), x_(x), blocks_(blocks) {}

  // Y of Y W = B: a strip takes what is behind it, then its panels in turn what is behind them in the strip.
  void from_the_last() const {
    for (std::int64_t end = size_ / tile_side; end > 0; end -= strip) {
      const std::int64_t begin = std::max<std::int64_t>(end - strip, 0);
      subtract(begin, end, end * tile_side, size_, false);
      for (std::int64_t panel = end - 1; panel >= begin; --panel) {
        subtract(panel, panel + 1, (panel + 1) * tile_side, end * tile_side, false);
        finish(panel, true);
      }
    }
  }

  // X of X W^T = Y.
  void from_the_first() const {
    for (std::int64_t begin = 0; begin < size_ / tile_side; begin += strip) {
      const std::int64_t end = std::min(begin + strip, size_ / tile_side);
      subtract(begin, end, 0, begin * tile_side, true);
      for (std::int64_t panel = begin; panel < end; ++panel) {
        subtract(panel, panel + 1, begin * tile_side, panel * tile_side, true);
        finish(panel, false);
      }
    }
  }

 private:
  const double* panel_at(std::int64_t panel) const { return w_ + panel * size_ * tile_side; }

  void subtract(std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last, bool upwards) const {
    subtract_strip(
        kernel_, blocks_, end - begin, first, last, upwards,
        [&](std::int64_t b, std::int64_t p) { return x_[b] + (begin + p) * tile_size; },
        [&](std::int64_t b) { return x_[b]; }, [&](std::int64_t p) { return panel_at(begin + p); });
  }

  void finish(std::int64_t panel, bool from_the_last) const {
    for (std::int64_t b = 0; b < blocks_; ++b) {
      kernel_.solve(x_[b] + panel * tile_size, panel_at(panel) + panel * tile_size, from_the_last);
    }
  }

  const ColumnKernels& kernel_;
  const double* w_;
  std::int64_t size_;
  const Blocks& x_;
  std::int64_t blocks_;
};

}  // namespace

void solve(const double* w, double* b, const Batch& batch, const Execution& execution) {
  const ColumnKernels& kernel = column_kernels_for(execution);
  const std::int64_t size = padded(batch.size);
  for_chunks(batch, execution, [&](const Chunk& chunk) {
    double* rows = b + (chunk.group * batch.rows + chunk.row) * batch.size;
    const Blocks x(rows, chunk, batch.size, size);
    const Solution solution(kernel, w + chunk.group * size * size, size, x, chunk.blocks());
    solution.from_the_last();
    solution.from_the_first();
    x.store(rows, chunk, batch.size);
  });
}

namespace {

// Rows of a chunk with their grid. What fills the last tile has code 0.
class GridBlocks {
 public:
  GridBlocks(const double* v, const Grid& grid, const Batch& batch, const Chunk& chunk)
      : codes(chunk.blocks(), padded(batch.size)),
        grid_(grid),
        v_(v + row_of(batch, chunk) * batch.size, chunk, batch.size, padded(batch.size)),
        scale_(grid.scale + row_of(batch, chunk) * grid.scales, chunk, grid.scales,
               grid.scales == 1 ? 1 : padded(batch.size), 1.0) {}

  static std::int64_t row_of(const Batch& batch, const Chunk& chunk) { return chunk.group * batch.rows + chunk.row; }

  // Of the tile at column k.
  GridTask task(std::int64_t block, std::int64_t k) const {
    const std::int64_t step = grid_.scales == 1 ? 0 : tile_side;
    return {v_[block] + k * tile_side,   scale_[block] + k * step, step, grid_.qmin, grid_.qmax,
            codes[block] + k * tile_side};
  }

  Blocks codes;

 private:
  Grid grid_;
  Blocks v_;
  Blocks scale_;
};

}  // namespace

void round_columns(const double* v, const double* w, const Grid& grid, double* codes, double* lost, const Batch& batch,
                   const Execution& execution) {
  const ColumnKernels& kernel = column_kernels_for(execution);
  const std::int64_t size = padded(batch.size), panels = size / tile_side;
  for_chunks(batch, execution, [&](const Chunk& chunk) {
    const std::int64_t row = GridBlocks::row_of(batch, chunk);
    const GridBlocks rows(v, grid, batch, chunk);
    const Blocks errors(chunk.blocks(), size), tiles(chunk.blocks(), strip * tile_side);
    std::vector<double> left(static_cast<std::size_t>(chunk.blocks() * tile_side));
    const auto panel_at = [&](std::int64_t panel) { return w + (chunk.group * panels + panel) * size * tile_side; };
    for (std::int64_t begin = 0; begin < panels; begin += strip) {
      const std::int64_t end = std::min(begin + strip, panels);
      const auto subtract = [&](std::int64_t first, std::int64_t last, std::int64_t n, std::int64_t until) {
        subtract_strip(
            kernel, chunk.blocks(), last - first, n, until, true,
            [&](std::int64_t b, std::int64_t p) { return tiles[b] + (first - begin + p) * tile_size; },
            [&](std::int64_t b) { return errors[b]; }, [&](std::int64_t p) { return panel_at(first + p); });
      };
      for (std::int64_t b = 0; b < chunk.blocks(); ++b) std::fill_n(tiles[b], strip * tile_size, 0.0);
      subtract(begin, end, 0, begin * tile_side);
      for (std::int64_t panel = begin; panel < end; ++panel) {
        subtract(panel, panel + 1, begin * tile_side, panel * tile_side);
        for (std::int64_t b = 0; b < chunk.blocks(); ++b) {
          kernel.round(rows.task(b, panel * tile_side), tiles[b] + (panel - begin) * tile_size,
                       panel_at(panel) + panel * tile_size, errors[b] + panel * tile_size, left.data() + b * tile_side);
        }
      }
    }
    rows.codes.store(codes + row * batch.size, chunk, batch.size);
    std::copy_n(left.data(), chunk.rows, lost + row);
  });
}

namespace {

// What one sweep changed in a block of rows, in the order in which it did, and how much of that lies before each panel.
class Changes {
 public:
  Changes(std::int64_t size)
      : values_(size * tile_side),
        index_(static_cast<std::size_t>(size)),
        before_(static_cast<std::size_t>(size / tile_side + 1)) {}

  std::int64_t before(std::int64_t panel) const { return before_[static_cast<std::size_t>(panel)]; }
  std::int64_t count() const { return before_.back(); }
  double* values(std::int64_t first) { return values_.data() + first * tile_side; }
  std::int32_t* index(std::int64_t first) { return index_.data() + first; }

  // So many were written behind those before a panel, whose columns are counted from its first.
  void add(std::int64_t panel, std::int64_t count) {
    const std::int64_t first = before(panel);
    for (std::int64_t n = first; n < first + count; ++n) *index(n) += static_cast<std::int32_t>(panel * tile_side);
    before_[static_cast<std::size_t>(panel + 1)] = first + count;
  }

  void clear() { std::fill(before_.begin(), before_.end(), 0); }

 private:
  Doubles values_;
  std::vector<std::int32_t> index_;
  std::vector<std::int64_t> before_;
};

// Sweeps over a block of rows; the pull of a tile takes what has changed elsewhere only when the tile is next needed.
class Sweeps {
 public:
  Sweeps(const ColumnKernels& kernel, const double* h, std::int64_t size)
      : kernel_(kernel), h_(h), size_(size), last_(size), now_(size) {}

  void begin() {
    std::swap(last_, now_);
    now_.clear();
  }

  // What tiles behind this one changed in the sweep before, then what those before it did in this one.
  void bring_up_to_date(double* pull, std::int64_t panel) {
    take(last_, last_.before(panel + 1), last_.count(), pull, panel);
    take(now_, 0, now_.before(panel), pull, panel);
  }

  void improve(const GridTask& task, double* pull, std::int64_t panel) {
    double* tile = pull + panel * tile_size;
    const std::int64_t first = now_.before(panel);
    const double* corner = h_ + panel * size_ * tile_side + panel * tile_size;
    now_.add(panel, kernel_.improve(task, tile, corner, now_.values(first), now_.index(first)));
  }

  bool changed() const { return now_.count() > 0; }

 private:
  void take(Changes& changes, std::int64_t first, std::int64_t last, double* pull, std::int64_t panel) const {
    if (first == last) return;
    kernel_.subtract_some({pull + panel * tile_size, changes.values(first), h_ + panel * size_ * tile_side,
                           changes.index(first), last - first});
  }

  const ColumnKernels& kernel_;
  const double* h_;
  std::int64_t size_;
  Changes last_;
  Changes now_;
};

}  // namespace

void improve_columns(const double* v, const double* h, const Grid& grid, double* codes, double* pull,
                     std::int64_t sweeps, const Batch& batch, const Execution& execution) {
  const ColumnKernels& kernel = column_kernels_for(execution);
  const std::int64_t size = padded(batch.size), panels = size / tile_side;
  for_chunks(batch, execution, [&](const Chunk& chunk) {
    const std::int64_t first = GridBlocks::row_of(batch, chunk) * batch.size;
    GridBlocks rows(v, grid, batch, chunk);
    rows.codes = Blocks(codes + first, chunk, batch.size, size);
    const Blocks pulls(pull + first, chunk, batch.size, size);
    std::vector<Sweeps> found;
    for (std::int64_t b = 0; b < chunk.blocks(); ++b) found.emplace_back(kernel, h + chunk.group * size * size, size);
    const auto tiles = [&](const auto& visit) {  // block by block for each panel: its columns of H stay near
      for (std::int64_t panel = 0; panel < panels; ++panel) {
        for (std::int64_t b = 0; b < chunk.blocks(); ++b) visit(found[static_cast<std::size_t>(b)], b, panel);
      }
    };
    bool changed = true;
    for (std::int64_t sweep = 0; sweep < sweeps && changed; ++sweep) {
      for (Sweeps& block : found) block.begin();
      tiles([&](Sweeps& block, std::int64_t b, std::int64_t panel) {
        block.bring_up_to_date(pulls[b], panel);
        block.improve(rows.task(b, panel * tile_side), pulls[b], panel);
      });
      changed = std::any_of(found.begin(), found.end(), [](const Sweeps& block) { return block.changed(); });
    }
    for (Sweeps& block : found) block.begin();
    tiles([&](Sweeps& block, std::int64_t b, std::int64_t panel) { block.bring_up_to_date(pulls[b], panel); });
    rows.codes.store(codes + first, chunk, batch.size);
    pulls.store(pull + first, chunk, batch.size);
  });
}

}  // namespace halfeven::native
