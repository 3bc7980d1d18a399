// exhaustive [--exhaustive]: the hardware path against the integer definition, pattern by pattern, on all cores.
//
// With --exhaustive: all 2^32 float32 patterns through quantize and all 2^32 int32 codes through dequantize and
// requantize, for each case; without: every 4099th of them. Prints its progress; exit status 1 if anything differs.
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "check.hpp"

namespace profiles = halfeven::profiles;
using halfeven::AffineParams;
using halfeven::Profile;

namespace {

constexpr std::uint64_t kAll = std::uint64_t{1} << 32;
constexpr std::uint64_t kBlock = 1 << 14;

// Patterns from + 0, step, 2 step, ... of one block.
struct Block {
  std::uint64_t from;
  std::uint32_t step;
  std::size_t size;
  std::uint32_t pattern(std::size_t i) const { return static_cast<std::uint32_t>(from + i * step); }
};

struct Progress {
  const char* name;
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> differences{0};
  std::atomic<std::uint64_t> first{kAll};
};

template <class Compare>
void work(Progress& progress, std::uint32_t step, bool print, const Compare& compare) {
  const std::uint64_t span = kBlock * step;
  for (std::uint64_t from = 0; (from = progress.next.fetch_add(span)) < kAll;) {
    const std::uint64_t left = (kAll - from + step - 1) / step;
    const Block block{from, step, static_cast<std::size_t>(left < kBlock ? left : kBlock)};
    const std::uint64_t wrong = compare(block, progress.first);
    if (wrong != 0) progress.differences += wrong;
    if (print && from / span % 1024 < 2) {
      std::printf("\r%-44s %3d %%", progress.name, static_cast<int>(from * 100 / kAll));
      std::fflush(stdout);
    }
  }
}

// One case on all cores. Returns the number of differences.
template <class Compare>
std::uint64_t run_case(const char* name, std::uint32_t step, const Compare& compare) {
  Progress progress{name};
  const auto start = std::chrono::steady_clock::now();
  const unsigned cores = std::thread::hardware_concurrency();
  std::vector<std::thread> threads;
  for (unsigned t = 1; t < cores; ++t) threads.emplace_back([&] { work(progress, step, false, compare); });
  work(progress, step, true, compare);
  for (std::thread& t : threads) t.join();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const unsigned long long patterns = (kAll + step - 1) / step, wrong = progress.differences;
  std::printf("\r%-44s %llu patterns, %llu differences, %.1f s\n", name, patterns, wrong, elapsed.count());
  if (wrong != 0) std::printf("  first at 0x%08llx\n", static_cast<unsigned long long>(progress.first.load()));
  return wrong;
}

// Counts elements for which differs(i, pattern) and keeps the lowest pattern.
template <class Differs>
std::uint64_t count(const Block& block, std::atomic<std::uint64_t>& first, const Differs& differs) {
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < block.size; ++i) {
    const std::uint32_t pattern = block.pattern(i);
    if (!differs(i, pattern)) continue;
    ++wrong;
    std::uint64_t lowest = first;
    while (pattern < lowest && !first.compare_exchange_weak(lowest, pattern)) {
    }
  }
  return wrong;
}

template <class Code>
std::uint64_t quantize_case(const char* type, const AffineParams& p, const Profile& profile, std::uint32_t step) {
  char name[80];
  std::snprintf(name, sizeof name, "quantize %s %s S=%.9g Z=%d", profile.name, type, static_cast<double>(p.scale),
                static_cast<int>(p.zero_point));
  const halfeven::Quantizer definition(p, profile);
  return run_case(name, step, [&](const Block& block, std::atomic<std::uint64_t>& first) {
    std::vector<float> x(block.size);
    std::vector<Code> q(block.size);
    for (std::size_t i = 0; i < block.size; ++i) halfeven::store_bits(&x[i], block.pattern(i));
    halfeven::quantize(x.data(), block.size, q.data(), p, profile);
    return count(block, first, [&](std::size_t i, std::uint32_t bits) { return q[i] != definition(bits); });
  });
}

std::uint64_t dequantize_case(const AffineParams& p, std::uint32_t step) {
  char name[80];
  std::snprintf(name, sizeof name, "dequantize int32 S=%.9g Z=%d", static_cast<double>(p.scale),
                static_cast<int>(p.zero_point));
  return run_case(name, step, [&](const Block& block, std::atomic<std::uint64_t>& first) {
    std::vector<std::int32_t> q(block.size);
    std::vector<float> r(block.size);
    for (std::size_t i = 0; i < block.size; ++i) q[i] = static_cast<std::int32_t>(block.pattern(i));
    halfeven::dequantize(q.data(), block.size, r.data(), p);
    return count(block, first, [&](std::size_t i, std::uint32_t) {
      return halfeven::load_bits(&r[i]) != halfeven::dequantize_bits(q[i], p.zero_point, halfeven::load_bits(&p.scale));
    });
  });
}

// The 64-bit road of requantize against the 128-bit one, both roundings.
std::uint64_t requantize_case(const halfeven::Multiplier& m, std::uint32_t step) {
  char name[80];
  std::snprintf(name, sizeof name, "requantize M0=%lld shift=%d", static_cast<long long>(m.m0),
                static_cast<int>(m.shift));
  return run_case(name, step, [&](const Block& block, std::atomic<std::uint64_t>& first) {
    return count(block, first, [&](std::size_t, std::uint32_t bits) {
      const std::int64_t acc = static_cast<std::int32_t>(bits);
      return halfeven::scale_exact(acc, m) != halfeven::scale_half_even(acc, m.m0, m.shift) ||
             halfeven::scale_exact(acc, m, true) != halfeven::scale_half_up(acc, m.m0, m.shift);
    });
  });
}

std::uint64_t run_all(std::uint32_t step) {
  std::uint64_t wrong = 0;
  // tflite-double and xnnpack quantize as tflite and pytorch do.
  for (const Profile& p :
       {profiles::journey6, profiles::journey6_legacy, profiles::onnxruntime, profiles::pytorch, profiles::tflite}) {
    wrong += quantize_case<std::int8_t>("int8", {0.1f, 3, halfeven::kInt8}, p, step);
    wrong += quantize_case<std::uint16_t>("uint16", {3.0517578e-05f, 32769, halfeven::kUint16}, p, step);
  }
  wrong += dequantize_case({0.1f, 0, halfeven::kInt32}, step);
  wrong += dequantize_case({1.1754945e-38f, -2147483647, halfeven::kInt32}, step);
  for (const double m : {0.5, 0.00037, 0.9999999999, 2.4e-10})
    wrong += requantize_case(halfeven::Multiplier::from_real(m), step);
  return wrong;
}

}  // namespace

int main(int argc, char** argv) {
  const bool all = argc > 1 && std::strcmp(argv[1], "--exhaustive") == 0;
  if (argc > 1 && !all) {
    std::fprintf(stderr, "usage: %s [--exhaustive]\n", argv[0]);
    return 2;
  }
  if (!halfeven::hardware_is_exact())
    std::printf("no hardware path here: quantize and dequantize compare the definition with itself\n");
  const std::uint64_t wrong = run_all(all ? 1 : 4099);
  std::printf("%llu differences in all\n", static_cast<unsigned long long>(wrong));
  return wrong == 0 ? 0 : 1;
}
