// The loop of the vector kernels, over the Vector of the instruction set that was included before.
// In an unnamed namespace, see vector/.
#pragma once

#include <cstring>

#include "kernels/dequantize/dequantize.h"
#include "kernels/vector/blocks.h"

namespace halfeven::native {
namespace {

// f32(q - Z): 32-bit integers hold the difference of short codes; double holds that of 32-bit codes, and its
// conversion is the one rounding.
template <class Code>
Vector::Floats difference(Vector::Ints q, Vector::Ints zero_point) {
  if constexpr (sizeof(Code) < 4) {
    return Vector::to_floats(Vector::subtract(q, zero_point));
  } else {
    return Vector::to_floats(Vector::subtract(Vector::to_doubles(q), Vector::to_doubles(zero_point)));
  }
}

template <class Code, bool per_element, bool stream>
void dequantize_block(const Code* q, const float* scale, const std::int32_t* zero_point, float* out) {
  const Vector::Block codes = Vector::load_codes(q);
  for (int k = 0; k < 4; ++k) {
    const int offset = k * Vector::lanes;
    const Vector::Ints z = per_element ? Vector::load(zero_point + offset) : Vector::fill(*zero_point);
    const Vector::Floats s = per_element ? Vector::load(scale + offset) : Vector::fill(*scale);
    Vector::store<stream>(out + offset, Vector::multiply(difference<Code>(codes.part[k], z), s));
  }
}

// Fewer elements than a block, by way of copies that are a block long.
template <class Code, bool per_element>
void dequantize_partial(const DequantizeRun& run, std::int64_t first, std::int64_t n) {
  if (n == 0) return;
  Code q[block_size] = {};
  float scale[block_size] = {};
  std::int32_t zero_point[block_size] = {};
  float out[block_size];
  const std::size_t count = static_cast<std::size_t>(n);
  const std::size_t parameters = per_element ? count : 1;
  const std::int64_t first_parameter = per_element ? first : 0;
  std::memcpy(q, static_cast<const Code*>(run.q) + first, count * sizeof(Code));
  std::memcpy(scale, run.scale + first_parameter, parameters * sizeof(float));
  std::memcpy(zero_point, run.zero_point + first_parameter, parameters * sizeof(std::int32_t));
  dequantize_block<Code, per_element, false>(q, scale, zero_point, out);
  std::memcpy(run.out + first, out, count * sizeof(float));
}

template <class Code, bool per_element, bool stream>
void dequantize_loop(const DequantizeRun& run) {
  const Code* q = static_cast<const Code*>(run.q);
  std::int64_t i = stream ? unaligned<float>(run.out, run.count) : 0;
  dequantize_partial<Code, per_element>(run, 0, i);
  for (; i + block_size <= run.count; i += block_size) {
    const std::int64_t p = per_element ? i : 0;
    prefetch_after(q + i);
    dequantize_block<Code, per_element, stream>(q + i, run.scale + p, run.zero_point + p, run.out + i);
  }
  dequantize_partial<Code, per_element>(run, i, run.count - i);
}

template <class Code>
void dequantize_codes(const DequantizeRun& run) {
  if (run.per_element) {
    return run.stream ? dequantize_loop<Code, true, true>(run) : dequantize_loop<Code, true, false>(run);
  }
  run.stream ? dequantize_loop<Code, false, true>(run) : dequantize_loop<Code, false, false>(run);
}

}  // namespace
}  // namespace halfeven::native
