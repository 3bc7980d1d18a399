// Functions of whole rows: the channels of each pixel.
#pragma once

#include <vector>

#include "engine/plan/row_steps.h"
#include "kernels/normalize/rows.h"
#include "kernels/softmax/rows.h"

namespace halfeven::native {

// Along the channels, see softmax/softmax.h.
struct SoftmaxRule {
  std::vector<std::uint32_t> exponentials;
  std::int64_t m0;
  int shift;
  CodeRule code;
};

class SoftmaxStep : public Step {
 public:
  // Codes of x and y are stored as u8 or s16; the stride of the rows is x's.
  SoftmaxStep(TensorId x, TensorId y, const Rows& rows, std::int64_t y_stride, Type x_type, Type y_type,
              SoftmaxRule rule, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }

 private:
  TensorId x_;
  TensorId y_;
  Rows rows_;
  std::int64_t y_stride_;
  SoftmaxRule rule_;
  SoftmaxRowsKernel kernel_;
};

// Along the channels, see normalize/normalize.h: gain and offset one a channel.
struct NormalizeRule {
  int half_fraction;
  std::int64_t epsilon;
  int fraction;
  std::vector<std::int64_t> gain;
  std::vector<std::int64_t> offset;
  int shift;
  CodeRule code;
};

class NormalizeStep : public Step {
 public:
  NormalizeStep(TensorId x, TensorId y, const Rows& rows, NormalizeRule rule, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }

 private:
  TensorId x_;
  TensorId y_;
  Rows rows_;
  NormalizeRule rule_;
  bool small_gain_;
  NormalizeRowsKernel kernel_;
};

}  // namespace halfeven::native
