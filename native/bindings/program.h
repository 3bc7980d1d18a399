// What the bindings of the instructions share: threads, checks, the values that Python hands over whole.
#pragma once

#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "kernels/conv/window.h"
#include "kernels/parallel.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::bindings {

// How one call runs: threads = 0 takes as many as `work` (multiply-adds, or elements moved) pays for.
struct Run {
  Run(int isa, int threads, double work);

  native::Isa isa;
  native::Parallel parallel;
};

// The integer codes of an array: its element type, or nb::type_error naming the array.
template <class Array>
native::Type codes_of(const Array& array, const char* name) {
  const native::Type type = type_of(array.dtype(), name);
  if (type == native::Type::f32 || type == native::Type::s64) {
    const std::string text = std::string(name) + " must hold int8, uint8, int16, uint16 or int32 codes";
    throw nb::type_error(text.c_str());
  }
  return type;
}

// Throws nb::value_error where the array has another number of axes.
template <class Array>
void check_rank(const Array& array, const char* name, std::size_t rank) {
  if (array.ndim() == rank) return;
  const std::string text =
      std::string(name) + " has " + std::to_string(array.ndim()) + " axes, expected " + std::to_string(rank);
  throw nb::value_error(text.c_str());
}

template <class Array>
std::int64_t extent_of(const Array& array, std::size_t axis) {
  return static_cast<std::int64_t>(array.shape(axis));
}

// The accumulator of `bits`: 32 or 64.
native::Type accumulator_of(int bits);

// Throws nb::value_error unless [qmin, qmax] is a range inside that of the type.
void check_clamp(std::int64_t qmin, std::int64_t qmax, native::Type type);

// A writer for these types; nb::value_error unless there is one multiplier or one for each of `channels`.
native::RowWriter writer_for(const native::Rescale& rescale, native::Type acc, native::Type out, native::Isa isa,
                             std::int64_t channels);

void bind_program(nb::module_& m);
void bind_products(nb::module_& m);
void bind_windows(nb::module_& m);
void bind_pointwise(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_resize(nb::module_& m);
void bind_engine(nb::module_& m);

}  // namespace halfeven::bindings
