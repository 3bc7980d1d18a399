// Numbers that Python passes for a rule, checked once here.
#pragma once

#include "bindings/arrays.h"

namespace halfeven::bindings {

// The codes of `type`. Throws nb::type_error where codes are not stored as it.
CodeRange range_of(native::Type type);

// A range of codes as it comes from Python.
struct Bounds {
  std::int64_t qmin;
  std::int64_t qmax;
};

// Each throws nb::value_error where a number names no choice, or unless qmin <= qmax, both inside `type`.
native::QuantizeRule quantize_rule(int scaling, bool zero_point_inside, int rounding, const Bounds& bounds,
                                   native::Type type);
native::RequantizeRule requantize_rule(int method, std::int64_t zero_point, const Bounds& bounds, native::Type type);

}  // namespace halfeven::bindings
