// The values of instructions that Python hands over whole.
#pragma once

#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "kernels/conv/window.h"
#include "kernels/rescale/rescale.h"

namespace halfeven::bindings {

// The accumulator of `bits`: 32 or 64.
native::Type accumulator_of(int bits);

void bind_program(nb::module_& m);
void bind_engine(nb::module_& m);

}  // namespace halfeven::bindings
