// The loops of the vector kernels, over the Vector of the instruction set that was included before.
// In an unnamed namespace, see vector/.
#pragma once

#include <cstring>
#include <limits>

#include "kernels/statistics/statistics.h"
#include "kernels/vector/blocks.h"

namespace halfeven::native {
namespace {

// No function of the standard library: its copies would be compiled for this instruction set, and linked elsewhere.
void include(Extremes& found, float value, bool as_lo, bool as_hi) {
  if (as_lo && value < found.lo) found.lo = value;
  if (as_hi && value > found.hi) found.hi = value;
  if (value != value) found.nan = true;
}

// 2^-exponent, -126 <= exponent <= 126.
float reciprocal_width(std::int32_t exponent) {
  const std::int32_t bits = (127 - exponent) << 23;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

Extremes extremes_of(const float* x, std::int64_t count) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Extremes found{infinity, -infinity, false};
  Vector::Floats lo[4], hi[4];
  for (int k = 0; k < 4; ++k) lo[k] = Vector::fill(infinity), hi[k] = Vector::fill(-infinity);
  std::int64_t i = 0;
  for (; i + block_size <= count; i += block_size) {
    Vector::Floats v[4];
    for (int k = 0; k < 4; ++k) {
      v[k] = Vector::load(x + i + k * Vector::lanes);
      lo[k] = Vector::least(v[k], lo[k]);
      hi[k] = Vector::greatest(v[k], hi[k]);
    }
    found.nan = found.nan || Vector::any_nan(v);
  }
  float ends[2 * block_size];
  for (int k = 0; k < 4; ++k) {
    Vector::store<false>(ends + k * Vector::lanes, lo[k]);
    Vector::store<false>(ends + block_size + k * Vector::lanes, hi[k]);
  }
  for (int k = 0; k < 2 * block_size; ++k) include(found, ends[k], k < block_size, k >= block_size);
  for (; i < count; ++i) include(found, x[i], true, true);
  return found;
}

// x / 2^exponent is exact in float32 unless it underflows; then what is left of a negative value may be -0, and its
// floor 0 where -1 is due: hence the limit of -1 for whatever has its sign set.
Vector::Ints bins_of(Vector::Floats x, Vector::Floats per_width) {
  const Vector::Ints most = Vector::bit_or(Vector::bits(x), Vector::fill(std::int32_t{0x7fffffff}));
  const Vector::Ints bin = Vector::least(Vector::floor(Vector::multiply(x, per_width)), most);
  return Vector::add(bin, Vector::fill(bin_side));
}

std::int64_t bins_of(const float* x, std::int64_t count, std::int32_t exponent, std::int32_t* bins) {
  const Vector::Floats per_width = Vector::fill(reciprocal_width(exponent));
  std::int64_t written = 0, i = 0;
  for (; i + Vector::lanes <= count; i += Vector::lanes) {
    const Vector::Floats v = Vector::load(x + i);
    written += Vector::append_where_not_zero(bins + written, bins_of(v, per_width), v);
  }
  float rest[Vector::lanes] = {};
  for (std::int64_t k = i; k < count; ++k) rest[k - i] = x[k];
  const Vector::Floats v = Vector::load(rest);
  return written + Vector::append_where_not_zero(bins + written, bins_of(v, per_width), v);
}

}  // namespace
}  // namespace halfeven::native
