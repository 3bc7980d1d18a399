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

  // `writes` may hold a tensor that is the kernel's to work in.
  CallStep(std::vector<TensorId> reads, std::vector<TensorId> writes, double work, Body body)
      : reads_(std::move(reads)), writes_(std::move(writes)), work_(work), body_(std::move(body)) {}

  void run(const Frame& frame) const override {
    const int threads = threads_for(frame, work_);
    body_(frame, [threads](std::int64_t items, ItemBody item) { parallel_for(items, threads, item); });
  }
  std::vector<TensorId> reads() const override { return reads_; }
  std::vector<TensorId> writes() const override { return writes_; }

 private:
  std::vector<TensorId> reads_;
  std::vector<TensorId> writes_;
  double work_;
  Body body_;
};

}  // namespace halfeven::native
