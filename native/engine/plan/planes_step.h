// Products of words with bytes, as two products of bytes.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan/wide_steps.h"
#include "kernels/planes/planes.h"

namespace halfeven::native {

class PlanesStep : public Step {
 public:
  // Strides and offsets of the place are bytes; `bias` one a column, what cutting the words adds is part of it. Throws
  // std::invalid_argument where the set has no kernel, or the weights are packed for another.
  PlanesStep(std::shared_ptr<const PackedWeights> weights, const ProductPlace& place, Gather gather,
             std::vector<double> bias, WideFinish finish, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, gather_.padding}; }
  std::vector<TensorId> writes() const override { return {place_.y}; }
  std::int64_t table_bytes() const override { return gather_.bytes(); }
  void place(std::span<const std::int64_t> places) override { gather_.resolve(places, place_.x); }

 private:
  std::shared_ptr<const PackedWeights> weights_;
  ProductPlace place_;
  Gather gather_;
  std::vector<double> bias_;
  WideFinish finish_;
  PlanesKernel kernel_;
};

}  // namespace halfeven::native
