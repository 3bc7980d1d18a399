// Multipliers and requantize: golden cases, and every method against a straightforward model of it.
#include <cmath>

#include "check.hpp"
#include "float_modes.hpp"
#include "suites.hpp"

using halfeven::Multiplier;
using halfeven::Requantize;
namespace profiles = halfeven::profiles;

namespace {

constexpr std::int64_t kTop = std::int64_t{1} << 31;

void check_multiplier(const Multiplier& m, std::int64_t m0, int shift) {
  CHECK_EQUAL(m.m0, m0);
  CHECK_EQUAL(m.shift, shift);
}

void golden_multipliers() {
  check_multiplier(Multiplier::from_real(0.5), kTop / 2, 31);  // n = 0
  check_multiplier(Multiplier::from_real(1.0), kTop / 2, 30);  // n = -1
  check_multiplier(Multiplier::from_real(3.0), 3 * (kTop / 4), 29);
  // 1 - 2^-33 rounds up to 2^31 at n = 0: half of it, and n = -1.
  check_multiplier(Multiplier::from_real(1.0 - 1.0 / 8589934592.0), kTop / 2, 30);
  // 1 - 2^-32 is a tie at 2^31 - 1/2: half to even goes up too.
  check_multiplier(Multiplier::from_real(1.0 - 1.0 / 4294967296.0), kTop / 2, 30);
  // 2^30 + 1/2 (scaled): a tie, down to even; half away goes up.
  check_multiplier(Multiplier::from_real((1073741824.0 + 0.5) / 2147483648.0), kTop / 2, 31);
  check_multiplier(Multiplier::from_real((1073741824.0 + 0.5) / 2147483648.0, 31, true), kTop / 2 + 1, 31);
  check_multiplier(Multiplier::from_real(0.75, 15), 3 << 13, 15);
  check_multiplier(Multiplier::from_real(0.0), 0, 0);
  check_multiplier(Multiplier::from_real(4.9406564584124654e-324), kTop / 2, 1074 + 30);
  CHECK(!Multiplier::from_real(-1.0).is_valid());
  CHECK(!Multiplier::from_real(1.0, 32).is_valid());
  CHECK(!Multiplier::from_real(1.0, 0).is_valid());
  CHECK(Multiplier::from_real(0.0).is_valid());
}

void golden_codes() {
  const Multiplier half = Multiplier::from_real(0.5), twice = Multiplier::from_real(2.0);
  const int ties[] = {-3, -1, 1, 3, 5};
  const int even[] = {-2, 0, 0, 2, 2}, up[] = {-1, 0, 1, 2, 3}, away[] = {-2, -1, 1, 2, 3};
  for (int i = 0; i < 5; ++i) {
    CHECK_EQUAL(halfeven::requantize(ties[i], half, 0, halfeven::kInt8), even[i]);
    CHECK_EQUAL(halfeven::requantize(ties[i], half, 0, halfeven::kInt8, Requantize::kExactHalfUp), up[i]);
    // The first rounding of the double one truncates (acc * M0 +- 2^30) / 2^31: a tie at n = 0 goes up, -0.5 to 0.
    CHECK_EQUAL(halfeven::requantize(ties[i], half, 0, halfeven::kInt8, Requantize::kDoubleRounding), up[i]);
    const Multiplier quarter = Multiplier::from_real(0.25);
    CHECK_EQUAL(halfeven::requantize(2 * ties[i], quarter, 0, halfeven::kInt8, Requantize::kDoubleRounding), away[i]);
    CHECK_EQUAL(halfeven::requantize(ties[i], half, 0, halfeven::kInt8, Requantize::kFloat32), even[i]);
  }
  CHECK_EQUAL(halfeven::requantize(30, twice, 5, halfeven::kInt8), 65);
  CHECK_EQUAL(halfeven::requantize(70, twice, 0, halfeven::kInt8), 127);
  // M = 2 is 2^30 * 2^-29: the left shift by 2 saturates to -2^31 before the high multiply halves it.
  CHECK_EQUAL(halfeven::requantize(INT32_MIN, twice, 0, halfeven::kInt32, Requantize::kDoubleRounding), -1073741824);
  // Shifts beyond 62 give Z for any int32; not for int64.
  const Multiplier tiny{kTop - 1, 63, 31};
  CHECK_EQUAL(halfeven::requantize(INT32_MIN, tiny, 9, halfeven::kInt8), 9);
  CHECK_EQUAL(halfeven::requantize(std::int64_t{1} << 40, tiny, 0, halfeven::kInt16), 256);
  CHECK_EQUAL(halfeven::requantize(INT64_MAX, {kTop - 1, 1000000, 31}, 1, halfeven::kInt8), 1);
  // Enormous left shifts saturate, and never wrap.
  CHECK_EQUAL(halfeven::requantize(-1, {kTop / 2, -1000000, 31}, 100, halfeven::kInt16), -32768);
  CHECK_EQUAL(halfeven::requantize(0, {kTop / 2, -1000000, 31}, 100, halfeven::kInt16), 100);
  CHECK_EQUAL(halfeven::requantize(INT64_MIN, {kTop - 1, -1000000, 31}, 1, halfeven::kInt32), INT32_MIN);
  CHECK_EQUAL(halfeven::requantize(INT64_MAX, {kTop - 1, 31, 31}, 1, halfeven::kInt32), 2147483647);
}

void array_functions() {
  const std::int32_t acc[] = {-300, 7, 1, 2, 300, 9};
  const Multiplier m[] = {Multiplier::from_real(0.5), Multiplier::from_real(3.0)};
  std::int8_t out[6] = {};
  CHECK(halfeven::requantize_channels(acc, 3, 2, out, m, 1, halfeven::kInt8, Requantize::kExactHalfEven));
  const int expected[] = {-128, 22, 1, 7, 127, 28};
  for (int i = 0; i < 6; ++i) CHECK_EQUAL(out[i], expected[i]);
  const std::int64_t wide[] = {std::int64_t{1} << 40, -3};
  CHECK(halfeven::requantize(wide, 2, out, m[0], 0, halfeven::kInt8));
  CHECK_EQUAL(out[0], 127);
  CHECK_EQUAL(out[1], -2);
  out[0] = 55;
  CHECK(!halfeven::requantize(wide, 2, out, m[0], 0, halfeven::kInt8, profiles::pytorch.requantize));
  CHECK_EQUAL(out[0], 55);
}

// floor(v / 2^n) of any int64 by repeated halving: slow and plain.
std::int64_t halved(std::int64_t v, int n) {
  for (; n > 0; --n) v = v >= 0 ? v / 2 : (v - 1) / 2;
  return v;
}

std::int64_t model(std::int64_t acc, const Multiplier& m, bool half_up) {
  const std::int64_t product = acc * m.m0;
  if (m.shift > 62) return 0;
  const std::int64_t whole = halved(product, m.shift), rest = product - whole * (std::int64_t{1} << m.shift);
  const std::int64_t half = std::int64_t{1} << (m.shift - 1);
  const bool up = half_up ? rest >= half : rest > half || (rest == half && whole % 2 != 0);
  return whole + (up ? 1 : 0);
}

void compare_exact(long long samples) {
  check::Random random(4);
  for (long long i = 0; i < samples; ++i) {
    const std::int32_t acc = static_cast<std::int32_t>(random.bits()) >> (random.bits() % 31);
    const std::int64_t m0 = i % 4 == 0 ? kTop / 2 : (kTop / 2) | (random.bits() >> 2);
    const Multiplier m{m0, 1 + static_cast<std::int32_t>(random.bits() % 64), 31};
    CHECK_EQUAL(halfeven::scale_exact(acc, m), model(acc, m, false));
    CHECK_EQUAL(halfeven::scale_exact(acc, m, true), model(acc, m, true));
    // The narrow road and the 128-bit road are one function.
    CHECK_EQUAL(halfeven::scale_exact(acc, m), halfeven::scale_half_even(acc, m.m0, m.shift));
    CHECK_EQUAL(halfeven::scale_exact(acc, m, true), halfeven::scale_half_up(acc, m.m0, m.shift));
  }
}

#if HALFEVEN_HARDWARE_FLOAT
void compare_float(long long samples) {
  check::Random random(5);
  for (long long i = 0; i < samples; ++i) {
    const std::int64_t acc = static_cast<std::int64_t>(random.next()) >> (random.bits() % 63);
    const float scale = halfeven::float_of((100u << 23) + random.bits() % (60u << 23));
    const Multiplier m = Multiplier::from_real(static_cast<double>(scale), 24);
    CHECK_EQUAL(m.float_bits(), halfeven::bits_of(scale));
    const volatile float product = static_cast<float>(acc) * scale;
    const float t = product;
    const bool huge = !(std::fabs(t) < 4611686018427387904.0f);
    const long long limit = std::signbit(t) ? -halfeven::kRoundedHuge : halfeven::kRoundedHuge;
    CHECK_EQUAL(halfeven::scale_float32(acc, m), huge ? limit : static_cast<long long>(std::nearbyint(t)));
  }
}

void compare_scales(long long samples) {
  check::Random random(6);
  for (long long i = 0; i < samples; ++i) {
    std::uint32_t bits[3];
    for (std::uint32_t& b : bits) b = 0x00800000u + random.bits() % 0x7F000000u;
    if (i % 2 == 0) bits[2] = bits[0] ^ (random.bits() % 16);  // close to 1: M0 near 2^31
    const float s1 = halfeven::float_of(bits[0]), s2 = i % 2 == 0 ? 1.0f : halfeven::float_of(bits[1]);
    const float s3 = halfeven::float_of(bits[2]);
    const double exact = static_cast<double>(s1) * static_cast<double>(s2) / static_cast<double>(s3);
    for (const bool away : {false, true}) {
      const Multiplier got = Multiplier::from_scales(s1, s2, s3, away ? profiles::tflite : profiles::journey6);
      const Multiplier expected = Multiplier::from_real(exact, 31, away);
      check_multiplier(got, expected.m0, expected.shift);
      int exponent = 0;
      const double scaled = std::ldexp(std::frexp(exact, &exponent), 31);
      const double m0 = away ? std::floor(scaled + 0.5) : std::nearbyint(scaled);
      CHECK_EQUAL(got.m0, m0 == 2147483648.0 ? m0 / 2 : m0);
      CHECK_EQUAL(got.shift, 31 - exponent - (m0 == 2147483648.0 ? 1 : 0));
    }
    const volatile float s12 = s1 * s2;
    const volatile float single = s12 / s3;
    const Multiplier got = Multiplier::from_scales(s1, s2, s3, profiles::onnxruntime);
    CHECK_EQUAL(got.is_valid(), std::isfinite(single));
    if (got.is_valid()) CHECK_EQUAL(got.float_bits(), halfeven::bits_of(single));
  }
}
#else
void compare_float(long long) {}
void compare_scales(long long) {}
#endif

}  // namespace

void test_requantize(long long samples) {
  for (const check::FloatMode& mode : check::kFloatModes) {
    const check::InFloatMode in_mode(mode);
    golden_multipliers();
    golden_codes();
    array_functions();
  }
  CHECK(!Multiplier::from_scales(1.0f, 0.0f, 1.0f, profiles::journey6).is_valid());
  CHECK(!Multiplier::from_scales(1.0f, -1.0f, profiles::journey6).is_valid());
  compare_exact(samples);
  compare_float(samples);
  compare_scales(samples);
}
