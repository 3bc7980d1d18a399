// Quantize and dequantize: golden cases in every floating-point mode, and the array functions against the definition.
#include <cmath>
#include <cstring>
#include <limits>

#include "check.hpp"
#include "float_modes.hpp"
#include "suites.hpp"

using halfeven::AffineParams;
using halfeven::CodeRange;
using halfeven::Profile;
using halfeven::Quantizer;
using halfeven::Rounding;
using halfeven::Scaling;
using halfeven::ZeroPoint;
namespace profiles = halfeven::profiles;
namespace soft = halfeven::soft;

namespace {

// Codes of patterns by the array function, so that no float value is made on the way (-ffast-math).
template <class Code>
std::vector<Code> codes_of(const std::vector<std::uint32_t>& bits, const AffineParams& p, const Profile& profile,
                           std::size_t* nans = nullptr) {
  std::vector<float> x(bits.size());
  std::memcpy(x.data(), bits.data(), bits.size() * sizeof(float));
  std::vector<Code> out(bits.size());
  const std::size_t count = halfeven::quantize(x.data(), x.size(), out.data(), p, profile);
  if (nans != nullptr) *nans = count;
  return out;
}

void check_codes(const std::vector<std::uint32_t>& bits, const AffineParams& p, const Profile& profile,
                 const std::vector<int>& expected) {
  const std::vector<std::int16_t> got = codes_of<std::int16_t>(bits, p, profile);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    CHECK_EQUAL(got[i], expected[i]);
    CHECK_EQUAL(Quantizer(p, profile)(bits[i]), expected[i]);
  }
}

constexpr std::uint32_t kMinus = soft::kSign;
// 0.5, 1.5, 2.5, 3.5 as patterns.
constexpr std::uint32_t h0 = 0x3F000000u, h1 = 0x3FC00000u, h2 = 0x40200000u, h3 = 0x40600000u;

void golden_ties() {
  const AffineParams p{1.0f, 0, halfeven::kInt8};
  const std::vector<std::uint32_t> seed = {h2 | kMinus, h1 | kMinus, h0 | kMinus, h0, h1, h2};
  for (const Profile& q : {profiles::journey6, profiles::onnxruntime, profiles::pytorch, profiles::xnnpack}) {
    check_codes(seed, p, q, {-2, -2, 0, 0, 2, 2});
  }
  check_codes(seed, p, profiles::journey6_legacy, {-2, -1, 0, 1, 2, 3});
  check_codes(seed, p, profiles::tflite, {-3, -2, -1, 1, 2, 3});
  // 0.49999997, the largest float32 below 1/2: its float32 sum with 1/2 is 1, so legacy alone gives 1.
  for (const Profile& q : profiles::all) {
    check_codes({0x3EFFFFFFu, 0xBEFFFFFFu}, p, q, {q.rounding == Rounding::kHalfUpFloat32 ? 1 : 0, 0});
  }
  // Odd zero point: 0.5 + 1 = 1.5 -> 2 inside; rhe(0.5) + 1 = 1 outside.
  const AffineParams odd{1.0f, 1, halfeven::kInt8};
  check_codes({h0, h1, h2, h3}, odd, profiles::journey6, {2, 2, 4, 4});
  check_codes({h0, h1, h2, h3}, odd, profiles::onnxruntime, {1, 3, 3, 5});
}

void golden_limits() {
  const std::uint32_t big = 0x60AD78ECu, inf = soft::kInfinity, max = 0x7F7FFFFFu, nan = soft::kNaN, tiny = 1u;
  for (const Profile& q : profiles::all) {
    check_codes({big, big | kMinus, inf, inf | kMinus, max, max | kMinus}, {1.0f, 3, halfeven::kInt8}, q,
                {127, -128, 127, -128, 127, -128});
    check_codes({nan, nan | kMinus, 0x7F800001u, tiny, tiny | kMinus, 0u, kMinus}, {1.0f, 3, halfeven::kInt8}, q,
                {3, 3, 3, 3, 3, 3, 3});
    check_codes({nan, inf, inf | kMinus}, {1.0f, 100, halfeven::kInt4}, q, {7, 7, -8});  // clamp(Z)
    std::size_t nans = 0;
    const auto codes = codes_of<std::uint8_t>({nan, 0u, nan, inf}, {0.5f, 128, halfeven::kUint8}, q, &nans);
    CHECK_EQUAL(nans, 2);
    CHECK_EQUAL(codes[0], 128);
    CHECK_EQUAL(codes[3], 255);
    const auto wide =
        codes_of<std::int32_t>({big, big | kMinus, max, inf | kMinus, nan}, {1.0f, 7, halfeven::kInt32}, q);
    CHECK_EQUAL(wide[0], 2147483647);
    CHECK_EQUAL(wide[1], -2147483648LL);
    CHECK_EQUAL(wide[2], 2147483647);
    CHECK_EQUAL(wide[3], -2147483648LL);
    CHECK_EQUAL(wide[4], 7);
  }
  // A subnormal with the smallest scale: 1.5 * 2^-127 / 2^-126 = 0.75 -> 1. Flushed to zero it would be 0.
  const float smallest = std::numeric_limits<float>::min();
  check_codes({0x00600000u, 0x00400000u, 0x00C00000u}, {smallest, 0, halfeven::kInt8}, profiles::journey6, {1, 0, 2});
  // A zero point beyond 2^24: f32(0.5 + (2^24 + 1)) = 2^24 + 2, the exact sum rounded once.
  CHECK_EQUAL(Quantizer({1.0f, 16777217, halfeven::kInt32}, profiles::journey6)(h0), 16777218);
}

void golden_half_grid() {
  for (int k = -600; k <= 600; ++k) {  // x = k/2, scale 1: ties wherever k is odd
    const std::uint32_t x = check::half_step(k, soft::kOne);
    const int down = (k - (k & 1)) / 2, odd = k & 1;  // floor(k / 2), and whether there is a tie
    const auto limited = [](int v) { return v < -128 ? -128 : (v > 127 ? 127 : v); };
    check_codes({x}, {1.0f, 0, halfeven::kInt8}, profiles::journey6, {limited(down + (odd & down))});
    check_codes({x}, {1.0f, 0, halfeven::kInt8}, profiles::journey6_legacy, {limited(down + odd)});
    check_codes({x}, {1.0f, 0, halfeven::kInt8}, profiles::tflite, {limited(down + (k > 0 ? odd : 0))});
  }
}

void golden_dequantize() {
  const std::int32_t codes[] = {16777217, -16777217, 2147483647, INT32_MIN, 5};
  const AffineParams unit{1.0f, 0, halfeven::kInt32};
  float r[5];
  halfeven::dequantize(codes, 5, r, unit);
  const std::uint32_t expected[] = {0x4B800000u, 0xCB800000u, 0x4F000000u, 0xCF000000u, 0x40A00000u};
  for (int i = 0; i < 5; ++i) CHECK_EQUAL(halfeven::load_bits(r + i), expected[i]);
  // The difference exact: (2^31 - 1) - (-2^31) = 2^32 - 1 -> 2^32.
  CHECK_EQUAL(halfeven::dequantize_bits(2147483647, INT32_MIN, soft::kOne), 0x4F800000u);
  // A subnormal result, rounded half to even: 3 * 2^-126 * ... with S the smallest normal, codes are exact.
  CHECK_EQUAL(halfeven::dequantize_bits(-3, 0, 0x00800000u), 0x81400000u);
}

// Eq. 2 by the processor, written apart from the headers. Default floating-point mode only.
#if HALFEVEN_HARDWARE_FLOAT
std::int32_t by_processor(std::uint32_t bits, const AffineParams& p, const Profile& profile) {
  const float x = halfeven::float_of(bits);
  const double qmin = p.range.qmin, qmax = p.range.qmax, z = p.zero_point;
  const volatile float inverse = 1.0f / p.scale;
  const volatile float v = profile.scaling == Scaling::kDivide ? x / p.scale : x * inverse;
  const volatile float t = profile.zero_point == ZeroPoint::kInside ? v + static_cast<float>(p.zero_point) : v;
  const volatile float sum = t + 0.5f;
  float rounded = std::nearbyint(t);
  if (profile.rounding == Rounding::kHalfAway) rounded = std::round(t);
  if (profile.rounding == Rounding::kHalfUpFloat32) rounded = std::floor(sum);
  double q = static_cast<double>(rounded) + (profile.zero_point == ZeroPoint::kInside ? 0.0 : z);
  if (std::isnan(x)) q = z;
  q = q < qmin ? qmin : (q > qmax ? qmax : q);
  return static_cast<std::int32_t>(q);
}
#else
std::int32_t by_processor(std::uint32_t bits, const AffineParams& p, const Profile& profile) {
  return Quantizer(p, profile)(bits);
}
#endif

template <class Code>
void compare_quantize(const std::vector<std::uint32_t>& bits, const AffineParams& p, const Profile& profile) {
  const std::vector<Code> got = codes_of<Code>(bits, p, profile);
  const Quantizer definition(p, profile);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    CHECK_EQUAL(got[i], definition(bits[i]));
    CHECK_EQUAL(got[i], by_processor(bits[i], p, profile));
  }
}

template <class Code>
void compare_dequantize(check::Random& random, const AffineParams& p, std::size_t n) {
  std::vector<Code> codes(n);
  for (Code& q : codes) q = static_cast<Code>(random.next());
  std::vector<float> r(n);
  halfeven::dequantize(codes.data(), n, r.data(), p);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t expected = halfeven::dequantize_bits(codes[i], p.zero_point, halfeven::bits_of(p.scale));
    CHECK_EQUAL(halfeven::load_bits(&r[i]), expected);
  }
}

// Random patterns, patterns near the codes, ties and their neighbours.
std::vector<std::uint32_t> patterns(check::Random& random, std::uint32_t scale, std::size_t n) {
  std::vector<std::uint32_t> v = check::edge_patterns();
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t a = random.bits();
    v.push_back(a);
    v.push_back(check::half_step(static_cast<std::int32_t>(a) >> (14 + a % 12), scale) + (a % 3) - 1);
  }
  return v;
}

template <class Code>
void compare_type(CodeRange range, long long samples) {
  check::Random random(3);
  const std::int32_t zeros[] = {0, range.qmin, range.qmax,
                                static_cast<std::int32_t>((std::int64_t{range.qmin} + range.qmax) / 2 | 1)};
  for (const float scale : {1.0f, 0.1f, 3.0517578e-05f, 0.0078125f, 1.17549435e-38f, 3.4028235e38f, 1.7f}) {
    const std::vector<std::uint32_t> x = patterns(random, halfeven::bits_of(scale), static_cast<std::size_t>(samples));
    for (const std::int32_t z : zeros) {
      for (const Profile& profile : profiles::all) compare_quantize<Code>(x, {scale, z, range}, profile);
      compare_dequantize<Code>(random, {scale, z, range}, static_cast<std::size_t>(samples));
    }
  }
}

void test_packing() {
  const std::int8_t codes[] = {-8, 7, -1};
  std::uint8_t packed[2];
  halfeven::pack_int4(codes, 3, packed);
  CHECK_EQUAL(packed[0], 0x78);
  CHECK_EQUAL(packed[1], 0x0F);
  for (int byte = 0; byte < 256; ++byte) {
    const std::uint8_t one = static_cast<std::uint8_t>(byte);
    std::int8_t s[2];
    std::uint8_t u[2], back = 0;
    halfeven::unpack_int4(&one, 2, s);
    halfeven::unpack_int4(&one, 2, u);
    CHECK_EQUAL(u[0] + 16 * u[1], byte);
    CHECK_EQUAL(s[0], u[0] > 7 ? u[0] - 16 : u[0]);
    halfeven::pack_int4(s, 2, &back);
    CHECK_EQUAL(back, byte);
  }
}

}  // namespace

void test_affine(long long samples) {
  for (const check::FloatMode& mode : check::kFloatModes) {
    const check::InFloatMode in_mode(mode);
    golden_ties();
    golden_limits();
    golden_half_grid();
    golden_dequantize();
  }
  test_packing();
  compare_type<std::int8_t>(halfeven::kInt8, samples);
  compare_type<std::int8_t>(halfeven::kInt4, samples);
  compare_type<std::uint8_t>(halfeven::kUint8, samples);
  compare_type<std::int16_t>(halfeven::kInt16, samples);
  compare_type<std::uint16_t>(halfeven::kUint16, samples);
}
