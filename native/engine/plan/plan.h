// A plan: steps over tensors whose shapes are all known, in one arena laid out by their lifetimes. Built once for the
// shapes of a model's inputs, then run any number of times, by several callers at once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/plan/step.h"
#include "kernels/aligned.h"

namespace halfeven::native {

class Plan {
 public:
  // A tensor of so many bytes.
  TensorId tensor(std::int64_t bytes);
  // A tensor whose bytes are given and stay.
  TensorId constant(std::span<const std::uint8_t> bytes);
  void add(std::unique_ptr<Step> step);
  // Declares the arrays of the caller, in their order: how many bytes each.
  std::int32_t input(std::int64_t bytes);
  std::int32_t output(std::int64_t bytes);
  // Lays out the arena; nothing may be added afterwards. Throws std::invalid_argument beyond 2^31 bytes.
  void finish();

  std::span<const std::int64_t> input_bytes() const { return input_bytes_; }
  std::span<const std::int64_t> output_bytes() const { return output_bytes_; }
  std::int64_t arena_bytes() const { return arena_bytes_; }
  std::int64_t steps() const { return std::ssize(steps_); }
  bool finished() const { return finished_; }

  // Runs every step; returns the number of NaN in each input. `seconds`, where it is not null, receives each step's.
  std::vector<std::int64_t> run(std::span<const void* const> inputs, std::span<void* const> outputs, int threads,
                                std::vector<double>* seconds = nullptr) const;

 private:
  struct Tensor {
    std::int64_t bytes;
    std::int64_t first;  // steps between which it lives
    std::int64_t last;
    std::vector<std::uint8_t> content;
  };

  void find_lifetimes();
  void lay_out();
  AlignedBytes take_arena() const;
  void give_back(AlignedBytes arena) const;

  std::vector<Tensor> tensors_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<std::int64_t> places_;
  std::vector<std::int64_t> input_bytes_;
  std::vector<std::int64_t> output_bytes_;
  std::int64_t arena_bytes_ = 0;
  bool finished_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<AlignedBytes> arenas_;  // those not in use
};

}  // namespace halfeven::native
