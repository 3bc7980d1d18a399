// Every kernel that this build holds and this machine runs, without Python: stretches of inputs against the plain
// formulas, and whole tensors through the engine against its portable path. Prints how many comparisons differed.
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/cpu.h"
#include "engine/elementwise.h"
#include "engine/statistics.h"
#include "exhaustive/exhaustive.h"

namespace halfeven::native {
namespace {

std::int64_t stretch = 3000;  // inputs from each place

std::int64_t compared = 0;
std::int64_t differences = 0;

void count(const char* what, std::int64_t n, std::int64_t found) {
  compared += n;
  differences += found;
  if (found != 0)
    std::printf("%s: %lld of %lld differ\n", what, static_cast<long long>(found), static_cast<long long>(n));
}

bool runs(Isa isa) { return isa_infos()[static_cast<std::size_t>(isa)].supported; }

CodeRange range_of_type(Type type) {
  switch (type) {
    case Type::s8: return kInt8;
    case Type::u8: return kUint8;
    case Type::s16: return kInt16;
    case Type::u16: return kUint16;
    default: return kInt32;
  }
}

std::vector<QuantizeRule> rules(Type type) {
  std::vector<QuantizeRule> all;
  for (const Scaling scaling : {Scaling::kDivide, Scaling::kReciprocal}) {
    for (const ZeroPoint side : {ZeroPoint::kInside, ZeroPoint::kOutside}) {
      for (const Rounding rounding : {Rounding::kHalfEven, Rounding::kHalfUpFloat32, Rounding::kHalfAway}) {
        all.push_back({scaling, side, rounding, range_of_type(type)});
      }
    }
  }
  return all;
}

constexpr std::array methods = {Requantize::kExactHalfEven, Requantize::kExactHalfUp, Requantize::kDoubleRounding,
                                Requantize::kFloat32};

std::int64_t pattern(float x) { return std::bit_cast<std::uint32_t>(x); }

void check_quantize_kernels() {
  for (const auto& kernel : quantize_kernels) {
    if (!runs(kernel.isa)) continue;
    for (const QuantizeRule& rule : rules(kernel.out)) {
      for (const float scale : {1.0f / 3, 0.0078125f, 1e-25f}) {
        const float top = static_cast<float>(rule.range.qmax - 3) * scale;
        for (const std::int64_t at : {pattern(0.5f * scale), pattern(top), pattern(-top), pattern(0.0f) + stretch,
                                      pattern(-2.5f * scale), std::int64_t{0x7f800000}, std::int64_t{0xff800000}}) {
          for (const bool per_element : {false, true}) {
            const QuantizeCheck check{kernel.function, kernel.out, scale, 3, rule, per_element};
            count(kernel.name, stretch, check_quantize(check, at - stretch / 2, stretch).count);
          }
        }
      }
    }
  }
}

void check_requantize_kernels() {
  for (const auto& kernel : requantize_kernels) {
    if (!runs(kernel.isa) || kernel.in != Type::s32) continue;
    for (const Requantize method : methods) {
      for (const std::int32_t m0 : {1 << 30, (1 << 30) + 12345, 0x7fffffff}) {
        for (const std::int32_t shift : {20, 31, 33, 40, 55, 62, 63, 80}) {
          const RequantizeRule rule{method, 3, range_of_type(kernel.out)};
          for (const std::int64_t at : {0ll, 0x7ffff000ll, 0xfffff000ll, 0x80000000ll, 0x00100000ll}) {
            for (const bool per_element : {false, true}) {
              const RequantizeCheck check{kernel.function, kernel.out, m0, shift, rule, per_element};
              count(kernel.name, stretch, check_requantize(check, at, stretch).count);
            }
          }
        }
      }
    }
  }
}

// A tensor of three layouts through the engine, by each set and count of threads, against one portable thread.
void check_engine() {
  const std::vector<Layout> layouts = {{1, 1, 100003}, {301, 7, 48}, {5003, 19, 1}, {3, 5, 4999}};
  for (const Layout& layout : layouts) {
    const std::size_t n = static_cast<std::size_t>(layout.count());
    const std::size_t channels = static_cast<std::size_t>(layout.channels);
    std::vector<float> x(n);
    std::vector<float> scale(channels);
    std::vector<std::int32_t> zero_point(channels);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(static_cast<int>(i * 7919 % 20011) - 10000) * 0.01f;
    for (std::size_t c = 0; c < channels; ++c) {
      scale[c] = 0.1f + static_cast<float>(c) * 0.07f;
      zero_point[c] = static_cast<std::int32_t>(c) - 3;
    }
    const auto run = [&](const Execution& execution, std::vector<std::int8_t>& codes, std::vector<float>& reals) {
      quantize(x.data(), codes.data(), Type::s8, {scale, zero_point}, rules(Type::s8)[0], layout, execution);
      dequantize(codes.data(), Type::s8, reals.data(), {scale, zero_point}, layout, execution);
    };
    std::vector<std::int8_t> expected(n);
    std::vector<float> expected_reals(n);
    run({Isa::portable, 1}, expected, expected_reals);
    for (const IsaInfo& info : isa_infos()) {
      for (const int threads : {1, 3}) {
        if (!info.supported) continue;
        std::vector<std::int8_t> codes(n);
        std::vector<float> reals(n);
        run({info.isa, threads}, codes, reals);
        count("engine, codes", static_cast<std::int64_t>(n), codes == expected ? 0 : 1);
        count("engine, reals", static_cast<std::int64_t>(n), reals == expected_reals ? 0 : 1);
      }
    }
  }
}

// Statistics of values of every size, some of them zero or not finite, by each set and count of threads.
void check_statistics() {
  constexpr std::int64_t n = 300007;
  std::vector<float> x(n);
  std::uint32_t random = 1;
  for (float& value : x) {
    random = random * 1664525u + 1013904223u;
    const std::uint32_t exponent = 127 - random % 149;  // from 2^-149 to 1
    const std::uint32_t bits = (random & 0x807fffffu) | exponent << 23;
    value = random % 5 == 0 ? 0.0f : std::bit_cast<float>(random % 149 > 126 ? random & 0x807fffffu : bits);
  }
  for (const bool broken : {false, true}) {
    if (broken) x[5] = x[200001] = std::numeric_limits<float>::infinity(), x[77777] = std::nanf("");
    const auto run = [&](const Execution& execution) {
      std::vector<std::uint32_t> bins(static_cast<std::size_t>(2 * bin_side));
      const Statistics found = gather(x.data(), n, -161, bins.data(), execution);
      std::vector<std::int64_t> counts(bins.begin(), bins.end());
      counts.insert(counts.end(), {std::bit_cast<std::int32_t>(found.lo), std::bit_cast<std::int32_t>(found.hi),
                                   found.finite, found.zeros, found.nan, found.inf, found.exponent});
      return counts;
    };
    const std::vector<std::int64_t> expected = run({Isa::portable, 1});
    for (const IsaInfo& info : isa_infos()) {
      for (const int threads : {1, 3}) {
        if (info.supported) count("statistics", n, run({info.isa, threads}) == expected ? 0 : 1);
      }
    }
  }
}

}  // namespace
}  // namespace halfeven::native

int main(int argc, char** argv) {
  using namespace halfeven::native;
  if (argc > 1) stretch = std::atoll(argv[1]);
  for (const IsaInfo& info : isa_infos()) {
    if (info.supported) std::printf("%.*s\n", static_cast<int>(info.name.size()), info.name.data());
  }
  check_quantize_kernels();
  check_requantize_kernels();
  check_engine();
  check_statistics();
  std::printf("%lld comparisons, %lld differences\n", static_cast<long long>(compared),
              static_cast<long long>(differences));
  return differences == 0 ? 0 : 1;
}
