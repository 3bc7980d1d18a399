// Soft float32 against the processor's, rounding against <cmath>, wide products against __int128.
#include <cmath>

#include "check.hpp"
#include "suites.hpp"

namespace soft = halfeven::soft;

// Proved while compiling, where undefined behaviour is an error.
static_assert(soft::divide(0x3F800000u, 0x40400000u) == 0x3EAAAAABu, "1/3");
static_assert(soft::divide(0x00000001u, 0x40000000u) == 0u, "smallest subnormal / 2 is a tie, to even");
static_assert(soft::divide(0x00000003u, 0x40000000u) == 0x00000002u, "1.5 subnormals, to even");
static_assert(soft::divide(0x7F7FFFFFu, 0x3F000000u) == soft::kInfinity, "overflow");
static_assert(soft::add(0x3EFFFFFFu, soft::kHalf) == soft::kOne, "0.49999997 + 0.5 is 1 in float32");
static_assert(soft::add(0x3F800000u, 0xBF800000u) == 0u, "exact cancellation is +0");
static_assert(soft::from_integer(16777217) == 0x4B800000u, "2^24 + 1 rounds to even");
static_assert(soft::from_integer(INT64_MIN) == 0xDF000000u, "-2^63");
static_assert(soft::add_integer(0x3F000000u, 16777217) == 0x4B800001u, "2^24 + 1.5 rounds once, up");
static_assert(halfeven::round_half_even(0x3EFFFFFFu) == 0 && halfeven::round_half_up_float32(0x3EFFFFFFu) == 1, "");
static_assert(halfeven::round_half_even(0x40200000u) == 2 && halfeven::round_half_away(0x40200000u) == 3, "2.5");
static_assert(halfeven::round_half_even(0xC0200000u) == -2 && halfeven::round_half_up_float32(0xC0200000u) == -2,
              "-2.5");
static_assert(halfeven::round_half_even(0x60AD78ECu) == halfeven::kRoundedHuge, "+1e20");
static_assert(halfeven::round_down(0x80000001u) == -1, "the largest number below 0");
static_assert(halfeven::scale_half_even(INT64_MIN, 2147483647, 95) == 0, "just short of -1/2");
static_assert(halfeven::scale_half_even(3, 1 << 30, 31) == 2 && halfeven::scale_half_even(1, 1 << 30, 31) == 0, "ties");
static_assert(halfeven::scale_half_up(-3, 1 << 30, 31) == -1 && halfeven::scale_half_up(-1, 1 << 30, 31) == 0,
              "ties up");

#if HALFEVEN_HARDWARE_FLOAT
namespace {

std::uint32_t same_nan(float v) { return std::isnan(v) ? soft::kNaN : halfeven::bits_of(v); }

void compare_with_processor(std::uint32_t a, std::uint32_t b) {
  const volatile float x = halfeven::float_of(a), y = halfeven::float_of(b);
  CHECK_EQUAL(soft::divide(a, b), same_nan(x / y));
  CHECK_EQUAL(soft::multiply(a, b), same_nan(x * y));
  CHECK_EQUAL(soft::add(a, b), same_nan(x + y));
}

void compare_rounding(std::uint32_t a) {
  const float t = halfeven::float_of(a);
  const volatile float sum = t + 0.5f;
  const bool huge = !(std::fabs(t) < 4611686018427387904.0f);
  const long long limit = std::signbit(t) ? -halfeven::kRoundedHuge : halfeven::kRoundedHuge;
  CHECK_EQUAL(halfeven::round_half_even(a), huge ? limit : static_cast<long long>(std::nearbyint(t)));
  CHECK_EQUAL(halfeven::round_half_away(a), huge ? limit : static_cast<long long>(std::round(t)));
  CHECK_EQUAL(halfeven::round_down(a), huge ? limit : static_cast<long long>(std::floor(t)));
  if (!huge) CHECK_EQUAL(halfeven::round_half_up_float32(a), static_cast<long long>(std::floor(sum)));
}

void compare_integers(std::uint32_t a, std::int64_t v) {
  const float t = halfeven::float_of(a);
  CHECK_EQUAL(soft::from_integer(v), halfeven::bits_of(static_cast<float>(v)));
  const std::int32_t z = static_cast<std::int32_t>(v >> 32);
  if (z != 0 && std::fabs(t) < 65536.0f && std::fabs(t) >= 1.0f / 65536) {
    // A sum of a 32-bit integer and such a float is exact in float64 up to 53 bits; test those.
    const double sum = static_cast<double>(t) + z;
    if (sum - z == static_cast<double>(t) && sum - static_cast<double>(t) == z) {
      CHECK_EQUAL(soft::add_integer(a, z), halfeven::bits_of(static_cast<float>(sum)));
    }
  }
}

}  // namespace

void test_soft_float(long long samples) {
  const std::vector<std::uint32_t> edges = check::edge_patterns();
  for (std::size_t i = 0; i < edges.size(); ++i) {
    compare_rounding(edges[i]);
    for (std::size_t k = i % 7; k < edges.size(); k += 7) compare_with_processor(edges[i], edges[k]);
  }
  check::Random random(1);
  for (long long i = 0; i < samples; ++i) {
    const std::uint32_t a = random.bits(), b = random.bits();
    compare_with_processor(a, b);
    compare_with_processor(a, (b & 0x807FFFFFu) | (a & 0x7F800000u));  // equal exponents: cancellation
    compare_rounding((a & 0x807FFFFFu) | ((96 + b % 96) << 23));       // 2^-31 to 2^64
    compare_integers(a, static_cast<std::int64_t>(random.next() >> (b % 64)));
  }
}
#else
void test_soft_float(long long) {}  // no exact processor to compare with: the digests are
#endif

#if defined(__SIZEOF_INT128__)
namespace {

__extension__ using Int128 = __int128;

long long divided(Int128 p, int shift, bool half_up) {
  const Int128 unit = Int128{1} << shift, whole = p >> shift, rest = p - whole * unit, half = unit / 2;
  const bool up = half_up ? rest >= half : rest > half || (rest == half && (whole & 1) != 0);
  return static_cast<long long>(whole + (up ? 1 : 0));
}

}  // namespace

void test_wide_products(long long samples) {
  check::Random random(2);
  for (long long i = 0; i < samples; ++i) {
    const std::int64_t a = static_cast<std::int64_t>(random.next()) >> (random.next() % 63);
    const std::int64_t m0 = static_cast<std::int64_t>(random.next() >> 33) | (1 << 30);
    const int shift = 33 + static_cast<int>(random.next() % 62);  // the quotient is below 2^62
    const std::int64_t tie = i % 3 == 0 ? (a >> 20) * 2 + 1 : a;
    const std::int64_t factor = i % 3 == 0 ? 1 << 30 : m0;
    const int places = i % 3 == 0 ? 31 : shift;
    const Int128 p = static_cast<Int128>(tie) * factor;
    CHECK_EQUAL(halfeven::scale_half_even(tie, factor, places), divided(p, places, false));
    CHECK_EQUAL(halfeven::scale_half_up(tie, factor, places), divided(p, places, true));
  }
}
#else
void test_wide_products(long long) {}
#endif
