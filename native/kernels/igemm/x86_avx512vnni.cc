// vpdpbusd (never its saturating twin): tiles of 6x64, 8x48, 12x32 or 12x16 sums in registers, rescaled from there.
#include <immintrin.h>

#include <cstring>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"
#include "kernels/vector/x86_codes_avx512.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t weights_ahead = 1536;    // bytes: a few steps, for panels that come from the second cache
constexpr int tile_rows[] = {0, 12, 12, 8, 6};  // by vectors

__m512i quad_at(const std::uint8_t* p) {
  std::int32_t quad;
  std::memcpy(&quad, p, sizeof(quad));
  return _mm512_set1_epi32(quad);
}

template <int rows, int vectors>
struct Sums {
  __m512i acc[rows][vectors];
};

template <int rows, int vectors>
HALFEVEN_INLINE void write_sums(const IgemmTask& task, std::int64_t row, const Sums<rows, vectors>& sums) {
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    std::int32_t* out = task.sums + (row - task.row_begin + r) * igemm_panel_columns;
    HALFEVEN_UNROLL
    for (int v = 0; v < vectors; ++v) _mm512_storeu_si512(out + igemm_lanes * v, sums.acc[r][v]);
  }
}

// Adds the other tensor: the product's own codes first, then the sum of both.
HALFEVEN_INLINE __m512i with_other(const IgemmTask& task, __m512i q, std::int64_t row, std::int64_t column,
                                   __mmask16 mask) {
  const CodeRule& rule = task.rule;
  q = _mm512_add_epi32(q, _mm512_set1_epi32(rule.zero));
  q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(rule.lo)), _mm512_set1_epi32(rule.hi));
  const __m128i other = _mm_maskz_loadu_epi8(mask, task.sum->codes + row * task.sum->stride + column);
  return SumVectors(task.sum->rule)(q, other);
}

template <int rows, int vectors>
HALFEVEN_INLINE void write_codes(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row,
                                 const Sums<rows, vectors>& sums) {
  const CodeVectors codes(task.sum == nullptr ? task.rule : task.sum->rule.code);
  const __mmask64 mask = first_bytes(task.columns - panel.column < vectors * igemm_lanes ? task.columns - panel.column
                                                                                         : vectors * igemm_lanes);
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    __m512i q[4];
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      q[v] = v < vectors ? rounded(sums.acc[r][v < vectors ? v : 0], task.multiplier + panel.column + igemm_lanes * v)
                         : _mm512_setzero_si512();
    }
    if (task.sum != nullptr) {
      HALFEVEN_UNROLL
      for (int v = 0; v < vectors; ++v) {
        q[v] = with_other(task, q[v], row + r, panel.column + igemm_lanes * v,
                          static_cast<__mmask16>(mask >> (igemm_lanes * v)));
      }
    }
    std::uint8_t* out = task.out + (row + r) * task.out_stride + panel.column;
    _mm512_mask_storeu_epi8(out, mask, codes.in_order(q[0], q[1], q[2], q[3]));
  }
}

template <int rows, int vectors>
void multiply_tile(const IgemmTask& task, const IgemmPanel& panel, std::int64_t row) {
  Sums<rows, vectors> sums;
  HALFEVEN_UNROLL
  for (int v = 0; v < vectors; ++v) {
    const __m512i bias = _mm512_loadu_si512(task.bias + panel.column + igemm_lanes * v);
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) sums.acc[r][v] = bias;
  }
  const std::int8_t* w = static_cast<const std::int8_t*>(task.weights) + panel.offset;
  for (std::int64_t tap = 0; tap < task.taps; ++tap) {
    const std::uint8_t* x[rows];
    HALFEVEN_UNROLL
    for (int r = 0; r < rows; ++r) {
      x[r] = task.input +
             (task.offsets == nullptr ? (row + r) * task.row_stride : task.offsets[tap * task.offset_stride + row + r]);
    }
    for (std::int64_t k = 0; k < task.depth; k += igemm_step, w += vectors * 64) {
      __m512i b[vectors];
      HALFEVEN_UNROLL
      for (int v = 0; v < vectors; ++v) {
        b[v] = _mm512_load_si512(w + 64 * v);
        _mm_prefetch(reinterpret_cast<const char*>(w) + 64 * v + weights_ahead, _MM_HINT_T0);
      }
      HALFEVEN_UNROLL
      for (int r = 0; r < rows; ++r) {
        const __m512i a = quad_at(x[r] + k);
        HALFEVEN_UNROLL
        for (int v = 0; v < vectors; ++v) sums.acc[r][v] = _mm512_dpbusd_epi32(sums.acc[r][v], a, b[v]);
      }
    }
  }
#if defined(__GNUC__)
  // Keeps the compiler from rearranging the loop's registers for what follows it.
  HALFEVEN_UNROLL
  for (int r = 0; r < rows; ++r) {
    HALFEVEN_UNROLL
    for (int v = 0; v < vectors; ++v) asm volatile("" : "+v"(sums.acc[r][v]));
  }
#endif
  if (task.sums != nullptr) return write_sums(task, row, sums);
  write_codes(task, panel, row, sums);
}

using Tile = void (*)(const IgemmTask&, const IgemmPanel&, std::int64_t);

// The tile of `rows`, at most the most that the vectors leave registers for.
template <int vectors, int most>
Tile tile_of(std::int64_t rows) {
  if constexpr (most > 1) {
    if (rows < most) return tile_of<vectors, most - 1>(rows);
  }
  return multiply_tile<most, vectors>;
}

Tile tile_for(int vectors, std::int64_t rows) {
  switch (vectors) {
    case 4: return tile_of<4, tile_rows[4]>(rows);
    case 3: return tile_of<3, tile_rows[3]>(rows);
    case 2: return tile_of<2, tile_rows[2]>(rows);
    default: return tile_of<1, tile_rows[1]>(rows);
  }
}

void multiply_panel(const IgemmTask& task, const IgemmPanel& panel) {
  const std::int64_t most = tile_rows[panel.vectors];
  const Tile whole = tile_for(panel.vectors, most);
  std::int64_t row = task.row_begin;
  for (; row + most <= task.row_end; row += most) whole(task, panel, row);
  if (row < task.row_end) tile_for(panel.vectors, task.row_end - row)(task, panel, row);
}

}  // namespace

void igemm_u8_u8_avx512_vnni(const IgemmTask& task) {
  for (std::int64_t p = task.panel_begin; p < task.panel_end; ++p) multiply_panel(task, task.panels[p]);
}

}  // namespace halfeven::native
