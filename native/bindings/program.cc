#include "bindings/program.h"

#include <algorithm>

namespace halfeven::bindings {
namespace {

using native::Sizes;

void new_rescale(native::Rescale* self, const Parameters<std::int64_t>& m0, const Parameters<std::int32_t>& shift,
                 const Parameters<float>& multiplier_f32, int method, std::int32_t zero_point, std::int32_t qmin,
                 std::int32_t qmax) {
  if (method < 0 || method > 3) throw nb::value_error("method must be 0 to 3");
  if (qmin > qmax) throw nb::value_error("qmin must not exceed qmax");
  const native::RequantizeRule rule{static_cast<Requantize>(method), zero_point, {qmin, qmax}};
  new (self) native::Rescale(span_of(m0), span_of(shift), span_of(multiplier_f32), rule);
}

bool all_at_least(const Sizes& sizes, std::int64_t lowest) {
  return std::all_of(sizes.begin(), sizes.end(), [=](std::int64_t n) { return n >= lowest; });
}

void new_window(native::Window* self, const Sizes& in, const Sizes& out, const Sizes& kernel, const Sizes& strides,
                const Sizes& begins, const Sizes& dilations) {
  const bool positive =
      all_at_least(out, 1) && all_at_least(kernel, 1) && all_at_least(strides, 1) && all_at_least(dilations, 1);
  if (!positive || !all_at_least(in, 0) || !all_at_least(begins, 0)) {
    throw nb::value_error("a window's sizes, strides and dilations must be at least 1 and its padding at least 0");
  }
  new (self) native::Window{in, out, kernel, strides, begins, dilations};
}

}  // namespace

native::Type accumulator_of(int bits) {
  if (bits == 32) return native::Type::s32;
  if (bits == 64) return native::Type::s64;
  throw nb::value_error("an accumulator has 32 or 64 bits");
}

void bind_program(nb::module_& m) {
  using nb::arg;
  nb::class_<native::Rescale>(m, "Rescale", "q = clamp(round(M * acc) + Z), M one or one a channel.")
      .def("__init__", &new_rescale, arg("m0").noconvert(), arg("shift").noconvert(), arg("multiplier_f32").noconvert(),
           arg("method"), arg("zero_point"), arg("qmin"), arg("qmax"));
  nb::class_<native::Window>(m, "Window", "A sliding window over three spatial axes.")
      .def("__init__", &new_window, arg("input"), arg("output"), arg("kernel"), arg("strides"), arg("begins"),
           arg("dilations"));
}

}  // namespace halfeven::bindings
