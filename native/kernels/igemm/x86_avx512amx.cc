// tdpbusd: four tiles of 16x16 sums at a time, from two tiles of rows and two of weights, 64 deep. Rows at a stride are
// loaded from where they are; others are gathered first, all taps of a row behind each other. A block's sums become
// codes while the tiles of the next are multiplied: they take different units of the processor.
#include <immintrin.h>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr int tile_rows = 16;                                   // at most
constexpr int block_rows = 2 * tile_rows;                       // at most
constexpr int block_columns = 2 * igemm_lanes;                  // at most, as in a panel
constexpr std::int64_t sums_stride = block_columns * 4;         // bytes
constexpr int sums_tiles = 0, row_tiles = 4, weight_tiles = 6;  // their first numbers

// The compiler sees what the tile instructions read neither of the configuration nor of memory.
HALFEVEN_INLINE void memory_as_written(const void* p) {
#if defined(__GNUC__)
  asm volatile("" : : "r"(p) : "memory");
#else
  static_cast<void>(p);
#endif
}

// Tiles of so many rows and bytes of depth, for a scope.
class Tiles {
 public:
  Tiles(int rows, std::int64_t depth) {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    static_assert(sizeof(config) == 64);
    for (int t = sums_tiles; t < weight_tiles; ++t) {
      config.row_bytes[t] = static_cast<std::uint16_t>(t < row_tiles ? 64 : depth);
      config.rows[t] = static_cast<std::uint8_t>(rows);
    }
    for (int t = weight_tiles; t < weight_tiles + 2; ++t) {
      config.row_bytes[t] = 64;
      config.rows[t] = static_cast<std::uint8_t>(depth / igemm_step);
    }
    memory_as_written(&config);
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

struct Depth {
  std::int64_t bytes;  // of a tile
  std::int64_t tiles;
};

// A block of sums on its way to codes: one or two halves of so many rows, each half from another row of the product on.
struct Block {
  const std::int32_t* sums;
  const IgemmPanel* panel;
  std::int64_t first[2];
  int half;
  int pairs;  // of rows: (half + 1) / 2 in each half
  int done;
};

// rhe(m * sums) of 16 sums in memory
HALFEVEN_INLINE __m512i rounded_at(const std::int32_t* sums, const __m512d (&m)[2]) {
  const __m512d magic = _mm512_set1_pd(0x1.8p52);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m256i* p = reinterpret_cast<const __m256i*>(sums);
  const __m512d low = _mm512_cvtepi32_pd(_mm256_load_si256(p));
  const __m512d high = _mm512_cvtepi32_pd(_mm256_load_si256(p + 1));
  const __m512i a = _mm512_castpd_si512(_mm512_fmadd_pd(low, m[0], magic));
  const __m512i b = _mm512_castpd_si512(_mm512_fmadd_pd(high, m[1], magic));
  return _mm512_permutex2var_epi32(a, even, b);
}

// 32 codes of each of two rows, behind each other.
HALFEVEN_INLINE __m512i two_rows(const std::uint8_t* a, const std::uint8_t* b, __mmask32 mask) {
  const __m512i low = _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(mask, a));
  return _mm512_inserti64x4(low, _mm256_maskz_loadu_epi8(mask, b), 1);
}

// The sum of 16 codes of each, from byte 16 part on: `own` are the product's.
template <int part>
HALFEVEN_INLINE __m512i sum_of(const SumVectors& sum, __m512i own, __m512i other) {
  return sum(_mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(own, part)), _mm512_extracti32x4_epi32(other, part));
}

// Codes of the block's pairs of rows [begin, end).
template <bool adds>
HALFEVEN_APART void write_codes(const IgemmTask& task, const Block& block, int begin, int end) {
  const CodeVectors codes(task.rule);
  const SumVectors sum(adds ? task.sum->rule : SumRule{});
  const CodeVectors sum_codes(adds ? task.sum->rule.code : task.rule);
  const std::int64_t column = block.panel->column;
  const std::int64_t columns = task.columns - column;
  const __mmask32 mask = static_cast<__mmask32>(first_bytes(columns < block_columns ? columns : block_columns));
  const double* m = task.multiplier + column;
  const int second = block.panel->vectors == 2 ? igemm_lanes : 0;  // where there is none, the first again
  const __m512d m0[2] = {_mm512_loadu_pd(m), _mm512_loadu_pd(m + 8)};
  const __m512d m1[2] = {_mm512_loadu_pd(m + second), _mm512_loadu_pd(m + second + 8)};
  const int pairs_a_half = (block.half + 1) / 2;
  for (int pair = begin; pair < end; ++pair) {
    const int in_half = pair < pairs_a_half ? pair : pair - pairs_a_half;
    const std::int64_t row = block.first[pair < pairs_a_half ? 0 : 1] + 2 * in_half;
    const std::int64_t next = 2 * in_half + 1 < block.half ? 1 : 0;  // the last of an odd half goes with itself
    const std::int32_t* a = block.sums + ((pair < pairs_a_half ? 0 : block.half) + 2 * in_half) * block_columns;
    const std::int32_t* b = a + next * block_columns;
    __m512i q =
        codes.in_order(rounded_at(a, m0), rounded_at(a + second, m1), rounded_at(b, m0), rounded_at(b + second, m1));
    if constexpr (adds) {
      const std::uint8_t* other = task.sum->codes + row * task.sum->stride + column;
      const __m512i both = two_rows(other, other + next * task.sum->stride, mask);
      q = sum_codes.in_order(sum_of<0>(sum, q, both), sum_of<1>(sum, q, both), sum_of<2>(sum, q, both),
                             sum_of<3>(sum, q, both));
    }
    std::uint8_t* out = task.out + row * task.out_stride + column;
    _mm256_mask_storeu_epi8(out, mask, _mm512_castsi512_si256(q));
    _mm256_mask_storeu_epi8(out + next * task.out_stride, mask, _mm512_extracti64x4_epi64(q, 1));
  }
}

// The sums themselves.
HALFEVEN_APART void write_sums(const IgemmTask& task, const Block& block) {
  for (int half = 0; half < (block.pairs > (block.half + 1) / 2 ? 2 : 1); ++half) {
    for (int r = 0; r < block.half; ++r) {
      const std::int32_t* sums = block.sums + (half * block.half + r) * block_columns;
      std::int32_t* out = task.sums + (block.first[half] + r - task.row_begin) * igemm_panel_columns;
      for (int v = 0; v < block.panel->vectors; ++v) {
        _mm512_storeu_si512(out + igemm_lanes * v, _mm512_load_si512(sums + igemm_lanes * v));
      }
    }
  }
}

// Blocks that wait for their codes: two, so that the sums of the older one have reached memory.
class Queue {
 public:
  explicit Queue(const IgemmTask& task) : task_(task) {}
  ~Queue() {
    finish_oldest();
    finish_oldest();
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Room for the sums of the next block.
  std::int32_t* sums() { return sums_[turn_]; }

  void push(const Block& block) {
    finish_oldest();
    blocks_[1] = block;
    turn_ = turn_ == 2 ? 0 : turn_ + 1;
  }

  // Some more pairs of rows of the oldest.
  void advance(int pairs) {
    Block& oldest = blocks_[0];
    if (oldest.done >= oldest.pairs) return;
    const int begin = oldest.done;
    const int end = begin + pairs < oldest.pairs ? begin + pairs : oldest.pairs;
    oldest.done = end;
    if (task_.sums != nullptr) {
      if (begin == 0) write_sums(task_, oldest);
    } else if (task_.sum != nullptr) {
      write_codes<true>(task_, oldest, begin, end);
    } else {
      write_codes<false>(task_, oldest, begin, end);
    }
  }

 private:
  void finish_oldest() {
    advance(block_rows);
    blocks_[0] = blocks_[1];
    blocks_[1] = Block{};
  }

  alignas(64) std::int32_t sums_[3][block_rows * block_columns];
  const IgemmTask& task_;
  Block blocks_[2] = {};
  int turn_ = 0;
};

// What a block is made of.
struct Operands {
  const std::uint8_t* x[2];
  std::int64_t stride;
  const std::int8_t* w;
  const std::int32_t* bias;
  Depth depth;
  int half;
};

// Multiplies one or two tiles of rows by a panel into `sums`, and has codes written meanwhile.
template <int halves, int vectors>
void multiply(const Operands& o, Queue& queue) {
  constexpr int least_pairs = 4;
  const int share = static_cast<int>((block_rows / 2 + o.depth.tiles - 1) / o.depth.tiles);
  const int pairs = share > least_pairs ? share : least_pairs;
  const std::int64_t step = o.depth.bytes * igemm_lanes;
  _tile_loadd(0, o.bias, 0);  // the same in each row
  if constexpr (vectors == 2) _tile_loadd(1, o.bias + igemm_lanes, 0);
  if constexpr (halves == 2) _tile_loadd(2, o.bias, 0);
  if constexpr (halves == 2 && vectors == 2) _tile_loadd(3, o.bias + igemm_lanes, 0);
  const std::uint8_t* a0 = o.x[0];
  const std::uint8_t* a1 = o.x[1];
  const std::int8_t* b = o.w;
  for (std::int64_t k = 0; k < o.depth.tiles; ++k) {
    _tile_loadd(4, a0, o.stride);
    if constexpr (halves == 2) _tile_loadd(5, a1, o.stride);
    _tile_loadd(6, b, 64);
    if constexpr (vectors == 2) _tile_loadd(7, b + o.depth.tiles * step, 64);
    _tile_dpbusd(0, 4, 6);
    if constexpr (vectors == 2) _tile_dpbusd(1, 4, 7);
    if constexpr (halves == 2) _tile_dpbusd(2, 5, 6);
    if constexpr (halves == 2 && vectors == 2) _tile_dpbusd(3, 5, 7);
    a0 += o.depth.bytes;
    a1 += o.depth.bytes;
    b += step;
    queue.advance(pairs);
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

// All panels of a task over rows that are at a stride.
class Product {
 public:
  // `count` rows, of which row `first` is at x.
  Product(const IgemmTask& task, const Depth& depth, const std::uint8_t* x, std::int64_t stride, std::int64_t first,
          std::int64_t count)
      : task_(task), depth_(depth), x_(x), stride_(stride), first_(first), count_(count), queue_(task) {
    blocks_ = (count + block_rows - 1) / block_rows;
    halves_ = count > tile_rows ? 2 : 1;
    half_ = static_cast<int>((count + blocks_ * halves_ - 1) / (blocks_ * halves_));
  }

  void run() {
    const Tiles tiles(half_, depth_.bytes);
    const std::int64_t panels = task_.panel_end - task_.panel_begin;
    const bool small = panels * depth_.tiles * depth_.bytes * block_columns <= small_weights;
    // Weights that the first cache holds are walked for each block of rows, else rows for each panel.
    for (std::int64_t i = 0; i < panels * blocks_; ++i) {
      if (small) {
        run_block(task_.panel_begin + i % panels, i / panels);
      } else {
        run_block(task_.panel_begin + i / blocks_, i % blocks_);
      }
    }
  }

 private:
  static constexpr std::int64_t small_weights = 24 << 10;

  void run_block(std::int64_t p, std::int64_t block) {
    const IgemmPanel& panel = task_.panels[p];
    // The last tiles begin earlier rather than reach beyond the rows: some rows are written twice, the same.
    const std::int64_t last = count_ - half_;
    const std::int64_t row = block * halves_ * half_;
    const std::int64_t starts[2] = {row < last ? row : last, row + half_ < last ? row + half_ : last};
    const std::int8_t* w = static_cast<const std::int8_t*>(task_.weights) + panel.offset;
    const Operands operands{
        {x_ + starts[0] * stride_, x_ + starts[1] * stride_}, stride_, w, task_.bias + panel.column, depth_, half_};
    multiplies[halves_ - 1][panel.vectors - 1](operands, queue_);
    queue_.push(
        {queue_.sums(), &panel, {first_ + starts[0], first_ + starts[1]}, half_, halves_ * ((half_ + 1) / 2), 0});
  }

  const IgemmTask& task_;
  const Depth depth_;
  const std::uint8_t* x_;
  const std::int64_t stride_;
  const std::int64_t first_;
  const std::int64_t count_;
  std::int64_t blocks_;
  int halves_;
  int half_;
  Queue queue_;
};

// Rows [first, first + count) into scratch, what is under each tap behind that of the tap before. Whole vectors are
// copied: what they bring too much is written over, or meets weights of 0.
void gather(const IgemmTask& task, std::int64_t first, std::int64_t count, std::int64_t stride) {
  std::uint8_t* out = static_cast<std::uint8_t*>(task.scratch);
  for (std::int64_t r = 0; r < count; ++r) {
    std::uint8_t* to = out + r * stride;
    for (std::int64_t tap = 0; tap < task.taps; ++tap, to += task.depth) {
      const std::uint8_t* from = task.input + task.offsets[tap * task.offset_stride + first + r];
      for (std::int64_t k = 0; k < task.depth; k += 64) _mm512_storeu_si512(to + k, _mm512_loadu_si512(from + k));
    }
  }
  memory_as_written(out);
}

}  // namespace

void igemm_u8_u8_avx512_amx(const IgemmTask& task) {
  constexpr IgemmFormat format = igemm_format(Isa::avx512_amx);
  const std::int64_t packed = igemm_packed_depth(format, task.taps * task.depth);
  const Depth depth{packed < igemm_tile_depth ? packed : igemm_tile_depth,
                    (packed + igemm_tile_depth - 1) / igemm_tile_depth};
  const std::int64_t count = task.row_end - task.row_begin;
  if (task.offsets == nullptr) {
    const std::uint8_t* x = task.input + task.row_begin * task.row_stride;
    return Product(task, depth, x, task.row_stride, task.row_begin, count).run();
  }
  const std::int64_t stride = depth.tiles * igemm_tile_depth;
  const std::int64_t most = igemm_gathered_rows(format, task.taps * task.depth);
  for (std::int64_t row = 0; row < count; row += most) {
    const std::int64_t rows = count - row < most ? count - row : most;
    gather(task, task.row_begin + row, rows, stride);
    Product(task, depth, static_cast<const std::uint8_t*>(task.scratch), stride, task.row_begin + row, rows).run();
  }
}

}  // namespace halfeven::native
