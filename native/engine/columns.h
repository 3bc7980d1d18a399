// Moments, products, factors, triangular systems and codes of batches of matrices, in float64: panels and blocks of
// tiles, threads and the choice of the kernel. Source: docs/math/weight-rounding.md eq. 2 to 7.
//
// Matrices are row-major, but for symmetric and triangular ones in panels (kernels/columns/columns.h), of
// padded(size) rows. The bits depend on neither threads nor instruction set.
#pragma once

#include <cstdint>

#include "engine/elementwise.h"
#include "kernels/columns/columns.h"
#include "kernels/parallel.h"

namespace halfeven::native {

// Groups of matrices: left ones (rows, size), square ones (size, size).
struct Batch {
  std::int64_t groups;
  std::int64_t rows;
  std::int64_t size;
};

constexpr std::int64_t padded(std::int64_t size) { return ceil_div(size, tile_side) * tile_side; }

// out (groups, columns_a, columns_b) += sum over rows of a_i b_j; a (groups, columns_a, rows), b (groups, columns_b,
// rows). Where `symmetric`, a and b are the same, and out is symmetric.
struct Moments {
  const float* a;
  const float* b;
  double* out;
  std::int64_t groups;
  std::int64_t columns_a;
  std::int64_t columns_b;
  std::int64_t rows;
  bool symmetric;
};
void add_moments(const Moments& moments, const Execution& execution);

// out (groups, rows, columns) = a (groups, rows, size) b (groups, size, columns).
void multiply(const double* a, const double* b, double* out, std::int64_t columns, const Batch& batch,
              const Execution& execution);

// The same with symmetric matrices in panels.
void multiply_panels(const double* a, const double* panels, double* out, const Batch& batch,
                     const Execution& execution);

// H in panels, H_nk = sums[i, j] / count - mean_i mean_j with i = order[n], j = order[k], and `added` on the diagonal,
// one number a group; the rows and columns that fill the last panel are those of the identity.
struct Covariance {
  const double* sums;
  const double* mean;
  double count;
  const std::int64_t* order;
  const double* added;
  double* panels;
};
void to_panels(const Covariance& covariance, const Batch& batch, const Execution& execution);

// H = W^T W, W lower triangular, in the place of H: element (n, k) becomes W_nk, or W_kn where k > n but for the tiles
// on the diagonal, where it is 0. False where an H is not positive definite; the panels are unspecified then.
bool factor(double* panels, const Batch& batch, const Execution& execution);

// X of X W^T W = B, in place.
void solve(const double* w, double* b, const Batch& batch, const Execution& execution);

// The grid of each row: `scale` holds `scales` for each, 1 or `size`.
struct Grid {
  const double* scale;
  std::int64_t scales;
  double qmin;
  double qmax;
};

// `lost` (groups, rows): sum_k (W_kk d_k)^2, d_k what the rounding of column k leaves.
void round_columns(const double* v, const double* w, const Grid& grid, double* codes, double* lost, const Batch& batch,
                   const Execution& execution);

// `codes` and `pull` = (v - S codes) H change in place; h in panels.
void improve_columns(const double* v, const double* h, const Grid& grid, double* codes, double* pull,
                     std::int64_t sweeps, const Batch& batch, const Execution& execution);

}  // namespace halfeven::native
