// NumPy arrays as the engine sees them: checked once here, plain pointers below.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <span>
#include <string>
#include <vector>

#include "engine/elementwise.h"

namespace halfeven::bindings {

namespace nb = nanobind;

using InArray = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;
using OutArray = nb::ndarray<nb::c_contig, nb::device::cpu>;
template <class T>
using Parameters = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> span_of(const Parameters<T>& parameters) {
  return {parameters.data(), parameters.size()};
}

template <class T>
std::vector<T> vector_of(const Parameters<T>& parameters) {
  return {parameters.data(), parameters.data() + parameters.size()};
}

// Throws nb::type_error where the element type is none of ours.
native::Type type_of(const nb::dlpack::dtype& dtype, const char* name);

// (outer, channels, inner), checked against the number of elements of each array. Throws nb::value_error.
native::Layout layout_of(std::int64_t outer, std::size_t channels, std::int64_t inner, std::size_t in_size,
                         std::size_t out_size);

void check_size(const char* name, std::size_t size, std::size_t expected);

native::Execution execution_of(int isa, int threads);

void bind_columns(nb::module_& m);
void bind_elementwise(nb::module_& m);
void bind_exhaustive(nb::module_& m);
void bind_statistics(nb::module_& m);

}  // namespace halfeven::bindings
