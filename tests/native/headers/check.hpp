// A test harness of one page: CHECK_EQUAL counts and prints, the suites are functions, main sums up.
#ifndef HALFEVEN_TESTS_CHECK_HPP_
#define HALFEVEN_TESTS_CHECK_HPP_

#include <cstdint>
#include <cstdio>
#include <halfeven/halfeven.hpp>
#include <vector>

namespace check {

struct Counts {
  long long passed = 0;
  long long failed = 0;
};

inline Counts& counts() {
  static Counts c;
  return c;
}

inline void equal(long long got, long long expected, const char* what, const char* file, int line) {
  if (got == expected) {
    ++counts().passed;
    return;
  }
  if (++counts().failed <= 20) std::printf("%s:%d: %s is %lld, expected %lld\n", file, line, what, got, expected);
}

// xorshift64*: the same patterns on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  std::uint32_t bits() { return static_cast<std::uint32_t>(next() >> 32); }

 private:
  std::uint64_t state_;
};

// Patterns where arithmetic goes wrong first: zeros, subnormals, powers of two and their neighbours, halves,
// infinities, NaN.
inline std::vector<std::uint32_t> edge_patterns() {
  std::vector<std::uint32_t> v = {0x7F800000u, 0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0x7F7FFFFFu, 0x3EFFFFFFu};
  for (std::uint32_t field = 0; field < 255; ++field) {
    for (const std::uint32_t fraction : {0x0u, 0x1u, 0x2u, 0x400000u, 0x400001u, 0x3FFFFFu, 0x7FFFFEu, 0x7FFFFFu}) {
      v.push_back((field << 23) | fraction);
    }
  }
  const std::size_t n = v.size();
  for (std::size_t i = 0; i < n; ++i) v.push_back(v[i] | 0x80000000u);
  return v;
}

// The pattern of k/2 * scale, near which the ties of a quantizer lie.
inline std::uint32_t half_step(std::int32_t k, std::uint32_t scale) {
  return halfeven::soft::multiply(halfeven::soft::scale_by_power(halfeven::soft::from_integer(k), -1), scale);
}

}  // namespace check

#define CHECK_EQUAL(got, expected) \
  check::equal(static_cast<long long>(got), static_cast<long long>(expected), #got, __FILE__, __LINE__)
#define CHECK(condition) check::equal((condition) ? 1 : 0, 1, #condition, __FILE__, __LINE__)

#endif  // HALFEVEN_TESTS_CHECK_HPP_
