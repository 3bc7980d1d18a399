// Blocks of sums on their way to codes, written between the tile instructions of later blocks: the processor overlaps
// little of the two by itself. In an unnamed namespace, see vector/.
#pragma once

#include "kernels/igemm/amx_tiles.h"
#include "kernels/igemm/zmm_finish.h"

namespace halfeven::native {
namespace {

// One or two halves of `half` rows, each from another row of the product on. The first `skipped` of a half are not
// written.
struct Block {
  std::int64_t first[2];
  int skipped[2];
  const IgemmPanel* panel;
  int half;
  int pairs;  // of rows to write
  int done;

  int pairs_of(int in) const { return (half - skipped[in] + 1) / 2; }
};

// Two rows of 32 codes, behind each other. whole: all of them, whatever the mask.
template <bool whole>
HALFEVEN_INLINE __m512i two_rows(const std::uint8_t* a, const std::uint8_t* b, __mmask32 mask) {
  const __m256i first =
      whole ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)) : _mm256_maskz_loadu_epi8(mask, a);
  const __m256i second =
      whole ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)) : _mm256_maskz_loadu_epi8(mask, b);
  return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
}

template <bool whole>
HALFEVEN_INLINE void write_two_rows(std::uint8_t* a, std::uint8_t* b, __mmask32 mask, __m512i codes) {
  const __m256i first = _mm512_castsi512_si256(codes);
  const __m256i second = _mm512_extracti64x4_epi64(codes, 1);
  if constexpr (whole) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(a), first);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(b), second);
  } else {
    _mm256_mask_storeu_epi8(a, mask, first);
    _mm256_mask_storeu_epi8(b, mask, second);
  }
}

// Codes of the block's pairs of rows [begin, end).
template <class Finish, bool whole>
HALFEVEN_APART void write_codes(const IgemmTask& task, const std::int32_t* sums, const Block& block, int begin,
                                int end) {
  const Finish finish(task);
  const std::int64_t column = block.panel->column;
  const std::int64_t columns = task.columns - column;
  const __mmask32 mask = static_cast<__mmask32>(first_bytes(columns < block_columns ? columns : block_columns));
  const double* m = task.multiplier + column;
  const int second = block.panel->vectors == 2 ? igemm_lanes : 0;  // where there is none, the first again
  const __m512d m0[2] = {_mm512_loadu_pd(m), _mm512_loadu_pd(m + 8)};
  const __m512d m1[2] = {_mm512_loadu_pd(m + second), _mm512_loadu_pd(m + second + 8)};
  const std::int64_t out_stride = task.out_stride;
  const std::int64_t other_stride = task.sum == nullptr ? 0 : task.sum->stride;
  const int pairs_of_first = block.pairs_of(0);
  while (begin < end) {  // in one half, then in the other
    const int in = begin < pairs_of_first ? 0 : 1;
    const int skipped = block.skipped[in] + 2 * (begin - in * pairs_of_first);
    const int last = in == 0 && pairs_of_first < end ? pairs_of_first : end;
    const std::int64_t row = block.first[in] + skipped;
    const std::int32_t* a = sums + (in * block.half + skipped) * block_columns;
    const std::uint8_t* other = task.sum == nullptr ? nullptr : task.sum->codes + row * other_stride + column;
    std::uint8_t* out = task.out + row * out_stride + column;
    int left = block.half - skipped;
    for (; begin < last; ++begin, left -= 2) {
      const std::int64_t next = left > 1 ? 1 : 0;  // the last of an odd half goes with itself
      const std::int32_t* b = a + next * block_columns;
      const __m512i q[4] = {rounded_at(a, m0), rounded_at(a + second, m1), rounded_at(b, m0),
                            rounded_at(b + second, m1)};
      const __m512i with = Finish::adds ? two_rows<whole>(other, other + next * other_stride, mask) : __m512i{};
      write_two_rows<whole>(out, out + next * out_stride, mask, finish(q, with));
      a += 2 * block_columns;
      other += 2 * other_stride;
      out += 2 * out_stride;
    }
  }
}

// The sums themselves, all at once.
inline void write_sums(const IgemmTask& task, const std::int32_t* sums, const Block& block, int begin, int) {
  if (begin != 0) return;
  for (int in = 0; in < (block.pairs > block.pairs_of(0) ? 2 : 1); ++in) {
    for (int r = 0; r < block.half; ++r, sums += block_columns) {
      std::int32_t* out = task.sums + (block.first[in] + r - task.row_begin) * igemm_panel_columns;
      for (int v = 0; v < block.panel->vectors; ++v) {
        _mm512_storeu_si512(out + igemm_lanes * v, _mm512_load_si512(sums + igemm_lanes * v));
      }
    }
  }
}

using Write = void (*)(const IgemmTask& task, const std::int32_t* sums, const Block& block, int begin, int end);

template <class Codes, bool whole>
Write write_with(const IgemmTask& task) {
  return task.table == nullptr ? write_codes<Codes, whole> : write_codes<LookedUp<Codes>, whole>;
}

template <bool whole>
Write write_for(const IgemmTask& task) {
  if (task.sums != nullptr) return write_sums;
  if (task.sum == nullptr) return write_with<Plain, whole>(task);
  return task.sum->rule.words.pair == 0 ? write_with<Added, whole>(task) : write_with<AddedWords, whole>(task);
}

// Blocks that wait for their codes: two, so that the sums of the older one have reached memory.
class Queue {
 public:
  explicit Queue(const IgemmTask& task) : task_(task), whole_(write_for<true>(task)), part_(write_for<false>(task)) {}
  ~Queue() {
    push({});
    push({});
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Room for the sums of the next block.
  std::int32_t* sums() { return sums_[newest_]; }

  // The next block: its sums are there.
  HALFEVEN_INLINE void push(const Block& block) {
    advance(block_rows);
    blocks_[newest_] = block;
    newest_ = after(newest_);
  }

  // Some more pairs of rows of the oldest.
  HALFEVEN_INLINE void advance(int pairs) {
    Block& oldest = blocks_[after(newest_)];
    if (oldest.done >= oldest.pairs) return;
    const int begin = oldest.done;
    oldest.done = begin + pairs < oldest.pairs ? begin + pairs : oldest.pairs;
    const bool whole = task_.columns - oldest.panel->column >= block_columns;
    (whole ? whole_ : part_)(task_, sums_[after(newest_)], oldest, begin, oldest.done);
  }

 private:
  static int after(int turn) { return turn == 2 ? 0 : turn + 1; }

  alignas(64) std::int32_t sums_[3][block_rows * block_columns];
  const IgemmTask& task_;
  Write whole_;
  Write part_;
  Block blocks_[3] = {};
  int newest_ = 0;
};

}  // namespace
}  // namespace halfeven::native
