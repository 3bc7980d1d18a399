#include "engine/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "engine/thread_pool.h"
#include "kernels/peak/peak.h"

namespace halfeven::native {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// So many that they take about a millisecond.
std::int64_t repeats_a_millisecond(PeakKernel kernel) {
  for (std::int64_t repeats = 1 << 10;; repeats *= 2) {
    const Clock::time_point begin = Clock::now();
    kernel(repeats);
    if (seconds_since(begin) > 1e-3) return repeats;
  }
}

}  // namespace

double peak_operations_per_second(Isa isa, int threads, int rounds) {
  const PeakKernel kernel = find_kernel(peak_kernels, Type::u8, Type::s32, isa)->function;
  const std::int64_t repeats = repeats_a_millisecond(kernel);
  constexpr std::int64_t items_a_thread = 16;  // some may be taken over from a thread that wakes late
  const std::int64_t items = items_a_thread * threads;
  double best = 0;
  std::int64_t operations = 0;
  for (int i = 0; i < rounds; ++i) {
    auto item = [&](std::int64_t k) {
      const std::int64_t done = kernel(repeats);
      if (k == 0) operations = done;
    };
    const Clock::time_point begin = Clock::now();
    parallel_for(items, threads, item);
    best = std::max(best, static_cast<double>(operations * items) / seconds_since(begin));
  }
  return best;
}

}  // namespace halfeven::native
