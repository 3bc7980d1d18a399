// A kernel over whole arrays in C order, as a step of a plan: for what has no step of its own.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "engine/plan/step.h"
#include "kernels/parallel.h"

namespace halfeven::native {

class CallStep : public Step {
 public:
  using Body = std::function<void(const Frame& frame, const Parallel& parallel)>;

  CallStep(std::vector<TensorId> reads, TensorId write, double work, Body body)
      : reads_(std::move(reads)), write_(write), work_(work), body_(std::move(body)) {}

  void run(const Frame& frame) const override {
    const int threads = threads_for(frame, work_);
    body_(frame, [threads](std::int64_t items, const std::function<void(std::int64_t)>& item) {
      auto one = [&item](std::int64_t i) { item(i); };
      parallel_for(items, threads, one);
    });
  }
  std::vector<TensorId> reads() const override { return reads_; }
  std::vector<TensorId> writes() const override { return {write_}; }

 private:
  std::vector<TensorId> reads_;
  TensorId write_;
  double work_;
  Body body_;
};

}  // namespace halfeven::native
