// What a board compiles: every function of the headers behind one C interface, to look at the object file it makes.
#include <halfeven/halfeven.hpp>

using halfeven::AffineParams;
using halfeven::kInt8;
using halfeven::Multiplier;
using halfeven::TensorParams;
using halfeven::TensorView;
namespace profiles = halfeven::profiles;

extern "C" {

std::size_t board_quantize(const float* x, std::size_t n, std::int8_t* q, float scale, const halfeven::Profile* p) {
  return halfeven::quantize(x, n, q, AffineParams{scale, 0, kInt8}, *p);
}

std::int32_t board_quantize_one(float x, float scale) { return halfeven::quantize(x, {scale, 0, kInt8}); }

void board_dequantize(const std::int32_t* q, std::size_t n, float* r, float scale) {
  halfeven::dequantize(q, n, r, AffineParams{scale, 0, halfeven::kInt32});
}

const char* board_tensor(const TensorView<const float>* x, const TensorView<std::int16_t>* q, const TensorParams* p) {
  return halfeven::message(halfeven::quantize(*x, *q, *p, profiles::journey6_legacy));
}

bool board_tail(const TensorView<const std::int32_t>* q, const TensorView<float>* r, const TensorParams* p) {
  return halfeven::dequantize(*q, *r, *p) == halfeven::Status::kOk;
}

bool board_requantize(const std::int64_t* acc, std::size_t n, std::int8_t* q, double m, halfeven::Requantize method) {
  return halfeven::requantize(acc, n, q, Multiplier::from_real(m), 0, kInt8, method);
}

std::int64_t board_multiplier(float s1, float s2, float s3) {
  return Multiplier::from_scales(s1, s2, s3, profiles::tflite).m0;
}

void board_pack(const std::int8_t* codes, std::size_t n, std::uint8_t* packed, std::int8_t* back) {
  halfeven::pack_int4(codes, n, packed);
  halfeven::unpack_int4(packed, n, back);
}

std::size_t board_weights(const float* x, std::size_t n, std::int8_t* q, float* r) {
  const std::size_t nans = halfeven::quantize_log2(x, n, q, 1.0f, 4);
  halfeven::dequantize_log2(q, n, r, 1.0f);
  return nans + halfeven::quantize_binary(x, n, q);
}

}  // extern "C"
