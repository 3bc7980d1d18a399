// The fused division v = x r, v += (x - v s) r with r = f32(1 / s) rounds correctly: proof by enumeration.
//
// Scaling by powers of two changes nothing, so let x = X and s = S be integers in [2^23, 2^24). With u = 2^-24, the
// first v is within (2u + u^2) Q of Q = X / S, the residual is rounded once (u) and r is within u of 1 / S: before its
// own rounding the second v is within 4u^2 Q, and a little, of Q. It can round differently only where the middle of two
// float32 lies between, that is where |X 2^e - M S| <= 4u^2 Q S 2^e for an integer M: at most 4 for X >= S (e = 24),
// at most 8 for X < S (e = 25). Twice that is searched: for each S and each d the X with X 2^e = d (mod S).
#include <bit>
#include <cmath>

#include "engine/float_environment.h"
#include "exhaustive/blocks.h"
#include "exhaustive/exhaustive.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t smallest = std::int64_t{1} << 23;
constexpr std::int64_t end = std::int64_t{1} << 24;
constexpr std::int64_t reach = 16;

bool rounds_differently(std::int64_t x, std::int64_t s) {
  const float xf = static_cast<float>(x);
  const float sf = static_cast<float>(s);
  const float r = 1.0f / sf;
  const float v = xf * r;
  return std::fma(std::fma(-v, sf, xf), r, v) != xf / sf;
}

// 2^-n modulo the odd number m
std::int64_t inverse_of_power_of_two(int n, std::int64_t m) {
  std::int64_t inverse = 1 % m;
  for (int k = 0; k < n; ++k) inverse = inverse % 2 == 0 ? inverse / 2 : (inverse + m) / 2;
  return inverse;
}

struct Search {
  Tally tally;
  std::int64_t candidates = 0;

  void operator()(std::int64_t s) {
    search(s, 24, s, end);
    search(s, 25, smallest, s);
  }

  // X in [from, to) with X 2^e = d (mod S), 0 < |d| <= reach
  void search(std::int64_t s, int e, std::int64_t from, std::int64_t to) {
    const int twos = std::countr_zero(static_cast<std::uint64_t>(s));
    const std::int64_t unit = std::int64_t{1} << twos;
    const std::int64_t odd = s / unit;
    const std::int64_t inverse = inverse_of_power_of_two(e - twos, odd);
    for (std::int64_t d = unit; d <= reach; d += unit) {  // 2^twos divides X 2^e and S, hence d
      each(inverse * (d / unit) % odd, odd, s, from, to);
      each((odd - inverse * (d / unit) % odd) % odd, odd, s, from, to);
    }
  }

  void each(std::int64_t residue, std::int64_t modulus, std::int64_t s, std::int64_t from, std::int64_t to) {
    const std::int64_t steps = residue >= from ? 0 : (from - residue + modulus - 1) / modulus;
    for (std::int64_t x = residue + steps * modulus; x < to; x += modulus) {
      ++candidates;
      if (rounds_differently(x, s)) tally.add(s);
    }
  }
};

}  // namespace

Quotients check_fused_division(std::int64_t first, std::int64_t count) {
  const FloatEnvironment environment;
  Search search;
  for (std::int64_t s = std::max(first, smallest); s < std::min(first + count, end); ++s) search(s);
  return {search.candidates, search.tally.differences()};
}

}  // namespace halfeven::native
