// Triangular systems and codes, column after column, in float64 (docs/math/weight-rounding.md eq. 5 to 7).
//
// Rows are independent: `columns_rows` of them lie side by side in a block, element k of row r at [k * columns_rows +
// r]. Every sum is taken in the order that is written here, each product and each sum rounded: so the bits are the same
// on every instruction set, and the same as of halfeven.ptq.rounding.reference.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

inline constexpr std::int64_t columns_rows = 16;

// H = U U^T of a symmetric H (size, size), U upper triangular. Both are stored with `stride` elements a row, a multiple
// of columns_rows. W = U^T is written, row by row from the last.
struct FactorTask {
  const double* h;
  double* w;
  std::int64_t size;
  std::int64_t stride;
};

// X U U^T = B, in place. w = U^T, both (size, size).
struct SolveTask {
  const double* u;
  const double* w;
  std::int64_t size;
  double* block;
};

// Codes for the reals v on a grid. `scale` holds one scale a row, or where scale_step is columns_rows one an element.
struct GridTask {
  const double* v;
  const double* scale;
  std::int64_t scale_step;
  double qmin;
  double qmax;
  std::int64_t size;
  double* codes;
};

struct ColumnKernels {
  // Rows [row, row + columns_rows) of W at the columns [column, column + columns_rows), both multiples of columns_rows,
  // once all later rows are there, and for column < row those at column = row. Elements behind the diagonal are
  // unspecified. False where a pivot is not positive.
  bool (*factor)(const FactorTask& task, std::int64_t row, std::int64_t column);
  void (*solve)(const SolveTask& task);
  // q_k = nearest(v_k + sum_{i<k} e_i f_ki), e_i = v_i - S q_i. f (size, size); `errors`: a block to write -e to.
  void (*round)(const GridTask& task, const double* f, double* errors);
  // Each code in turn the best, `sweeps` times or until none changes; pull = (v - S q) H, which is kept up.
  void (*improve)(const GridTask& task, const double* h, double* pull, std::int64_t sweeps);
};

#define HALFEVEN_KERNEL(in, out, isa)                                                                      \
  bool columns_factor_##in##_##out##_##isa(const FactorTask& task, std::int64_t row, std::int64_t column); \
  void columns_solve_##in##_##out##_##isa(const SolveTask& task);                                          \
  void columns_round_##in##_##out##_##isa(const GridTask& task, const double* f, double* errors);          \
  void columns_improve_##in##_##out##_##isa(const GridTask& task, const double* h, double* pull, std::int64_t sweeps);
#include "kernels/columns/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<ColumnKernels> column_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa)                                                                            \
  {"columns_" #in "_" #out "_" #isa,                                                                             \
   Type::in,                                                                                                     \
   Type::out,                                                                                                    \
   Isa::isa,                                                                                                     \
   {columns_factor_##in##_##out##_##isa, columns_solve_##in##_##out##_##isa, columns_round_##in##_##out##_##isa, \
    columns_improve_##in##_##out##_##isa}},
#include "kernels/columns/kernels.inc"
#undef HALFEVEN_KERNEL
};

}  // namespace halfeven::native
