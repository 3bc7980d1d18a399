// Products of two activations: the second is packed at each run as the weights of the first.
//
// With stored codes a (u8) and w = b - 128 (s8), sum (a - Za)(w - Zw) = sum a w - Za sum w - Zw sum a + K Za Zw. What
// depends on the column alone is its bias; where Zw is not 0, what depends on the row is taken off its sums.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan/conv_steps.h"

namespace halfeven::native {

// Stacks of matrices at any strides, in bytes: neighbours along the depth are neighbours in a, and along the columns
// in y. Product i is of the first's a_offsets[i] and the second's b_offsets[b_of[i]], at y_offsets[i].
struct MatrixPlace {
  TensorId a;
  TensorId b;
  TensorId y;
  std::int64_t rows;
  std::int64_t depth;
  std::int64_t columns;
  std::int64_t a_row;
  std::int64_t b_depth;
  std::int64_t b_column;
  std::int64_t y_row;
  std::vector<std::int64_t> a_offsets;
  std::vector<std::int64_t> b_offsets;
  std::vector<std::int64_t> b_of;
  std::vector<std::int64_t> y_offsets;
};

class MatMulStep : public Step {
 public:
  // Zero points of the first's bytes as stored, and of the second's as signed codes.
  MatMulStep(MatrixPlace place, std::int32_t a_zero, std::int32_t b_zero, double multiplier, Finish finish, Isa isa);
  // Bytes that it needs for packed matrices, and for their biases: tensors of the plan.
  std::int64_t packed_bytes() const;
  std::int64_t bias_bytes() const;
  void use(TensorId packed, TensorId bias);

  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.a, place_.b}; }
  std::vector<TensorId> writes() const override { return {place_.y, packed_, bias_}; }

 private:
  void pack(const Frame& frame, std::int64_t matrix, std::int64_t panel) const;
  void run_part(const IgemmTask& part) const;
  void run_sums(const IgemmTask& part, const std::int32_t* row_sums) const;
  std::uint8_t* packed_at(const Frame& frame, std::int64_t matrix) const;
  std::int32_t* bias_at(const Frame& frame, std::int64_t matrix) const;

  MatrixPlace place_;
  std::int32_t a_zero_;
  std::int32_t b_zero_;
  std::vector<double> multiplier_;
  std::vector<std::int32_t> no_bias_;
  AlignedBytes ones_;
  WeightLayout layout_;
  Finish finish_;
  RowWriter writer_;
  TensorId packed_ = 0;
  TensorId bias_ = 0;
};

}  // namespace halfeven::native
