// Between float32 and codes of any type, in C order, one scale and zero point or one a channel.
#pragma once

#include <vector>

#include "engine/elementwise.h"
#include "engine/plan/step.h"
#include "engine/runs.h"

namespace halfeven::native {

// Scale and zero point of each channel, laid out once as the kernels read them.
class LaidOutAffine {
 public:
  LaidOutAffine(const Layout& layout, std::vector<float> scale, std::vector<std::int32_t> zero_point);

  const Layout& layout() const { return layout_; }
  bool small() const { return small_; }
  const Runs& runs() const { return runs_; }
  const float* scale() const { return scale_.data(); }
  const std::int32_t* zero_point() const { return zero_point_.data(); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(scale_.size()) * 8; }

 private:
  Layout layout_;
  Runs runs_;
  bool small_;
  std::vector<float> scale_;
  std::vector<std::int32_t> zero_point_;
};

// float32 -> codes as they are, not as the engine stores them. NaN are counted at `counter`.
class QuantizeCodesStep : public Step {
 public:
  QuantizeCodesStep(TensorId x, TensorId y, std::int32_t counter, Type type, const QuantizeRule& rule,
                    LaidOutAffine affine, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }
  std::int64_t table_bytes() const override { return affine_.bytes(); }

 private:
  TensorId x_;
  TensorId y_;
  std::int32_t counter_;
  Type type_;
  QuantizeRule rule_;
  LaidOutAffine affine_;
  QuantizeKernel kernel_;
};

// Codes as they are -> float32.
class DequantizeCodesStep : public Step {
 public:
  DequantizeCodesStep(TensorId x, TensorId y, Type type, LaidOutAffine affine, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }
  std::int64_t table_bytes() const override { return affine_.bytes(); }

 private:
  TensorId x_;
  TensorId y_;
  Type type_;
  LaidOutAffine affine_;
  DequantizeKernel kernel_;
};

}  // namespace halfeven::native
