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
constexpr std::int64_t values_per_thread = 1 << 16;  // a thread has tables of its own: small tensors are not worth them
constexpr int tables = 4;  // equal values in turn go to different ones: no increment waits for the one before

constexpr float infinity = std::numeric_limits<float>::infinity();

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
template <class Count>
void widen(Count* counts, std::int32_t doublings) {
  if (doublings == 0) return;
  const std::int32_t shift = std::min<std::int32_t>(doublings, 12);  // from there on every bin is 0 or -1
  Count* zero = counts + bin_side;
  const auto move = [&](std::int32_t bin) {
    const Count count = zero[bin];
    zero[bin] = 0;
    zero[bin >> shift] += count;
  };
  for (std::int32_t bin = 1; bin < bin_side; ++bin) move(bin);
  for (std::int32_t bin = -2; bin >= -bin_side; --bin) move(bin);
}

// One thread's share of the values.
class Part {
 public:
  Part(const StatisticsKernels& kernels, std::int32_t exponent, bool binned, bool large)
      : found_{infinity, -infinity, 0, 0, 0, 0, exponent}, kernels_(kernels), binned_(binned) {
    if (binned) bins_.resize(static_cast<std::size_t>(chunk + bin_slack));
    if (binned && large) counts_.resize(static_cast<std::size_t>(tables * all_bins));
  }

  const Statistics& found() const { return found_; }

  // Few values go into `counts` at once, many into tables; both of bins 2^found().exponent wide.
  void add(const float* x, std::int64_t count, std::int64_t* counts) {
    for (std::int64_t i = 0; i < count; i += chunk) add_chunk(x + i, std::min(chunk, count - i), counts);
  }

  void widen_tables(std::int32_t exponent) {
    for (std::size_t t = 0; t < counts_.size(); t += all_bins) widen(&counts_[t], exponent - found_.exponent);
    found_.exponent = exponent;
  }

  void add_tables_to(std::int64_t* counts) const {
    if (counts_.empty()) return;
    for (std::int64_t b = 0; b < all_bins; ++b) {
      std::int64_t sum = 0;
      for (std::int64_t t = 0; t < tables; ++t) sum += counts_[static_cast<std::size_t>(t * all_bins + b)];
      counts[b] += sum;
    }
  }

 private:
  void add_chunk(const float* x, std::int64_t count, std::int64_t* counts) {
    const Extremes extremes = kernels_.extremes(x, count);
    if (extremes.nan || extremes.lo == -infinity || extremes.hi == infinity) {
      add_finite_ones(x, count, counts);
    } else {
      add_finite(x, count, extremes, counts);
    }
  }

  void add_finite_ones(const float* x, std::int64_t count, std::int64_t* counts) {
    float kept[chunk];
    std::int64_t n = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (std::isfinite(x[i])) kept[n++] = x[i];
      found_.nan += std::isnan(x[i]) ? 1 : 0;
      found_.inf += std::isinf(x[i]) ? 1 : 0;
    }
    if (n > 0) add_finite(kept, n, kernels_.extremes(kept, n), counts);
  }

  void add_finite(const float* x, std::int64_t count, const Extremes& extremes, std::int64_t* counts) {
    found_.lo = std::min(found_.lo, extremes.lo);
    found_.hi = std::max(found_.hi, extremes.hi);
    found_.finite += count;
    if (!binned_) return;
    const std::int32_t exponent = exponent_for(extremes.lo, extremes.hi, found_.exponent);
    if (exponent != found_.exponent && counts_.empty()) widen(counts, exponent - found_.exponent);
    widen_tables(exponent);
    const auto bins = exponent < least_vector_exponent ? bins_f32_s32_portable : kernels_.bins;
    const std::int64_t n = bins(x, count, exponent, bins_.data());
    found_.zeros += count - n;
    counts_.empty() ? count_bins(n, counts) : count_bins(n);
  }

  void count_bins(std::int64_t n, std::int64_t* counts) const {
    for (std::int64_t i = 0; i < n; ++i) ++counts[bins_[static_cast<std::size_t>(i)]];
  }

  void count_bins(std::int64_t n) {
    const std::int32_t* bins = bins_.data();
    std::uint32_t* t = counts_.data();
    std::int64_t i = 0;
    for (; i + tables <= n; i += tables) {
      ++t[bins[i]];
      ++t[all_bins + bins[i + 1]];
      ++t[2 * all_bins + bins[i + 2]];
      ++t[3 * all_bins + bins[i + 3]];
    }
    for (; i < n; ++i) ++t[bins[i]];
  }

  Statistics found_;
  const StatisticsKernels& kernels_;
  bool binned_;
  std::vector<std::int32_t> bins_;
  std::vector<std::uint32_t> counts_;
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

Statistics gather(const float* x, std::int64_t count, std::int32_t exponent, std::int64_t* counts,
                  const Execution& execution) {
  if (count > std::numeric_limits<std::int32_t>::max()) throw std::invalid_argument("at most 2^31 - 1 values at once");
  const StatisticsKernels& kernels = find_kernel(statistics_kernels, Type::f32, Type::s32, execution.isa)->function;
  const std::int64_t n = parts_for(count, execution.threads);
  std::vector<Part> parts;
  for (std::int64_t k = 0; k < n; ++k) parts.emplace_back(kernels, exponent, counts != nullptr, count > chunk);
  auto run = [&](std::int64_t k) {
    const std::int64_t begin = count * k / n;
    parts[static_cast<std::size_t>(k)].add(x + begin, count * (k + 1) / n - begin, counts);
  };
  parallel_for(n, static_cast<int>(n), run);
  Statistics all = merged(parts);
  if (counts == nullptr) return all;
  if (count > chunk) widen(counts, all.exponent - exponent);
  for (Part& part : parts) {
    part.widen_tables(all.exponent);
    part.add_tables_to(counts);
  }
  counts[bin_side] += all.zeros;
  return all;
}

}  // namespace halfeven::native
