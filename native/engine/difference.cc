#include "engine/difference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/float_environment.h"
#include "kernels/difference/difference.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t part = 1 << 15;

double total(const double (&lanes)[difference_lanes]) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <class T>
Difference sums_of(DifferenceKernel kernel, const T* f, const T* other, std::int64_t count) {
  DifferenceLanes lanes;
  const std::int64_t whole = count / difference_lanes * difference_lanes;
  kernel(f, other, whole, lanes);
  if (whole < count) {
    std::array<T, difference_lanes> x{}, y{};
    std::copy_n(f + whole, count - whole, x.data());
    std::copy_n(other + whole, count - whole, y.data());
    kernel(x.data(), y.data(), difference_lanes, lanes);
  }
  return {count,
          total(lanes.f_energy),
          total(lanes.e_energy),
          total(lanes.cross),
          total(lanes.f_size),
          total(lanes.e_size),
          *std::max_element(std::begin(lanes.e_max), std::end(lanes.e_max))};
}

// Only elements where f is finite, one after the other.
template <class T>
Difference finite_sums_of(DifferenceKernel kernel, const T* f, const T* other, std::int64_t count) {
  std::array<T, part> x, y;
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(f[i])) continue;
    x[static_cast<std::size_t>(kept)] = f[i];
    y[static_cast<std::size_t>(kept++)] = other[i];
  }
  return sums_of(kernel, x.data(), y.data(), kept);
}

template <class T>
Difference difference_of(DifferenceKernel kernel, const T* f, const T* other, std::int64_t count) {
  Difference sum;
  for (std::int64_t i = 0; i < count; i += part) {
    const std::int64_t length = std::min(part, count - i);
    Difference one = sums_of(kernel, f + i, other + i, length);
    if (!std::isfinite(one.f_energy)) one = finite_sums_of(kernel, f + i, other + i, length);
    if (!std::isfinite(one.e_energy)) {
      one.e_energy = one.e_size = one.e_max = std::numeric_limits<double>::infinity();
      one.cross = 0;
    }
    sum = {sum.count + one.count,   sum.f_energy + one.f_energy, sum.e_energy + one.e_energy,   sum.cross + one.cross,
           sum.f_size + one.f_size, sum.e_size + one.e_size,     std::max(sum.e_max, one.e_max)};
  }
  return sum;
}

}  // namespace

Difference difference(const void* f, const void* other, Type type, std::int64_t count, Isa isa) {
  const FloatEnvironment environment;
  const DifferenceKernel kernel = find_kernel(difference_kernels, type, Type::f64, isa)->function;
  if (type == Type::f32)
    return difference_of(kernel, static_cast<const float*>(f), static_cast<const float*>(other), count);
  return difference_of(kernel, static_cast<const double*>(f), static_cast<const double*>(other), count);
}

}  // namespace halfeven::native
