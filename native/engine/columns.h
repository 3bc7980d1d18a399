// Factors, triangular systems and codes of batches of matrices, in float64: blocks of rows, threads and the choice of
// the kernel. Source: docs/math/weight-rounding.md eq. 5 to 7. The bits depend on neither threads nor instruction set.
#pragma once

#include <cstdint>

#include "engine/elementwise.h"
#include "kernels/columns/columns.h"

namespace halfeven::native {

// Groups of matrices: left ones (rows, size), square ones (size, size), all row-major.
struct Batch {
  std::int64_t groups;
  std::int64_t rows;
  std::int64_t size;
};

// W of H = W^T W, lower triangular. False where an H is not positive definite; w is unspecified then.
bool factor(const double* h, double* w, std::int64_t groups, std::int64_t size, const Execution& execution);

// X of X U U^T = B, in place; w = U^T.
void solve(const double* u, const double* w, double* b, const Batch& batch, const Execution& execution);

// The grid of each row: `scale` holds `scales` for each, 1 or `size`.
struct Grid {
  const double* scale;
  std::int64_t scales;
  double qmin;
  double qmax;
};

void round_columns(const double* v, const double* f, const Grid& grid, double* codes, const Batch& batch,
                   const Execution& execution);

// `codes` and `pull` = (v - S codes) H change in place.
void improve_columns(const double* v, const double* h, const Grid& grid, double* codes, double* pull,
                     std::int64_t sweeps, const Batch& batch, const Execution& execution);

}  // namespace halfeven::native
