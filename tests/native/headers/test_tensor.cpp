// Strided, padded tensors against an index loop: random ranks, permuted strides, padding, channels, guard bytes.
#include <cstring>

#include "check.hpp"
#include "float_modes.hpp"
#include "suites.hpp"

using halfeven::Status;
using halfeven::TensorParams;
using halfeven::TensorView;
namespace profiles = halfeven::profiles;
namespace soft = halfeven::soft;

namespace {

constexpr unsigned char kGuard = 0xA5;

struct Shape {
  int rank;
  std::int64_t size[halfeven::kMaxRank];
};

// A buffer of exactly the bytes that the strides reach, filled with guard bytes, and the strides.
template <class T>
struct Buffer {
  std::vector<T> storage;
  std::int64_t stride[halfeven::kMaxRank] = {};
  std::uint64_t size_bytes = 0;

  // Strides in a random order of the dimensions, with random padding after each.
  Buffer(const Shape& shape, check::Random& random) {
    int order[halfeven::kMaxRank];
    for (int d = 0; d < shape.rank; ++d) order[d] = d;
    if (random.next() % 2 == 0) {
      for (int d = shape.rank - 1; d > 0; --d) {
        const int k = static_cast<int>(random.next() % static_cast<unsigned>(d + 1));
        const int other = order[d];
        order[d] = order[k];
        order[k] = other;
      }
    }
    const std::int64_t unit = static_cast<std::int64_t>(sizeof(T));
    std::int64_t step = random.next() % 4 == 0 ? 3 * unit : unit;
    for (int i = shape.rank - 1; i >= 0; --i) {
      stride[order[i]] = step;
      step = step * shape.size[order[i]] + (random.next() % 3 == 0 ? unit * 5 : 0);
    }
    std::int64_t extent = unit;
    for (int d = 0; d < shape.rank; ++d) extent += (shape.size[d] - 1) * stride[d];
    size_bytes = static_cast<std::uint64_t>(extent);
    storage.resize(static_cast<std::size_t>(extent / unit));
    std::memset(storage.data(), kGuard, storage.size() * sizeof(T));
  }

  TensorView<T> view(const Shape& shape) {
    return halfeven::view(storage.data(), shape.rank, shape.size, stride, size_bytes);
  }
};

template <class T>
std::size_t offset(const TensorView<T>& v, const std::int64_t* index) {
  std::int64_t bytes = 0;
  for (int d = 0; d < v.rank; ++d) bytes += index[d] * v.stride[d];
  return static_cast<std::size_t>(bytes) / sizeof(T);
}

// Calls f(index) for every element, the plain way.
template <class F>
void each_index(const Shape& shape, F f) {
  std::int64_t index[halfeven::kMaxRank] = {};
  for (int d = 0; d >= 0;) {
    f(index);
    for (d = shape.rank - 1; d >= 0 && ++index[d] == shape.size[d]; --d) index[d] = 0;
  }
}

// Elements that no index reaches must still hold guard bytes.
template <class T>
void check_guards(const TensorView<T>& v, const Shape& shape, const std::vector<T>& storage) {
  std::vector<bool> used(storage.size());
  each_index(shape, [&](const std::int64_t* i) { used[offset(v, i)] = true; });
  T guard;
  std::memset(&guard, kGuard, sizeof guard);
  for (std::size_t i = 0; i < storage.size(); ++i) {
    if (!used[i]) CHECK(std::memcmp(&storage[i], &guard, sizeof guard) == 0);
  }
}

struct Case {
  Shape shape;
  int axis;  // -1: per tensor
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;

  TensorParams params() const {
    TensorParams p;
    p.scale = scale.data();
    p.scale_count = static_cast<std::int64_t>(scale.size());
    p.zero_point = zero_point.empty() ? nullptr : zero_point.data();
    p.zero_point_count = static_cast<std::int64_t>(zero_point.size());
    p.axis = axis;
    return p;
  }
  halfeven::AffineParams at(const std::int64_t* index, halfeven::CodeRange range) const {
    const std::size_t c = axis < 0 ? 0 : static_cast<std::size_t>(index[axis]);
    const std::int32_t z = zero_point.empty() ? 0 : zero_point[zero_point.size() == 1 ? 0 : c];
    return {scale[scale.size() == 1 ? 0 : c], z, range};
  }
};

Case random_case(check::Random& random, int max_zero_point) {
  Case c{};
  c.shape.rank = static_cast<int>(random.next() % 6);
  std::int64_t elements = 1;
  for (int d = 0; d < c.shape.rank; ++d) {
    const std::int64_t sizes[] = {1, 2, 3, 5, 17, 40, 300};
    c.shape.size[d] = sizes[random.next() % (elements > 300 ? 3 : 7)];
    elements *= c.shape.size[d];
  }
  c.axis = c.shape.rank == 0 ? -1 : static_cast<int>(random.next() % static_cast<unsigned>(c.shape.rank + 1)) - 1;
  const std::size_t channels = c.axis < 0 ? 1 : static_cast<std::size_t>(c.shape.size[c.axis]);
  for (std::size_t i = 0; i < channels; ++i) {
    c.scale.push_back(halfeven::float_of((120u << 23) + random.bits() % (8u << 23)));
  }
  const std::size_t zeros[] = {0, 1, channels};
  const std::size_t count = zeros[random.next() % 3];
  for (std::size_t i = 0; i < count; ++i) {
    c.zero_point.push_back(static_cast<std::int32_t>(random.next() % static_cast<unsigned>(max_zero_point + 1)));
  }
  return c;
}

template <class Code>
void quantize_case(check::Random& random, const Case& c, const halfeven::Profile& profile) {
  Buffer<float> real(c.shape, random);
  Buffer<Code> codes(c.shape, random);
  const TensorView<float> in = real.view(c.shape);
  const TensorView<Code> out = codes.view(c.shape);
  std::size_t expected_nans = 0;
  each_index(c.shape, [&](const std::int64_t* i) {
    const std::uint32_t r = random.bits();
    const std::uint32_t near = (r & 0x80FFFFFFu) | ((120 + r % 16) << 23);
    halfeven::store_bits(&real.storage[offset(in, i)], r % 11 == 0 ? r : near);
    expected_nans += soft::is_nan(r % 11 == 0 ? r : near) ? 1u : 0u;
  });
  std::size_t nans = 0;
  CHECK_EQUAL(halfeven::quantize(in, out, c.params(), profile, &nans), Status::kOk);
  CHECK_EQUAL(nans, expected_nans);
  each_index(c.shape, [&](const std::int64_t* i) {
    const halfeven::Quantizer definition(c.at(i, halfeven::range_of<Code>()), profile);
    CHECK_EQUAL(codes.storage[offset(out, i)], definition(halfeven::load_bits(&real.storage[offset(in, i)])));
  });
  check_guards(out, c.shape, codes.storage);
}

template <class Code>
void dequantize_case(check::Random& random, const Case& c) {
  Buffer<Code> codes(c.shape, random);
  Buffer<float> real(c.shape, random);
  const TensorView<Code> in = codes.view(c.shape);
  const TensorView<float> out = real.view(c.shape);
  each_index(c.shape, [&](const std::int64_t* i) { codes.storage[offset(in, i)] = static_cast<Code>(random.next()); });
  CHECK_EQUAL(halfeven::dequantize(in, out, c.params()), Status::kOk);
  each_index(c.shape, [&](const std::int64_t* i) {
    const halfeven::AffineParams p = c.at(i, halfeven::range_of<Code>());
    const std::uint32_t expected =
        halfeven::dequantize_bits(codes.storage[offset(in, i)], p.zero_point, halfeven::load_bits(&p.scale));
    CHECK_EQUAL(halfeven::load_bits(&real.storage[offset(out, i)]), expected);
  });
  check_guards(out, c.shape, real.storage);
}

template <class Code>
void random_cases(check::Random& random, int max_zero_point) {
  for (int i = 0; i < 60; ++i) {
    const Case c = random_case(random, max_zero_point);
    quantize_case<Code>(random, c, profiles::all[static_cast<std::size_t>(i) % 7]);
    dequantize_case<Code>(random, c);
  }
}

// An int32 tail as a board hands it out: NHWC, rows padded to 64 bytes, one scale a channel, batch 2.
void board_tail() {
  const std::int32_t shape[] = {2, 2, 3, 3};
  const std::int64_t stride[] = {192, 64, 12, 4};
  std::vector<std::int32_t> codes(2 * 192 / 4, -1);
  for (int n = 0; n < 2; ++n) {
    for (int h = 0; h < 2; ++h) {
      for (int i = 0; i < 9; ++i) codes[static_cast<std::size_t>(n * 48 + h * 16 + i)] = 100 * n + 10 * h + i;
    }
  }
  const float scale[] = {1.0f, 0.5f, 2.0f};
  TensorParams p;
  p.scale = scale;
  p.scale_count = 3;
  p.axis = 3;
  float r[36];
  const TensorView<const std::int32_t> in = halfeven::view<const std::int32_t>(codes.data(), 4, shape, stride, 384);
  CHECK_EQUAL(halfeven::dequantize(in, halfeven::contiguous_view(r, 4, shape, sizeof r), p), Status::kOk);
  for (int i = 0; i < 36; ++i) {
    const int code = 100 * (i / 18) + 10 * (i / 9 % 2) + i % 9;
    CHECK_EQUAL(halfeven::load_bits(r + i),
                soft::multiply(soft::from_integer(code), halfeven::load_bits(scale + i % 3)));
  }
}

// The fields that view_of and params_of read, as a board's runtime lays them out.
struct Properties {
  struct {
    std::int32_t dimensionSize[10];
    std::int32_t numDimensions;
  } validShape;
  struct {
    std::int32_t scaleLen;
    float* scaleData;
    std::int32_t zeroPointLen;
    std::int32_t* zeroPointData;
  } scale;
  std::int32_t quantizeAxis;
  std::int64_t alignedByteSize;
  std::int64_t stride[10];
};

void board_properties() {
  float scale = 0.5f;
  Properties p = {{{1, 2, 3}, 3}, {1, &scale, 0, nullptr}, -1, 64, {32, 16, 4}};
  float x[16] = {1, 2, 3, 99, 4, 5, 6};
  std::int8_t q[6];
  const std::int32_t shape[] = {1, 2, 3};
  const TensorView<std::int8_t> out = halfeven::contiguous_view(q, 3, shape);
  CHECK_EQUAL(halfeven::quantize(halfeven::view_of(x, p), out, halfeven::params_of(p)), Status::kOk);
  for (int i = 0; i < 6; ++i) CHECK_EQUAL(q[i], 2 * (i + 1));
  p.alignedByteSize = 16;
  CHECK_EQUAL(halfeven::quantize(halfeven::view_of(x, p), out, halfeven::params_of(p)), Status::kOutsideBuffer);
}

}  // namespace

void test_tensor() {
  board_properties();
  check::Random random(8);
  random_cases<std::int8_t>(random, 127);
  random_cases<std::uint8_t>(random, 255);
  random_cases<std::int16_t>(random, 32767);
  random_cases<std::uint16_t>(random, 65535);
  random_cases<std::int32_t>(random, 2147483646);
  for (const check::FloatMode& mode : check::kFloatModes) {
    const check::InFloatMode in_mode(mode);
    board_tail();
    quantize_case<std::int8_t>(random, random_case(random, 127), profiles::journey6);
    dequantize_case<std::int32_t>(random, random_case(random, 127));
  }
}
