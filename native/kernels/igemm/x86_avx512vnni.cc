// vpdpbusd (never its saturating twin): tiles of 6x64, 8x48, 12x32 or 12x16 sums in registers. Deep products are cut:
// of a panel's weights a piece at a time, which the first cache holds while a block of rows passes it. Sums wait in
// memory between pieces, and until another tile is on its way; from there they become codes.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/igemm/igemm.h"
#include "kernels/igemm/zmm_finish.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t piece_depth = 576;       // at most: 36 KiB of weights in a panel of 64 columns
constexpr std::int64_t block_rows = 72;         // at most, a multiple of every tile's
constexpr int tile_rows[] = {0, 12, 12, 8, 6};  // by vectors
constexpr int most_tile_rows = 12;

// A piece of the depth: whole taps, or a part of one.
struct Piece {
  std::int64_t tap;
  std::int64_t taps;
  std::int64_t channel;
  std::int64_t depth;

  std::int64_t steps() const { return taps * depth / igemm_step; }
};

// A depth in even pieces.
class PieceCut {
 public:
  explicit PieceCut(const IgemmTask& task) : all_taps_(task.taps), all_depth_(task.depth), depth_(task.depth) {
    if (task.depth > piece_depth) {
      const std::int64_t parts = parts_of(task.depth, piece_depth);
      depth_ = parts_of(task.depth, parts * igemm_step) * igemm_step;
    } else {
      taps_ = parts_of(task.taps, parts_of(task.taps, piece_depth / task.depth));
    }
  }

  Piece first() const { return {0, std::min(taps_, all_taps_), 0, depth_}; }

  bool is_last(const Piece& p) const { return p.tap + p.taps == all_taps_ && p.channel + p.depth == all_depth_; }

  Piece after(const Piece& p) const {
    if (p.channel + p.depth < all_depth_) {
      const std::int64_t channel = p.channel + p.depth;
      return {p.tap, p.taps, channel, std::min(depth_, all_depth_ - channel)};
    }
    const std::int64_t tap = p.tap + p.taps;
    return {tap, std::min(taps_, all_taps_ - tap), 0, depth_};
  }

 private:
  static std::int64_t parts_of(std::int64_t n, std::int64_t most) { return (n + most - 1) / most; }

  std::int64_t all_taps_;
  std::int64_t all_depth_;
  std::int64_t taps_ = 1;
  std::int64_t depth_;
};

// A tile of rows under a piece of weights: what its loops need, and no more, so that all of it stays in registers.
struct Tile {
  const std::uint8_t* x;
  const std::int32_t* offsets;  // of its rows from x, under the first tap
  std::int64_t offset_stride;
  std::int64_t taps;
  std::int64_t depth;
  const std::int8_t* w;
  const std::int8_t* ahead;   // weights that are wanted soon, a cache line a step
  const std::int32_t* begin;  // what its sums begin with: others, or a bias at stride 0
  std::int64_t begin_stride;
  std::int32_t* sums;
};

HALFEVEN_INLINE __m512i quad_at(const std::uint8_t* p) {
  std::int32_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return _mm512_set1_epi32(quad);
}

template <int rows, int vectors>
void multiply_tile(const Tile& tile) {
  __m512i acc[rows][vectors];
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < vectors; ++v) {
      acc[r][v] = _mm512_loadu_si512(tile.begin + r * tile.begin_stride + igemm_lanes * v);
    }
  }
  const std::uint8_t* input = tile.x;
  const std::int32_t* offsets = tile.offsets;
  const std::int64_t offset_stride = tile.offset_stride;
  const std::int64_t depth = tile.depth;
  const std::int8_t* w = tile.w;
  const std::int8_t* ahead = tile.ahead;
  for (std::int64_t taps = tile.taps; taps > 0; --taps, offsets += offset_stride) {
    const std::uint8_t* x[rows];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      x[r] = input + offsets[r];
#if defined(__GNUC__)
      // Keeps the compiler from walking rows by their distances from each other.
      if constexpr (rows <= 8) asm("" : "+r"(x[r]));
#endif
    }
    for (std::int64_t k = 0; k < depth; k += igemm_step, w += vectors * 64, ahead += 64) {
      __m512i b[vectors];
      HALFEVEN_UNROLL
      for (int v = 0; v < vectors; ++v) b[v] = _mm512_load_si512(w + 64 * v);
      _mm_prefetch(reinterpret_cast<const char*>(ahead), _MM_HINT_T1);
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m512i a = quad_at(x[r] + k);
        HALFEVEN_UNROLL
        for (int v = 0; v < vectors; ++v) acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], a, b[v]);
      }
    }
  }
#if defined(__GNUC__)
  // Keeps the compiler from rearranging the loop's registers for what follows it.
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < vectors; ++v) asm volatile("" : "+v"(acc[r][v]));
  }
#endif
  std::int32_t* sums = tile.sums;
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < vectors; ++v) _mm512_storeu_si512(sums + r * igemm_panel_columns + igemm_lanes * v, acc[r][v]);
  }
}

using Multiply = void (*)(const Tile&);

// The tile of `rows`, at most the most that the vectors leave registers for.
template <int vectors, int most>
Multiply tile_of(std::int64_t rows) {
  if constexpr (most > 1) {
    if (rows < most) return tile_of<vectors, most - 1>(rows);
  }
  return multiply_tile<most, vectors>;
}

Multiply tile_for(int vectors, std::int64_t rows) {
  switch (vectors) {
    case 4: return tile_of<4, tile_rows[4]>(rows);
    case 3: return tile_of<3, tile_rows[3]>(rows);
    case 2: return tile_of<2, tile_rows[2]>(rows);
    default: return tile_of<1, tile_rows[1]>(rows);
  }
}

// Sums stay what they are.
struct Kept {
  explicit Kept(const IgemmTask&) {}
};

// Rows of a panel whose sums are complete.
struct Done {
  std::int64_t column;
  std::int64_t row;
  std::int64_t rows;
  const std::int32_t* sums;
};

template <class Finish, int vectors>
HALFEVEN_APART void write_codes(const IgemmTask& task, const Finish& finish, const Done& done) {
  const std::int64_t columns = std::min<std::int64_t>(task.columns - done.column, vectors * igemm_lanes);
  const __mmask64 mask = first_bytes(columns);
  __m512d m[vectors][2];
  HALFEVEN_UNROLL
  for (int v = 0; v < vectors; ++v) {
    m[v][0] = _mm512_loadu_pd(task.multiplier + done.column + igemm_lanes * v);
    m[v][1] = _mm512_loadu_pd(task.multiplier + done.column + igemm_lanes * v + 8);
  }
  const std::int32_t* sums = done.sums;
  for (std::int64_t row = done.row; row < done.row + done.rows; ++row, sums += igemm_panel_columns) {
    __m512i q[4];
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      q[v] = v < vectors ? rounded_at(sums + igemm_lanes * v, m[v < vectors ? v : 0]) : _mm512_setzero_si512();
    }
    __m512i other{};
    if constexpr (Finish::adds) {
      other = _mm512_maskz_loadu_epi8(mask, task.sum->codes + row * task.sum->stride + done.column);
    }
    _mm512_mask_storeu_epi8(task.out + row * task.out_stride + done.column, mask, finish(q, other));
  }
}

template <class Finish>
class Product {
 public:
  explicit Product(const IgemmTask& task) : task_(task), finish_(task), cut_(task) {
    for (int r = 0; r < most_tile_rows; ++r) strided_[r] = static_cast<std::int32_t>(r * task.row_stride);
  }

  void run() {
    const std::int64_t rows = task_.row_end - task_.row_begin;
    const std::int64_t blocks = (rows + block_rows - 1) / block_rows;
    for (std::int64_t p = task_.panel_begin; p < task_.panel_end; ++p) {
      const std::int64_t unit = tile_rows[task_.panels[p].vectors];
      const std::int64_t each = ((rows + blocks - 1) / blocks + unit - 1) / unit * unit;
      for (std::int64_t row = task_.row_begin; row < task_.row_end; row += each) {
        run_block(p, row, std::min(task_.row_end, row + each));
      }
    }
  }

 private:
  // Rows [row, end) of a panel.
  void run_block(std::int64_t p, std::int64_t row, std::int64_t end) {
    const IgemmPanel& panel = task_.panels[p];
    std::int32_t* sums = task_.sums == nullptr ? waiting_ : task_.sums + (row - task_.row_begin) * igemm_panel_columns;
    const std::int8_t* w = static_cast<const std::int8_t*>(task_.weights) + panel.offset;
    bool last = false;
    for (Piece piece = cut_.first(); !last; piece = cut_.after(piece)) {
      const std::int64_t bytes = piece.steps() * panel.vectors * 64;
      last = cut_.is_last(piece);
      const bool more = !last || p + 1 < task_.panel_end;
      run_piece(panel, piece, {w, more ? bytes : 0, last}, row, end, sums);
      w += bytes;
    }
    write(panel.vectors);
  }

  struct PieceWeights {
    const std::int8_t* w;
    std::int64_t ahead;  // bytes behind them to fetch meanwhile
    bool last;
  };

  void run_piece(const IgemmPanel& panel, const Piece& piece, const PieceWeights& weights, std::int64_t row,
                 std::int64_t end, std::int32_t* sums) {
    const std::int64_t most = tile_rows[panel.vectors];
    const Multiply whole = tile_for(panel.vectors, most);
    const std::int8_t* next = weights.w + piece.steps() * panel.vectors * 64;
    const std::int8_t* const last_ahead = next + weights.ahead;
    const bool first = piece.tap == 0 && piece.channel == 0;
    while (row < end) {
      const std::int64_t left = end - row;
      const std::int64_t rows = left > most && left < 2 * most ? (left + 1) / 2 : std::min(most, left);
      Tile tile{task_.input + piece.channel,
                strided_,
                task_.offset_stride,
                piece.taps,
                piece.depth,
                weights.w,
                next < last_ahead ? next : weights.w,
                first ? task_.bias + panel.column : sums,
                first ? 0 : igemm_panel_columns,
                sums};
      if (task_.offsets == nullptr) {
        tile.x += row * task_.row_stride;
      } else {
        tile.offsets = task_.offsets + piece.tap * task_.offset_stride + row;
      }
      (rows == most ? whole : tile_for(panel.vectors, rows))(tile);
      write(panel.vectors);
      if (weights.last) done_ = {panel.column, row, rows, sums};
      next += piece.steps() * 64;
      row += rows;
      sums += rows * igemm_panel_columns;
    }
  }

  // The tile before the one that was begun last: its sums have reached memory meanwhile.
  void write(int vectors) {
    if constexpr (!std::is_same_v<Finish, Kept>) {
      if (done_.rows == 0) return;
      switch (vectors) {
        case 4: write_codes<Finish, 4>(task_, finish_, done_); break;
        case 3: write_codes<Finish, 3>(task_, finish_, done_); break;
        case 2: write_codes<Finish, 2>(task_, finish_, done_); break;
        default: write_codes<Finish, 1>(task_, finish_, done_);
      }
      done_.rows = 0;
    }
  }

  const IgemmTask& task_;
  const Finish finish_;
  const PieceCut cut_;
  Done done_{};
  std::int32_t strided_[most_tile_rows];
  alignas(64) std::int32_t waiting_[block_rows * igemm_panel_columns];
};

}  // namespace

void igemm_u8_u8_avx512_vnni(const IgemmTask& task) {
  if (task.sums != nullptr) {
    Product<Kept>(task).run();
  } else if (task.sum == nullptr) {
    Product<Plain>(task).run();
  } else if (task.sum->rule.words.pair == 0) {
    Product<Added>(task).run();
  } else {
    Product<AddedWords>(task).run();
  }
}

}  // namespace halfeven::native
