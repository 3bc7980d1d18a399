// What a view or its parameters can have wrong: each has its status, and nothing is written.
#include <cstring>

#include "check.hpp"
#include "suites.hpp"

using halfeven::Status;
using halfeven::TensorParams;
using halfeven::TensorView;

namespace {

// A good call on (2, 3) int8 codes, for a case to spoil.
struct Call {
  float x[6] = {1, 2, 3, 4, 5, 6};
  std::int8_t q[6] = {9, 9, 9, 9, 9, 9};
  float scale[4] = {1, 1, 1, 1};
  std::int32_t zero_point[4] = {0, 0, 0, 0};
  TensorView<float> in;
  TensorView<std::int8_t> out;
  TensorParams params;

  Call() {
    const int shape[] = {2, 3};
    in = halfeven::contiguous_view(x, 2, shape, sizeof x);
    out = halfeven::contiguous_view(q, 2, shape, sizeof q);
    params.scale = scale;
    params.scale_count = 3;
    params.zero_point = zero_point;
    params.zero_point_count = 3;
    params.axis = 1;
  }

  template <class Spoil>
  void expect(Status status, Spoil spoil) {
    spoil(*this);
    CHECK_EQUAL(halfeven::quantize(in, out, params), status);
    for (const std::int8_t code : q) CHECK_EQUAL(code, 9);
    CHECK(std::strlen(halfeven::message(status)) > 10);
  }
};

void bad_views() {
  Call().expect(Status::kNullData, [](Call& c) { c.in.data = nullptr; });
  Call().expect(Status::kNullData, [](Call& c) { c.out.data = nullptr; });
  Call().expect(Status::kBadRank, [](Call& c) { c.in.rank = 11; });
  Call().expect(Status::kBadRank, [](Call& c) { c.out.rank = -1; });
  Call().expect(Status::kBadShape, [](Call& c) { c.in.shape[0] = -1; });
  Call().expect(Status::kBadStride, [](Call& c) { c.in.stride[0] = -1; });
  Call().expect(Status::kMisaligned, [](Call& c) { c.in.stride[1] = 1; });  // elements where bytes are meant
  Call().expect(Status::kMisaligned,
                [](Call& c) { c.in.data = reinterpret_cast<float*>(reinterpret_cast<char*>(c.x) + 2); });
  Call().expect(Status::kOutsideBuffer, [](Call& c) { c.in.stride[0] = 16; });
  Call().expect(Status::kOutsideBuffer, [](Call& c) { c.out.size_bytes = 5; });
  Call().expect(Status::kOutsideBuffer, [](Call& c) { c.in.stride[0] = INT64_MAX - 3; });
  Call().expect(Status::kOutsideBuffer, [](Call& c) { c.in.shape[0] = INT64_MAX, c.in.size_bytes = 0; });
  Call().expect(Status::kSelfOverlap, [](Call& c) { c.out.stride[0] = 0; });
  Call().expect(Status::kSelfOverlap, [](Call& c) { c.out.stride[0] = 2; });
  Call().expect(Status::kShapeMismatch, [](Call& c) { c.in.shape[0] = 1; });
  Call().expect(Status::kShapeMismatch, [](Call& c) { c.in.rank = 1; });
  Call().expect(Status::kSharedMemory,
                [](Call& c) { c.in.data = c.scale, c.out.data = reinterpret_cast<std::int8_t*>(c.scale); });
}

void bad_params() {
  Call().expect(Status::kNullParams, [](Call& c) { c.params.scale = nullptr; });
  Call().expect(Status::kNullParams, [](Call& c) { c.params.zero_point = nullptr; });
  Call().expect(Status::kAxisOutOfRange, [](Call& c) { c.params.axis = 2; });
  Call().expect(Status::kAxisOutOfRange, [](Call& c) { c.params.axis = -1; });
  Call().expect(Status::kScaleCount, [](Call& c) { c.params.scale_count = 2; });
  Call().expect(Status::kScaleCount, [](Call& c) { c.params.scale_count = 0; });
  Call().expect(Status::kZeroPointCount, [](Call& c) { c.params.zero_point_count = 2; });
  Call().expect(Status::kBadZeroPoint, [](Call& c) { c.zero_point[2] = 128; });
  Call().expect(Status::kBadZeroPoint, [](Call& c) { c.params.range = {1, 100}, c.params.zero_point_count = 0; });
  const std::uint32_t bad[] = {0u, 0x80000000u, 0xBF800000u, 0x7F800000u, 0x7FC00000u, 0x007FFFFFu};
  for (const std::uint32_t bits : bad) {
    Call().expect(Status::kBadScale, [bits](Call& c) { halfeven::store_bits(c.scale + 1, bits); });
  }
}

// A scale_count of 1 is per tensor whatever the axis says; strides of dimensions of size 1 are not looked at.
void allowed() {
  Call one;
  one.params.scale_count = one.params.zero_point_count = 1;
  one.params.axis = -1;
  CHECK_EQUAL(halfeven::quantize(one.in, one.out, one.params), Status::kOk);
  CHECK_EQUAL(one.q[5], 6);

  Call dynamic;
  const int shape[] = {1, 6};
  const int stride[] = {-1, 4};
  dynamic.in = halfeven::view(dynamic.x, 2, shape, stride);
  dynamic.out = halfeven::contiguous_view(dynamic.q, 2, shape);
  dynamic.params.axis = 0;
  dynamic.params.scale_count = dynamic.params.zero_point_count = 1;
  CHECK_EQUAL(halfeven::quantize(dynamic.in, dynamic.out, dynamic.params), Status::kOk);
  CHECK_EQUAL(dynamic.q[3], 4);

  Call empty;
  empty.in.shape[0] = empty.out.shape[0] = 0;
  empty.in.data = nullptr;
  empty.out.data = nullptr;
  CHECK_EQUAL(halfeven::quantize(empty.in, empty.out, empty.params), Status::kOk);

  // A broadcast input: stride 0 reads one row again and again.
  Call broadcast;
  broadcast.in.stride[0] = 0;
  CHECK_EQUAL(halfeven::quantize(broadcast.in, broadcast.out, broadcast.params), Status::kOk);
  CHECK_EQUAL(broadcast.q[3], 1);

  const std::int64_t huge[] = {std::int64_t{1} << 40, std::int64_t{1} << 40, 1};
  CHECK_EQUAL(halfeven::contiguous_view(broadcast.x, 3, huge).stride[0], 4 * (std::int64_t{1} << 40));
  const std::int64_t beyond[] = {2, std::int64_t{1} << 62, 4};
  CHECK_EQUAL(halfeven::contiguous_view(broadcast.x, 3, beyond).stride[0], -1);
}

}  // namespace

void test_tensor_errors() {
  bad_views();
  bad_params();
  allowed();
}
