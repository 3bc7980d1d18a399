// Which operands and sums make a product exact and fast: int16 pairs summed in int32 where that cannot overflow.
#pragma once

#include <cstdint>

#include "kernels/eltwise/codes.h"
#include "kernels/gemm/dot.h"

namespace halfeven::native {

// For rows of `depth` (already padded) operands inside these ranges.
struct Operands {
  // Throws std::invalid_argument for ranges beyond int32.
  Operands(const CenteredRange& left, const CenteredRange& right, std::int64_t depth, Isa isa);

  Type type;           // s16 or s32: what the rows are packed as
  std::int64_t block;  // see DotRows
  DotKernel kernel;
};

constexpr std::int64_t padded_depth(std::int64_t depth) { return (depth + dot_step - 1) / dot_step * dot_step; }

}  // namespace halfeven::native
