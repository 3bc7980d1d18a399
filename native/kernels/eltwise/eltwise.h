// Element by element with NumPy's broadcasting: Add, Mul, and codes moved to another scale.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::native {

// One operand: codes, and the elements between neighbours along each axis of the result (0 where it is repeated).
struct Operand {
  const void* codes;
  Type type;
  std::int64_t zero_point;
  std::span<const std::int64_t> strides;
};

// Two operands over one shape of at least one axis, the result C-contiguous.
struct Pairs {
  std::span<const std::int64_t> shape;
  Operand a;
  Operand b;
};

// q = clamp(rhe(((a - Za) A + (b - Zb) B) / 2^shift) + Z).
struct AddRule {
  std::int64_t a_multiplier;
  std::int64_t b_multiplier;
  int shift;  // 0 to 62
  std::int64_t zero_point;
  std::int64_t qmin;
  std::int64_t qmax;
};

// Throws std::invalid_argument where the sum could reach 2^62.
void add(const Pairs& task, const AddRule& rule, Type y_type, void* y, const Parallel& parallel);

// clamp(round(M * (a - Za)(b - Zb)) + Z). `writer` has one multiplier. Codes of 8 or 16 bits.
void multiply(const Pairs& task, const RowWriter& writer, void* y, const Parallel& parallel);

// clamp(round(M * (x - Zx)) + Z). `writer` has one multiplier.
void rescale_codes(const void* x, Type type, std::int64_t count, std::int64_t zero_point, const RowWriter& writer,
                   void* y, const Parallel& parallel);

// The widest sums that each of them makes: what the writer is to be made for.
Type product_type(const Pairs& task);
Type difference_type(Type type, std::int64_t zero_point);

}  // namespace halfeven::native
