// Products of two activations of 16 bits. The second is split at each run, w = 256 h + l with |h|, |l| <= 128, so that
// int32 holds the sums of many products with either half: sum a w = 256 sum a h + sum a l.
//
// Zero points: sum (a - Za)(w - Zw) = sum a w - Za sum w - Zw sum a + K Za Zw, the first and the third by column as its
// bias, the second by row.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan/matmul_step.h"
#include "engine/plan/wide_steps.h"

namespace halfeven::native {

class WideMatMulStep : public Step {
 public:
  // Strides of the place are bytes; zero points as stored. The finish has one multiplier, or none.
  WideMatMulStep(MatrixPlace place, std::int64_t a_zero, std::int64_t b_zero, WideFinish finish, Isa isa);
  // Bytes that it needs for packed matrices, and for their biases: tensors of the plan.
  std::int64_t packed_bytes() const;
  std::int64_t bias_bytes() const;
  void use(TensorId packed, TensorId bias);

  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.a, place_.b}; }
  std::vector<TensorId> writes() const override { return {place_.y, packed_, bias_}; }

 private:
  struct Panel {
    std::int64_t column;
    int vectors;
    std::int64_t width() const { return vectors * igemm_lanes; }
  };

  std::int64_t plane() const { return padded_columns_ * packed_depth_; }  // elements of one half of one matrix
  std::int16_t* packed_at(const Frame& frame, std::int64_t matrix) const;
  std::int64_t* bias_at(const Frame& frame, std::int64_t matrix) const;
  void pack(const Frame& frame, std::int64_t matrix, const Panel& panel) const;
  void run_block(const Frame& frame, std::int64_t product, std::int64_t begin, std::int64_t end) const;
  void sum_panel(const std::uint8_t* a, const std::int16_t* packed, const Panel& panel, std::int64_t rows,
                 std::int64_t* sums) const;
  void write(const std::int64_t* sums, std::int64_t count, std::uint8_t* out) const;

  MatrixPlace place_;
  std::int64_t a_zero_;
  std::int64_t b_zero_;
  WideFinish finish_;
  RowWriter writer_;
  WideKernels kernels_;
  std::int64_t item_;
  std::int64_t packed_depth_;
  std::int64_t padded_columns_;
  std::vector<Panel> panels_;
  TensorId packed_ = 0;
  TensorId bias_ = 0;
};

}  // namespace halfeven::native
