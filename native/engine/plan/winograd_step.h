// 3x3 convolutions by tiles.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/plan/conv_steps.h"
#include "kernels/winograd/weights.h"

namespace halfeven::native {

// Rows of the results: a pixel each, images of height x width.
struct ImagePlace {
  std::int64_t height;
  std::int64_t width;
};

class WinogradStep : public Step {
 public:
  // gather: table [places][tiles].
  WinogradStep(std::shared_ptr<const WinogradWeights> weights, const ProductPlace& place, const ImagePlace& image,
               Gather gather, const Rescale& rescale, std::optional<SumOperand> sum);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override;
  std::vector<TensorId> writes() const override { return {place_.y}; }
  std::int64_t table_bytes() const override { return gather_.bytes(); }
  void place(std::span<const std::int64_t> places) override { gather_.resolve(places, place_.x); }

 private:
  std::int64_t tiles() const { return std::ssize(gather_.table) / winograd_places; }

  std::shared_ptr<const WinogradWeights> weights_;
  ProductPlace place_;
  ImagePlace image_;
  Gather gather_;
  CodeRule rule_;
  std::optional<SumOperand> sum_;
};

}  // namespace halfeven::native
