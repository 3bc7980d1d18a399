// Triangular systems, codes and products, in float64, tile by tile (docs/math/weight-rounding.md eq. 5 to 7).
//
// A tile has 16 columns of 16 rows, element (row r, column k) at [k * 16 + r]; a block of 16 rows is a column of tiles,
// one after the other. Rows are independent. Symmetric and triangular matrices lie in panels of 16 columns: element
// (n, k) of a matrix of `size` rows, a multiple of 16, at [k / 16 * size * 16 + n * 16 + k % 16].
//
// Every sum is taken in the order of the columns, each step one FMA: so the bits are the same on every instruction set,
// for every blocking, and the same as of halfeven.ptq.rounding.reference.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

inline constexpr std::int64_t tile_side = 16;
inline constexpr std::int64_t tile_size = tile_side * tile_side;

// tile -= x_n m_n for `count` values of n, one after the other: 16 rows at x + n * x_step, 16 columns at m + n *
// m_step. A step may be negative.
struct ProductTask {
  double* tile;
  const double* x;
  std::int64_t x_step;
  const double* m;
  std::int64_t m_step;
  std::int64_t count;
};

// The same with x side by side and m at m + index[n] * tile_side.
struct SomeTask {
  double* tile;
  const double* x;
  const double* m;
  const std::int32_t* index;
  std::int64_t count;
};

// Codes of one tile on a grid, element by element; `scale` holds one scale a row, or where scale_step is tile_side one
// an element.
struct GridTask {
  const double* v;
  const double* scale;
  std::int64_t scale_step;
  double qmin;
  double qmax;
  double* codes;
};

struct ColumnKernels {
  void (*subtract)(const ProductTask& task);
  void (*subtract_some)(const SomeTask& task);
  // Finishes a tile of W, H = W^T W, once later rows are taken from it: its columns are 16 rows of W, its rows 16
  // columns. `corner` is the finished tile of those rows on the diagonal; nullptr where this is that one. False where a
  // pivot is not positive.
  bool (*factor)(double* tile, const double* corner);
  // The columns of a tile with W's tile on the diagonal: from the last, Y W = B, or from the first, X W^T = Y.
  void (*solve)(double* tile, const double* corner, bool from_the_last);
  // q_k = nearest((v_k - t_k / W_kk) / S); t, the tile, is sum_{i<k} (S q - v)_i W_ki: what earlier columns leave is
  // in it. Writes S q - v to `errors`, and adds (W_kk (v_k - t_k / W_kk - S q_k))^2 to `lost`, one number a row.
  void (*round)(const GridTask& task, double* tile, const double* corner, double* errors, double* lost);
  // Each code in turn the best: q_k = nearest((v_k + pull_k / H_kk - (v_k - S q_k)) / S). Pull, the tile, is kept up;
  // what changed in S q is written to `changes`, 16 rows for each column where a code did, those columns to `index`.
  // Returns how many.
  std::int64_t (*improve)(const GridTask& task, double* tile, const double* corner, double* changes,
                          std::int32_t* index);
};

#define HALFEVEN_KERNEL(in, out, isa)                                                                               \
  void columns_subtract_##in##_##out##_##isa(const ProductTask& task);                                              \
  void columns_subtract_some_##in##_##out##_##isa(const SomeTask& task);                                            \
  bool columns_factor_##in##_##out##_##isa(double* tile, const double* corner);                                     \
  void columns_solve_##in##_##out##_##isa(double* tile, const double* corner, bool from_the_last);                  \
  void columns_round_##in##_##out##_##isa(const GridTask& task, double* tile, const double* corner, double* errors, \
                                          double* lost);                                                            \
  std::int64_t columns_improve_##in##_##out##_##isa(const GridTask& task, double* tile, const double* corner,       \
                                                    double* changes, std::int32_t* index);
#include "kernels/columns/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<ColumnKernels> column_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa)                                                                            \
  {"columns_" #in "_" #out "_" #isa,                                                                             \
   Type::in,                                                                                                     \
   Type::out,                                                                                                    \
   Isa::isa,                                                                                                     \
   {columns_subtract_##in##_##out##_##isa, columns_subtract_some_##in##_##out##_##isa,                           \
    columns_factor_##in##_##out##_##isa, columns_solve_##in##_##out##_##isa, columns_round_##in##_##out##_##isa, \
    columns_improve_##in##_##out##_##isa}},
#include "kernels/columns/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
