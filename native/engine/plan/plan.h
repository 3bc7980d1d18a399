// A plan: steps over tensors whose shapes are all known, in one arena laid out by their lifetimes. Built once for the
// shapes of a model's inputs, then run any number of times, by several callers at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/plan/step.h"
#include "engine/plan/watch.h"
#include "kernels/aligned.h"

namespace halfeven::native {

struct RunOptions {
  int threads = 0;           // 0: default_threads()
  std::int64_t samples = 1;  // so many runs, on arrays that follow each other in memory, spread over the threads
  Interrupt interrupt{};
  double work_per_thread = least_work_per_thread;
};

struct RunResult {
  std::vector<std::int64_t> nan_counts;  // by counter
  bool interrupted;                      // outputs are then incomplete
  std::int64_t failed_step = -1;         // the first that threw, if any: outputs are then incomplete
  std::exception_ptr error{};            // what it threw
};

// What went wrong first in a run.
class Failure {
 public:
  // Called in a handler.
  void keep(std::int64_t step) {
    if (occurred_.exchange(true)) return;
    step_ = step;
    error_ = std::current_exception();
  }
  bool occurred() const { return occurred_.load(std::memory_order_relaxed); }
  std::int64_t step() const { return step_; }
  std::exception_ptr error() const { return error_; }

 private:
  std::atomic<bool> occurred_{false};
  std::int64_t step_ = -1;
  std::exception_ptr error_;
};

class Plan {
 public:
  // A tensor of so many bytes.
  TensorId tensor(std::int64_t bytes);
  // A tensor whose bytes are given and stay.
  TensorId constant(std::span<const std::uint8_t> bytes);
  void add(std::unique_ptr<Step> step);
  // Makes the tensor's bytes table[byte] in the steps that write it; their numbers. None, and nothing changes, where a
  // step reads the tensor already or one that writes it has no place for a function.
  std::vector<std::int64_t> follow_with(TensorId made, std::span<const std::uint8_t, 256> table);
  // Declares the arrays of the caller, in their order: how many bytes each.
  std::int32_t input(std::int64_t bytes);
  std::int32_t output(std::int64_t bytes);
  // A place where a step counts NaN; its number.
  std::int32_t counter() { return counters_++; }
  // Lays out the arena; nothing may be added afterwards. Throws std::invalid_argument beyond 2^31 bytes.
  void finish();

  std::span<const std::int64_t> input_bytes() const { return input_bytes_; }
  std::span<const std::int64_t> output_bytes() const { return output_bytes_; }
  std::int64_t arena_bytes() const { return arena_bytes_; }
  // Of what the steps keep for themselves: tables of offsets.
  std::int64_t table_bytes() const;
  std::int64_t steps() const { return std::ssize(steps_); }
  bool finished() const { return finished_; }

  // Runs every step. Callers may run one plan at the same time.
  RunResult run(std::span<const void* const> inputs, std::span<void* const> outputs, const RunOptions& options) const;
  // The same; the seconds that each step took.
  std::vector<double> profile(std::span<const void* const> inputs, std::span<void* const> outputs, int threads) const;

 private:
  struct Tensor {
    std::int64_t bytes;
    std::int64_t first;  // steps between which it lives
    std::int64_t last;
    std::vector<std::uint8_t> content;
    TensorId over = -1;  // whose place it takes
  };

  void find_lifetimes();
  void write_over();
  void lay_out();
  AlignedBytes new_arena() const;
  AlignedBytes take_arena() const;
  void give_back(AlignedBytes arena) const;
  void run_steps(const Frame& frame, Watch& watch, Failure& failure) const;
  void run_samples(std::span<const void* const> inputs, std::span<void* const> outputs, const RunOptions& options,
                   std::atomic<std::int64_t>* nan_counts, Watch& watch, Failure& failure) const;

  std::vector<Tensor> tensors_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<std::int64_t> places_;
  std::vector<std::int64_t> input_bytes_;
  std::vector<std::int64_t> output_bytes_;
  std::int64_t arena_bytes_ = 0;
  std::int32_t counters_ = 0;
  bool finished_ = false;
  mutable std::mutex mutex_;                  // only ever tried: a fork may leave it locked for good
  mutable std::vector<AlignedBytes> arenas_;  // those not in use
};

}  // namespace halfeven::native
