// One thing that a plan does when it runs, and what it sees then.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/thread_pool.h"
#include "kernels/isa.h"

namespace halfeven::native {

using TensorId = std::int32_t;

class CodeTable;

// In a table of offsets: outside of the input.
inline constexpr std::int32_t outside = std::numeric_limits<std::int32_t>::min();

// One run: where its tensors are, the caller's arrays, how many threads.
struct Frame {
  std::uint8_t* arena;
  std::span<const std::int64_t> places;  // by tensor
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  int threads;
  std::atomic<std::int64_t>* nan_counts;  // by counter
  double work_per_thread;                 // see below

  std::uint8_t* at(TensorId tensor) const { return arena + places[static_cast<std::size_t>(tensor)]; }
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(const Frame& frame) const = 0;
  // Tensors that it reads and writes.
  virtual std::vector<TensorId> reads() const = 0;
  virtual std::vector<TensorId> writes() const = 0;
  // A tensor that it may write its only result over, element by element; -1 for none. Both have the same size.
  virtual TensorId written_over() const { return -1; }
  // A function that it applies to every byte that it writes, of its only result; null where it has none.
  virtual CodeTable* then() { return nullptr; }
  // Of the tables that it keeps.
  virtual std::int64_t table_bytes() const { return 0; }
  // Called once when every tensor has its place.
  virtual void place(std::span<const std::int64_t> places) { static_cast<void>(places); }
};

// A step pays for another thread from this much work (multiply-adds, or a few bytes moved) on. Tests ask for less, so
// that small steps are cut, too.
inline constexpr double least_work_per_thread = 1 << 17;

inline int threads_for(const Frame& frame, double work) {
  return static_cast<int>(std::clamp(work / frame.work_per_thread, 1.0, static_cast<double>(frame.threads)));
}

// Calls body(begin, end) for parts of [0, count), each of a multiple of `unit`.
template <class Body>
void for_each_part(std::int64_t count, std::int64_t unit, int threads, const Body& body) {
  if (threads <= 1) return body(std::int64_t{0}, count);
  constexpr std::int64_t parts_a_thread = 4;
  const std::int64_t part = std::max<std::int64_t>(1, count / (threads * parts_a_thread) / unit) * unit;
  auto item = [&](std::int64_t i) { body(i * part, std::min(count, (i + 1) * part)); };
  parallel_for((count + part - 1) / part, threads, item);
}

}  // namespace halfeven::native
