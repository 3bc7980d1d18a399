// Binary and log2 codes: golden cases, and the exponents against float64 squares.
#include "check.hpp"
#include "float_modes.hpp"
#include "suites.hpp"

namespace soft = halfeven::soft;

namespace {

void golden_binary() {
  CHECK_EQUAL(halfeven::quantize_binary_bits(0u), 1);
  CHECK_EQUAL(halfeven::quantize_binary_bits(soft::kSign), 1);  // -0.0 >= 0
  CHECK_EQUAL(halfeven::quantize_binary_bits(0x80000001u), -1);
  CHECK_EQUAL(halfeven::quantize_binary_bits(1u), 1);
  CHECK_EQUAL(halfeven::quantize_binary_bits(soft::kInfinity), 1);
  CHECK_EQUAL(halfeven::quantize_binary_bits(soft::kInfinity | soft::kSign), -1);
  CHECK_EQUAL(halfeven::quantize_binary_bits(soft::kNaN), -1);
  CHECK_EQUAL(halfeven::dequantize_binary_bits(-1, 0x40400000u), 0xC0400000u);
  CHECK_EQUAL(halfeven::dequantize_binary_bits(1, 0x40400000u), 0x40400000u);
}

void golden_log2() {
  const std::uint32_t one = soft::kOne;
  CHECK_EQUAL(halfeven::quantize_log2_bits(one, one, 4), 1);
  CHECK_EQUAL(halfeven::quantize_log2_bits(one | soft::kSign, one, 4), -1);
  CHECK_EQUAL(halfeven::quantize_log2_bits(soft::kInfinity, one, 4), 1);
  CHECK_EQUAL(halfeven::quantize_log2_bits(soft::kNaN, one, 4), 0);
  CHECK_EQUAL(halfeven::quantize_log2_bits(soft::kSign, one, 4), 0);
  // sqrt(1/2) lies between two neighbours, 0x3F3504F3 below it and 0x3F3504F4 above it.
  CHECK_EQUAL(halfeven::quantize_log2_bits(0x3F3504F3u, one, 4), 2);
  CHECK_EQUAL(halfeven::quantize_log2_bits(0x3F3504F4u, one, 4), 1);
  // K = 7: the last code but 0 stands for 2^-6; below 2^-6.5 comes 0.
  CHECK_EQUAL(halfeven::quantize_log2_bits(0x3C800000u, one, 4), 7);
  CHECK_EQUAL(halfeven::quantize_log2_bits(0x3C3504F4u, one, 4), 7);
  CHECK_EQUAL(halfeven::quantize_log2_bits(0x3C3504F3u, one, 4), 0);
  CHECK_EQUAL(halfeven::quantize_log2_bits(one, one, 2), 1);  // K = 1
  CHECK_EQUAL(halfeven::dequantize_log2_bits(0, 0x40400000u), 0u);
  CHECK_EQUAL(halfeven::dequantize_log2_bits(-3, 0x40400000u), 0xBF400000u);  // -3/4
  // 3 * 2^-149 * 2^23 * 2^-24: a subnormal of 1.5 last places, half to even.
  CHECK_EQUAL(halfeven::dequantize_log2_bits(24 + 1, 0x00C00000u), 0x00000001u);
  CHECK_EQUAL(halfeven::dequantize_log2_bits(23 + 1, 0x00C00000u), 0x00000002u);
}

void arrays() {
  const float x[] = {-3.0f, 0.0f, 0.3f};
  std::int8_t codes[3];
  float r[3];
  CHECK_EQUAL(halfeven::quantize_log2(x, 3, codes, 2.0f, 4), 0);
  CHECK_EQUAL(codes[0], -1);
  CHECK_EQUAL(codes[1], 0);
  CHECK_EQUAL(codes[2], 4);
  halfeven::dequantize_log2(codes, 3, r, 2.0f);
  CHECK_EQUAL(halfeven::load_bits(r + 2), 0x3E800000u);
  CHECK_EQUAL(halfeven::quantize_binary(x, 3, codes), 0);
  halfeven::dequantize_binary(codes, 3, r, 0.5f);
  CHECK_EQUAL(halfeven::load_bits(r), 0xBF000000u);
  CHECK_EQUAL(halfeven::load_bits(r + 1), 0x3F000000u);
}

void every_log2_code_comes_back() {
  for (int bits = 2; bits <= 8; ++bits) {
    const int k = halfeven::log2_max_code(bits);
    for (int code = -k; code <= k; ++code) {
      const std::uint32_t r = halfeven::dequantize_log2_bits(static_cast<std::int8_t>(code), 0x4F9A3C21u);
      CHECK_EQUAL(halfeven::quantize_log2_bits(r, 0x4F9A3C21u, bits), code);
    }
  }
}

#if HALFEVEN_HARDWARE_FLOAT
void compare_squares(long long samples) {
  check::Random random(7);
  for (long long i = 0; i < samples; ++i) {
    const std::uint32_t scale = 0x00800000u + random.bits() % 0x7F000000u;
    const std::uint32_t near = scale - (random.bits() % 40 << 23) + random.bits() % 64 - 32;
    const std::uint32_t r = (i % 2 == 0 ? near : random.bits()) & 0x7FFFFFFFu;
    if (soft::is_nan(r) || soft::is_infinite(r)) continue;
    const double a = static_cast<double>(halfeven::float_of(r)), s = static_cast<double>(halfeven::float_of(scale));
    int passed = 0;
    double threshold = s * s / 2;
    for (int k = 0; k < 127; ++k, threshold /= 4) passed += a * a >= threshold ? 1 : 0;
    CHECK_EQUAL(halfeven::quantize_log2_bits(r, scale, 8), passed == 0 ? 0 : 128 - passed);
  }
}
#else
void compare_squares(long long) {}
#endif

}  // namespace

void test_nonlinear(long long samples) {
  for (const check::FloatMode& mode : check::kFloatModes) {
    const check::InFloatMode in_mode(mode);
    golden_binary();
    golden_log2();
    arrays();
    every_log2_code_comes_back();
  }
  compare_squares(samples);
}
