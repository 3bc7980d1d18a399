#include "exhaustive/exhaustive.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>

#include <tuple>
#include <utility>

#include "bindings/arguments.h"
#include "bindings/arrays.h"
#include "engine/cpu.h"

namespace halfeven::bindings {
namespace {

using native::Type;
using Counted = std::pair<std::int64_t, std::int64_t>;

Type code_type(const std::string& name) {
  if (name == "int8") return Type::s8;
  if (name == "uint8") return Type::u8;
  if (name == "int16") return Type::s16;
  if (name == "uint16") return Type::u16;
  if (name == "int32") return Type::s32;
  throw nb::value_error("out_type must be int8, uint8, int16, uint16 or int32");
}

Counted quantize(float scale, std::int32_t zero_point, std::int32_t qmin, std::int32_t qmax,
                 const std::string& out_type, int scaling, bool zero_point_inside, int rounding, int isa,
                 std::int64_t first, std::int64_t count, bool per_element) {
  const Type type = code_type(out_type);
  if (zero_point < -(1 << 24) || zero_point > 1 << 24) throw nb::value_error("|zero_point| must be at most 2^24");
  const bool small = native::small_zero_point(zero_point);  // as the engine chooses
  const native::Isa set = small ? native::isa_from_index(isa) : native::Isa::portable;
  const auto* kernel = native::find_kernel(native::quantize_kernels, Type::f32, type, set);
  const native::QuantizeCheck check{kernel->function,
                                    type,
                                    scale,
                                    zero_point,
                                    quantize_rule(scaling, zero_point_inside, rounding, {qmin, qmax}, type),
                                    per_element};
  const nb::gil_scoped_release release;
  const native::Differences found = native::check_quantize(check, first, count);
  return {found.count, found.first};
}

Counted requantize(std::int32_t m0, std::int32_t shift, std::int32_t zero_point, std::int32_t qmin, std::int32_t qmax,
                   const std::string& out_type, int method, int isa, std::int64_t first, std::int64_t count,
                   bool per_element) {
  const Type type = code_type(out_type);
  if (m0 < 0 || shift < -200 || shift > 200) throw nb::value_error("m0 must be at least 0 and |shift| at most 200");
  const auto* kernel = native::find_kernel(native::requantize_kernels, Type::s32, type, native::isa_from_index(isa));
  const native::RequantizeCheck check{
      kernel->function, type, m0, shift, requantize_rule(method, zero_point, {qmin, qmax}, type), per_element};
  const nb::gil_scoped_release release;
  const native::Differences found = native::check_requantize(check, first, count);
  return {found.count, found.first};
}

std::tuple<std::int64_t, std::int64_t, std::int64_t> fused_division(std::int64_t first, std::int64_t count) {
  const nb::gil_scoped_release release;
  const native::Quotients found = native::check_fused_division(first, count);
  return {found.candidates, found.differences.count, found.differences.first};
}

}  // namespace

void bind_exhaustive(nb::module_& m) {
  using nb::arg;
  m.def("exhaustive_quantize", &quantize, arg("scale"), arg("zero_point"), arg("qmin"), arg("qmax"), arg("out_type"),
        arg("scaling"), arg("zero_point_inside"), arg("rounding"), arg("isa"), arg("first"), arg("count"),
        arg("per_element") = false,
        "Compare the kernel with the formula over float32 patterns: (differences, first pattern that differs or -1).");
  m.def("exhaustive_requantize", &requantize, arg("m0"), arg("shift"), arg("zero_point"), arg("qmin"), arg("qmax"),
        arg("out_type"), arg("method"), arg("isa"), arg("first"), arg("count"), arg("per_element") = false,
        "Compare the kernel with the formula over int32 patterns: (differences, first pattern that differs or -1).");
  m.def("exhaustive_division", &fused_division, arg("first"), arg("count"),
        "Check the fused division for divisors' significands from first on: (candidates, differences, first or -1).");
}

}  // namespace halfeven::bindings
