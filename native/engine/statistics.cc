#include "engine/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "engine/thread_pool.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t all_bins = 2 * bin_side;
constexpr std::int64_t chunk = 4096;  // values seen twice, for their extremes and for their bins: both from the cache
constexpr std::int64_t values_per_thread = 1 << 16;  // a thread has counts of its own: small tensors are not worth them
constexpr std::int64_t few = 2 * chunk;              // values that are not worth tables
constexpr int tables = 2;  // values in turn go to one and the other: no increment waits for an equal value's before it
constexpr int chunks_a_flush = 31;   // half of a chunk's values go to a table: 31 * 2048 of them fit into 16 bits
constexpr int floats_per_line = 16;  // of the cache

constexpr float infinity = std::numeric_limits<float>::infinity();

void prefetch(const float* x) { __builtin_prefetch(x); }

// The least exponent k with -bin_side 2^k <= lo and hi < bin_side 2^k.
std::int32_t exponent_for(float lo, float hi, std::int32_t least) {
  constexpr int log2_side = 12;
  int exponent = 0;
  if (hi > 0) {
    std::frexp(hi, &exponent);
    least = std::max(least, exponent - log2_side);
  }
  if (lo < 0) {
    const float fraction = std::frexp(-lo, &exponent);
    least = std::max(least, exponent - log2_side - (fraction == 0.5f ? 1 : 0));
  }
  return least;
}

// Adds neighbours in pairs, `doublings` times: floor(floor(x / w) / 2) = floor(x / 2w).
void widen(std::uint32_t* counts, std::int32_t doublings) {
  if (doublings == 0) return;
  const std::int32_t shift = std::min<std::int32_t>(doublings, 12);  // from there on every bin is 0 or -1
  std::uint32_t* zero = counts + bin_side;
  const auto move = [&](std::int32_t bin) {
    const std::uint32_t count = zero[bin];
    zero[bin] = 0;
    zero[bin >> shift] += count;
  };
  for (std::int32_t bin = 1; bin < bin_side; ++bin) move(bin);
  for (std::int32_t bin = -2; bin >= -bin_side; --bin) move(bin);
}

// One thread's share of the values. Counts go to tables of 16 bits, which the nearest cache holds, and from there to
// `counts` whenever a table might be full; few values go to `counts` at once.
class Part {
 public:
  // `counts`: (all_bins,) with bins 2^exponent wide, or null where the extremes alone are wanted.
  Part(const StatisticsKernels& kernels, std::int32_t exponent, std::uint32_t* counts)
      : found_{infinity, -infinity, 0, 0, 0, 0, exponent}, kernels_(kernels), counts_(counts) {}

  const Statistics& found() const { return found_; }

  void add(const float* x, std::int64_t count) {
    if (counts_ != nullptr) bins_.resize(static_cast<std::size_t>(chunk + bin_slack));
    if (counts_ != nullptr && count > few) tables_.resize(static_cast<std::size_t>(tables * all_bins));
    for (std::int64_t i = 0; i < count; i += chunk) {
      const std::int64_t n = std::min(chunk, count - i);
      add_chunk(x + i, n, count - i - n >= chunk ? x + i + n : nullptr);
    }
    flush();
  }

  void widen_to(std::int32_t exponent) {
    if (counts_ == nullptr) return;
    flush();
    widen(counts_, exponent - found_.exponent);
    found_.exponent = exponent;
  }

  void add_to(std::uint32_t* counts) const {
    for (std::int64_t b = 0; b < all_bins; ++b) counts[b] += counts_[b];
  }

 private:
  // `next`: a whole chunk that comes next, or null.
  void add_chunk(const float* x, std::int64_t count, const float* next) {
    const Extremes extremes = kernels_.extremes(x, count);
    if (extremes.nan || extremes.lo == -infinity || extremes.hi == infinity) {
      add_finite_ones(x, count);
    } else {
      add_finite(x, count, extremes, next);
    }
  }

  void add_finite_ones(const float* x, std::int64_t count) {
    float kept[chunk];
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (std::isfinite(x[i])) kept[n++] = x[i];
      found_.nan += std::isnan(x[i]) ? 1 : 0;
      found_.inf += std::isinf(x[i]) ? 1 : 0;
    }
    if (n > 0) add_finite(kept, n, kernels_.extremes(kept, n), nullptr);
  }

  void add_finite(const float* x, std::int64_t count, const Extremes& extremes, const float* next) {
    const std::int32_t exponent = exponent_for(extremes.lo, extremes.hi, found_.exponent);
    if (exponent != found_.exponent) widen_to(exponent);
    found_.lo = std::min(found_.lo, extremes.lo);
    found_.hi = std::max(found_.hi, extremes.hi);
    found_.finite += count;
    if (counts_ == nullptr) return;
    const auto bins = exponent < least_vector_exponent ? bins_f32_s32_portable : kernels_.bins;
    const std::int64_t n = bins(x, count, exponent, bins_.data());
    found_.zeros += count - n;
    if (tables_.empty()) {
      count_bins(n);
    } else {
      count_bins_in_tables(n, next);
    }
  }

  void count_bins(std::int64_t n) const {
    for (std::int64_t i = 0; i < n; ++i) ++counts_[bins_[static_cast<std::size_t>(i)]];
  }

  // Meanwhile the next values come from memory, which else nobody would ask for before they are needed.
  void count_bins_in_tables(std::int64_t n, const float* next) {
    const std::int32_t* bins = bins_.data();
    std::uint16_t* even = tables_.data();
    std::uint16_t* odd = even + all_bins;
    if (next != nullptr) {
      for (std::int64_t i = n; i < chunk; i += floats_per_line) prefetch(next + i);
    }
    std::int64_t i = 0;
    for (; i + floats_per_line <= n; i += floats_per_line) {
      if (next != nullptr) prefetch(next + i);
      for (int k = 0; k < floats_per_line; k += tables) ++even[bins[i + k]], ++odd[bins[i + k + 1]];
    }
    for (; i < n; ++i) ++even[bins[i]];
    if (++filled_ == chunks_a_flush) flush();
  }

  void flush() {
    if (filled_ == 0) return;
    std::uint16_t* even = tables_.data();
    std::uint16_t* odd = even + all_bins;
    const double per_width = std::ldexp(1.0, -found_.exponent);
    const auto first = static_cast<std::int64_t>(std::floor(found_.lo * per_width)) + bin_side;
    const auto last = static_cast<std::int64_t>(std::floor(found_.hi * per_width)) + bin_side;
    for (std::int64_t b = first; b <= last; ++b) {
      counts_[b] += std::uint32_t{even[b]} + odd[b];
      even[b] = odd[b] = 0;
    }
    filled_ = 0;
  }

  Statistics found_;
  const StatisticsKernels& kernels_;
  std::uint32_t* counts_;
  std::vector<std::int32_t> bins_;
  std::vector<std::uint16_t> tables_;
  int filled_ = 0;  // chunks since the last flush
};

Statistics merged(const std::vector<Part>& parts) {
  Statistics all = parts.front().found();
  for (std::size_t k = 1; k < parts.size(); ++k) {
    const Statistics& found = parts[k].found();
    all.lo = std::min(all.lo, found.lo);
    all.hi = std::max(all.hi, found.hi);
    all.finite += found.finite;
    all.zeros += found.zeros;
    all.nan += found.nan;
    all.inf += found.inf;
    all.exponent = std::max(all.exponent, found.exponent);
  }
  all.lo += 0.0f;  // which of 0 and -0 is the least depends on the order
  all.hi += 0.0f;
  return all;
}

std::int64_t parts_for(std::int64_t count, int threads) {
  const std::int64_t most = threads > 0 ? threads : default_threads();
  return std::clamp<std::int64_t>(count / values_per_thread, 1, most);
}

}  // namespace

Statistics gather(const float* x, std::int64_t count, std::int32_t exponent, std::uint32_t* counts,
                  const Execution& execution) {
  if (count > std::numeric_limits<std::int32_t>::max()) throw std::invalid_argument("at most 2^31 - 1 values at once");
  const StatisticsKernels& kernels = find_kernel(statistics_kernels, Type::f32, Type::s32, execution.isa)->function;
  const std::int64_t n = parts_for(count, execution.threads);
  const bool binned = counts != nullptr;
  std::vector<std::uint32_t> others(static_cast<std::size_t>(binned ? (n - 1) * all_bins : 0));  // of all parts but one
  std::vector<Part> parts;
  for (std::int64_t k = 0; k < n; ++k) {
    parts.emplace_back(kernels, exponent,
                       k > 0 && binned ? &others[static_cast<std::size_t>((k - 1) * all_bins)] : counts);
  }
  auto run = [&](std::int64_t k) {
    const std::int64_t begin = count * k / n;
    parts[static_cast<std::size_t>(k)].add(x + begin, count * (k + 1) / n - begin);
  };
  parallel_for(n, static_cast<int>(n), run);
  Statistics all = merged(parts);
  if (!binned) return all;
  for (Part& part : parts) part.widen_to(all.exponent);
  for (std::size_t k = 1; k < parts.size(); ++k) parts[k].add_to(counts);
  counts[bin_side] += static_cast<std::uint32_t>(all.zeros);
  return all;
}

}  // namespace halfeven::native
