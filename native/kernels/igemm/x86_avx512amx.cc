// tdpbusd: four tiles of 16x16 sums at a time, from two tiles of rows and two of weights, 64 deep. Tiles of rows that
// lie at a stride, all of them or those under one tap, are loaded from where they are; others are gathered first. A
// block's sums become codes between the tile instructions of the next.
#include <algorithm>

#include "kernels/igemm/amx_codes.h"

namespace halfeven::native {
namespace {

// What a block is made of: for each half, its rows under each of `taps` taps, `tiles` tiles deep under each.
struct Operands {
  const TileRows* rows[2];
  std::int64_t taps;
  std::int64_t tiles;
  std::int64_t depth;  // bytes of a tile
  const std::int8_t* w;
  const std::int32_t* bias;
  int half;
  const char* ahead;  // weights that are wanted later, `lines` cache lines of them a step of the depth
  std::int64_t lines;
};

// Multiplies one or two tiles of rows by a panel into `sums`, and has codes written meanwhile.
template <int halves, int vectors>
void multiply(const Operands& o, Queue& queue) {
  constexpr int least_pairs = 4;
  const std::int64_t slots = o.taps * o.tiles * halves * vectors;
  const int share = static_cast<int>((block_rows / 2 + slots - 1) / slots);
  const int pairs = share > least_pairs ? share : least_pairs;
  const std::int64_t step = o.depth * igemm_lanes;
  _tile_loadd(0, o.bias, 0);  // the same in each row
  if constexpr (vectors == 2) _tile_loadd(1, o.bias + igemm_lanes, 0);
  if constexpr (halves == 2) _tile_loadd(2, o.bias, 0);
  if constexpr (halves == 2 && vectors == 2) _tile_loadd(3, o.bias + igemm_lanes, 0);
  const std::int8_t* b = o.w;
  const std::int8_t* c = o.w + o.taps * o.tiles * step;
  const char* ahead = o.ahead;
  for (std::int64_t tap = 0; tap < o.taps; ++tap) {
    TileRows r0 = o.rows[0][tap];
    TileRows r1 = o.rows[halves - 1][tap];
    for (std::int64_t k = 0; k < o.tiles; ++k) {
      _tile_loadd(4, r0.x, r0.stride);
      if constexpr (halves == 2) _tile_loadd(5, r1.x, r1.stride);
      _tile_loadd(6, b, 64);
      if constexpr (vectors == 2) _tile_loadd(7, c, 64);
      _tile_dpbusd(0, 4, 6);
      queue.advance(pairs);
      if constexpr (vectors == 2) {
        _tile_dpbusd(1, 4, 7);
        queue.advance(pairs);
      }
      if constexpr (halves == 2) {
        _tile_dpbusd(2, 5, 6);
        queue.advance(pairs);
      }
      if constexpr (halves == 2 && vectors == 2) {
        _tile_dpbusd(3, 5, 7);
        queue.advance(pairs);
      }
      for (std::int64_t i = 0; i < o.lines; ++i, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
      r0.x += o.depth;
      r1.x += o.depth;
      b += step;
      c += step;
    }
  }
  std::int32_t* sums = queue.sums();
  std::int32_t* next = sums + o.half * block_columns;
  _tile_stored(0, sums, sums_stride);
  if constexpr (vectors == 2) _tile_stored(1, sums + igemm_lanes, sums_stride);
  if constexpr (halves == 2) _tile_stored(2, next, sums_stride);
  if constexpr (halves == 2 && vectors == 2) _tile_stored(3, next + igemm_lanes, sums_stride);
}

using Multiply = decltype(&multiply<1, 1>);
constexpr Multiply multiplies[2][2] = {{multiply<1, 1>, multiply<1, 2>}, {multiply<2, 1>, multiply<2, 2>}};

// Where the rows of every tile are, under every tap, and how deep: in the task's scratch, behind what is gathered.
struct Located {
  TileCut cut;
  std::int64_t first;    // row of the product
  const TileRows* rows;  // [tile][tap]
  std::int64_t taps;
  std::int64_t tiles;
  std::int64_t depth;
};

// All panels of a task over rows that are located.
class Product {
 public:
  Product(const IgemmTask& task, const Located& located)
      : task_(task),
        at_(located),
        panel_bytes_(located.taps * located.tiles * located.depth * block_columns),
        queue_(task) {}

  void run() {
    const Tiles tiles(at_.cut.half, at_.depth);
    // Weights that the first cache holds are walked for each block of rows, else rows for each panel.
    const std::int64_t weights = (task_.panel_end - task_.panel_begin) * panel_bytes_;
    if (weights <= small_weights) {
      for (std::int64_t block = 0; block < at_.cut.blocks; ++block) {
        for (std::int64_t p = task_.panel_begin; p < task_.panel_end; ++p) run_block(p, block, 0, nullptr);
      }
      return;
    }
    // The next panel's weights come from the third cache while this one's are in use: a share of them with each block.
    const std::int64_t steps = at_.taps * at_.tiles;
    const std::int64_t lines = (panel_bytes_ / 64 + at_.cut.blocks * steps - 1) / (at_.cut.blocks * steps);
    for (std::int64_t p = task_.panel_begin; p < task_.panel_end; ++p) {
      for (std::int64_t block = 0; block < at_.cut.blocks; ++block) {
        const std::int64_t ahead = block * steps * lines * 64;
        const bool more = ahead < panel_bytes_ && panel_bytes_ <= most_ahead;
        run_block(p, block, more ? lines : 0, weights_of(p) + panel_bytes_ + ahead);
      }
    }
  }

 private:
  static constexpr std::int64_t small_weights = 24 << 10;
  static constexpr std::int64_t most_ahead = 64 << 10;  // beyond, it costs as much as it brings

  const std::int8_t* weights_of(std::int64_t p) const {
    return static_cast<const std::int8_t*>(task_.weights) + task_.panels[p].offset;
  }

  HALFEVEN_INLINE void run_block(std::int64_t p, std::int64_t block, std::int64_t lines, const std::int8_t* ahead) {
    const TileCut& cut = at_.cut;
    const IgemmPanel& panel = task_.panels[p];
    const std::int64_t tile = block * cut.halves;
    const std::int64_t second = tile + cut.halves - 1;
    const Operands operands{{at_.rows + tile * at_.taps, at_.rows + second * at_.taps},
                            at_.taps,
                            at_.tiles,
                            at_.depth,
                            weights_of(p),
                            task_.bias + panel.column,
                            cut.half,
                            reinterpret_cast<const char*>(ahead),
                            lines};
    multiplies[cut.halves - 1][panel.vectors - 1](operands, queue_);
    Block made{{at_.first + cut.first(tile), at_.first + cut.first(second)},
               {cut.skipped(tile), cut.skipped(second)},
               &panel,
               cut.half,
               0,
               0};
    made.pairs = made.pairs_of(0) + (cut.halves == 2 ? made.pairs_of(1) : 0);
    queue_.push(made);
  }

  const IgemmTask& task_;
  const Located at_;
  const std::int64_t panel_bytes_;
  Queue queue_;
};

// Whether a tile's rows lie at a stride, on cache lines: where not, a load takes six times as long.
HALFEVEN_INLINE bool at_a_stride(const std::uint8_t* input, const std::int32_t* offsets, int rows, TileRows& found) {
  if (rows < 2) return false;
  const std::int32_t stride = offsets[1] - offsets[0];
  const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i line =
      _mm512_add_epi32(_mm512_mullo_epi32(count, _mm512_set1_epi32(stride)), _mm512_set1_epi32(*offsets));
  const __mmask16 mask = static_cast<__mmask16>((1U << rows) - 1);
  if (_mm512_mask_cmpneq_epi32_mask(mask, line, _mm512_maskz_loadu_epi32(mask, offsets)) != 0) return false;
  found = {input + offsets[0], stride};
  return reinterpret_cast<std::uintptr_t>(found.x) % 64 == 0 && stride % 64 == 0;
}

// Whole vectors: what is too much is written over, or meets weights of 0.
HALFEVEN_INLINE void copy_row(const std::uint8_t* from, std::int64_t depth, std::uint8_t* out) {
  if (depth <= 32) {
    const __m256i* p = reinterpret_cast<const __m256i*>(from);
    return _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_loadu_si256(p));
  }
  for (std::int64_t k = 0; k < depth; k += 64) _mm512_storeu_si512(out + k, _mm512_loadu_si512(from + k));
}

// One after the other, taps of whole tiles: those at a stride stay where they are. `offsets` of the tile's first row.
void locate_taps(const IgemmTask& task, const std::int32_t* offsets, int half, TileRows* rows, std::uint8_t*& out) {
  for (std::int64_t tap = 0; tap < task.taps; ++tap, offsets += task.offset_stride) {
    if (at_a_stride(task.input, offsets, half, rows[tap])) continue;
    rows[tap] = {out, task.depth};
    for (int r = 0; r < half; ++r, out += task.depth) copy_row(task.input + offsets[r], task.depth, out);
  }
}

// Taps of any depth, behind each other.
void gather_taps(const IgemmTask& task, const std::int32_t* offsets, int half, std::int64_t stride, std::uint8_t* out) {
  for (int r = 0; r < half; ++r, out += stride) {
    for (std::int64_t tap = 0; tap < task.taps; ++tap) {
      copy_row(task.input + offsets[tap * task.offset_stride + r], task.depth, out + tap * task.depth);
    }
  }
}

std::int64_t tiles_deep(std::int64_t packed) { return (packed + igemm_tile_depth - 1) / igemm_tile_depth; }

// Rows [first, first + cut.count) of a task with offsets.
Located locate(const IgemmTask& task, const TileCut& cut, std::int64_t first, std::int64_t packed) {
  constexpr IgemmFormat format = igemm_format(Isa::avx512_amx);
  std::uint8_t* out = static_cast<std::uint8_t*>(task.scratch);
  TileRows* rows = reinterpret_cast<TileRows*>(out + igemm_gathered_bytes(format, task.taps * task.depth));
  const bool by_tap = task.depth % igemm_tile_depth == 0;
  const std::int64_t taps = by_tap ? task.taps : 1;
  const std::int64_t stride = tiles_deep(packed) * igemm_tile_depth;
  for (std::int64_t tile = 0; tile < cut.tiles(); ++tile) {
    const std::int32_t* offsets = task.offsets + first + cut.first(tile);
    if (by_tap) {
      locate_taps(task, offsets, cut.half, rows + tile * taps, out);
      continue;
    }
    gather_taps(task, offsets, cut.half, stride, out);
    rows[tile] = {out, stride};
    out += cut.half * stride;
  }
  memory_as_written(task.scratch);
  return {cut, first, rows, taps, tiles_deep(packed) / taps, std::min(packed, igemm_tile_depth)};
}

// Rows [first, first + cut.count) of a task whose rows are at a stride.
Located in_place(const IgemmTask& task, const TileCut& cut, std::int64_t first, std::int64_t packed) {
  TileRows* rows = static_cast<TileRows*>(task.scratch);
  for (std::int64_t tile = 0; tile < cut.tiles(); ++tile) {
    rows[tile] = {task.input + (first + cut.first(tile)) * task.row_stride, task.row_stride};
  }
  return {cut, first, rows, 1, tiles_deep(packed), std::min(packed, igemm_tile_depth)};
}

// Rows [first, first + cut.count) of a task whose rows lie in lines.
Located in_lines(const IgemmTask& task, const TileCut& cut, std::int64_t first) {
  TileRows* rows = static_cast<TileRows*>(task.scratch);
  const IgemmLines& lines = task.lines;
  for (std::int64_t tile = 0; tile < cut.tiles(); ++tile) {
    const std::int64_t row = first + cut.first(tile);
    const std::int64_t line = row / lines.rows - lines.first;
    const std::uint8_t* x = task.input + line * lines.line_bytes + row % lines.rows * lines.row_bytes;
    for (std::int64_t tap = 0; tap < task.taps; ++tap, ++rows) *rows = {x + task.offsets[tap], lines.row_bytes};
  }
  const TileRows* found = static_cast<const TileRows*>(task.scratch);
  return {cut, first, found, task.taps, task.depth / igemm_tile_depth, igemm_tile_depth};
}

}  // namespace

void igemm_u8_u8_avx512_amx(const IgemmTask& task) {
  constexpr IgemmFormat format = igemm_format(Isa::avx512_amx);
  if (task.lines.rows > 0) {
    const TileCut cut(task.row_end - task.row_begin, task.lines.tile);
    return Product(task, in_lines(task, cut, task.row_begin)).run();
  }
  const std::int64_t packed = igemm_packed_depth(format, task.taps * task.depth);
  const std::int64_t most = igemm_gathered_rows(format, task.taps * task.depth);
  for (std::int64_t row = task.row_begin; row < task.row_end; row += most) {
    const TileCut cut(task.row_end - row < most ? task.row_end - row : most);
    const Located at = task.offsets == nullptr ? in_place(task, cut, row, packed) : locate(task, cut, row, packed);
    Product(task, at).run();
  }
}

}  // namespace halfeven::native
