// digest [SAMPLES]: one line a floating-point mode, a hash of every function's results on the same patterns.
//
// Built by each compiler, with each set of flags and for each processor, in each mode: all lines must be the same.
// Results are hashed as integers, so nothing here computes with floats.
#include <cstdlib>
#include <cstring>

#include "check.hpp"
#include "float_modes.hpp"

namespace profiles = halfeven::profiles;
namespace soft = halfeven::soft;

namespace {

class Hash {  // FNV-1a
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    const unsigned char* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) value_ = (value_ ^ bytes[i]) * 0x100000001B3u;
  }
  unsigned long long value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325u;
};

struct Inputs {
  std::vector<float> real;
  std::vector<std::int32_t> integers;
};

Inputs make_inputs(std::size_t samples) {
  Inputs in;
  std::vector<std::uint32_t> bits = check::edge_patterns();
  check::Random random(11);
  for (std::size_t i = 0; i < samples; ++i) {
    const std::uint32_t a = random.bits();
    bits.push_back(a);
    bits.push_back((a & 0x80FFFFFFu) | ((110 + a % 30) << 23));
    bits.push_back(check::half_step(static_cast<std::int32_t>(a) >> (15 + a % 16), soft::kOne));
    in.integers.push_back(static_cast<std::int32_t>(random.bits()) >> (a % 31));
  }
  in.real.resize(bits.size());
  std::memcpy(in.real.data(), bits.data(), bits.size() * sizeof(float));
  return in;
}

template <class Code>
void add_affine(Hash& hash, const Inputs& in, const halfeven::AffineParams& p) {
  std::vector<Code> codes(in.real.size());
  for (const halfeven::Profile& profile : profiles::all) {
    const std::size_t nans = halfeven::quantize(in.real.data(), in.real.size(), codes.data(), p, profile);
    hash.add(codes);
    hash.add(std::vector<std::uint64_t>{nans});
  }
  std::vector<Code> stored;
  for (const std::int32_t v : in.integers) stored.push_back(static_cast<Code>(v));
  std::vector<float> real(stored.size());
  halfeven::dequantize(stored.data(), stored.size(), real.data(), p);
  hash.add(real);
}

void add_all_affine(Hash& hash, const Inputs& in) {
  for (const std::uint32_t bits : {0x3F800000u, 0x3DCCCCCDu, 0x00800000u, 0x7F7FFFFFu, 0x3C23D70Au}) {
    const float scale = halfeven::float_of(bits);
    add_affine<std::int8_t>(hash, in, {scale, 0, halfeven::kInt8});
    add_affine<std::int8_t>(hash, in, {scale, 3, halfeven::kInt4});
    add_affine<std::uint8_t>(hash, in, {scale, 127, halfeven::kUint8});
    add_affine<std::int16_t>(hash, in, {scale, -5, halfeven::kInt16});
    add_affine<std::uint16_t>(hash, in, {scale, 32769, halfeven::kUint16});
    add_affine<std::int32_t>(hash, in, {scale, 0, halfeven::kInt32});
    add_affine<std::int32_t>(hash, in, {scale, 16777217, halfeven::kInt32});
  }
}

// The same numbers as a tensor of 16 channels, channels last and padded.
void add_tensor(Hash& hash, const Inputs& in) {
  const std::int64_t shape[] = {static_cast<std::int64_t>(in.real.size() / 16), 16};
  const std::int64_t stride[] = {20, 1};
  float scale[16];
  std::int32_t zero_point[16];
  for (int c = 0; c < 16; ++c) {
    halfeven::store_bits(scale + c, 0x3D000000u + static_cast<std::uint32_t>(c) * 777777u);
    zero_point[c] = 5 * c - 40;
  }
  halfeven::TensorParams p;
  p.scale = scale;
  p.zero_point = zero_point;
  p.scale_count = p.zero_point_count = 16;
  p.axis = 1;
  std::vector<std::int8_t> codes(static_cast<std::size_t>(shape[0]) * 20);
  std::vector<float> real(in.real.size());
  const halfeven::TensorView<std::int8_t> view = halfeven::view(codes.data(), 2, shape, stride, codes.size());
  for (const halfeven::Profile& profile : profiles::all) {
    halfeven::quantize(halfeven::contiguous_view(in.real.data(), 2, shape), view, p, profile);
    halfeven::dequantize(view, halfeven::contiguous_view(real.data(), 2, shape), p);
    hash.add(codes);
    hash.add(real);
  }
}

void add_requantize(Hash& hash, const Inputs& in) {
  std::vector<std::int16_t> codes(in.integers.size());
  std::vector<std::int64_t> multipliers;
  for (const halfeven::Profile& profile : profiles::all) {
    for (std::uint32_t e = 0; e < 60; e += 7) {
      const halfeven::Multiplier m =
          halfeven::Multiplier::from_scales(halfeven::float_of(0x3DCCCCCDu), halfeven::float_of(0x3F4CCCCDu),
                                            halfeven::float_of((117 + e) << 23 | e), profile);
      multipliers.insert(multipliers.end(), {m.m0, m.shift, m.bits});
      halfeven::requantize(in.integers.data(), codes.size(), codes.data(), m, 7, halfeven::kInt16, profile.requantize);
      hash.add(codes);
    }
  }
  hash.add(multipliers);
}

void add_nonlinear(Hash& hash, const Inputs& in) {
  std::vector<std::int8_t> codes(in.real.size());
  std::vector<float> real(in.real.size());
  const float scale = halfeven::float_of(0x40490FDBu);
  halfeven::quantize_binary(in.real.data(), codes.size(), codes.data());
  hash.add(codes);
  for (int bits = 2; bits <= 8; ++bits) {
    halfeven::quantize_log2(in.real.data(), codes.size(), codes.data(), scale, bits);
    halfeven::dequantize_log2(codes.data(), codes.size(), real.data(), scale);
    hash.add(codes);
    hash.add(real);
  }
}

unsigned long long digest(const Inputs& in) {
  Hash hash;
  add_all_affine(hash, in);
  add_tensor(hash, in);
  add_requantize(hash, in);
  add_nonlinear(hash, in);
  return hash.value();
}

}  // namespace

int main(int argc, char** argv) {
  const Inputs in = make_inputs(argc > 1 ? static_cast<std::size_t>(std::atoll(argv[1])) : 1000);
  for (const check::FloatMode& mode : check::kFloatModes) {
    const check::InFloatMode in_mode(mode);
    std::printf("%-10s %016llx\n", mode.name, digest(in));
  }
  return 0;
}
