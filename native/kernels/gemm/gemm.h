// Batched integer matrix product, rescaled: y = clamp(round(M * ((a - Za) @ (b - Zb) + bias)) + Z), sums exact.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// A stack of row-major matrices of codes.
struct Matrices {
  const void* codes;
  Type type;
  std::int64_t count;
  std::span<const std::int64_t> zero_point;  // one; or one a column
};

// (rows, depth) @ (depth, columns) for each output matrix i: a's matrix a_index[i] by b's matrix b_index[i].
struct Gemm {
  Matrices a;
  Matrices b;
  std::int64_t rows;
  std::int64_t depth;
  std::int64_t columns;
  std::span<const std::int64_t> a_index;
  std::span<const std::int64_t> b_index;
  std::span<const std::int64_t> bias;  // one a column, or empty
  Isa isa;
};

// Bytes that a product packs its operands in. Throws std::invalid_argument where the codes are int32.
std::int64_t gemm_workspace(const Gemm& task);

// `writer` has one multiplier, or one a column. `workspace` is aligned to 64 bytes; its content is lost.
void gemm(const Gemm& task, const RowWriter& writer, void* y, void* workspace, const Parallel& parallel);

}  // namespace halfeven::native
