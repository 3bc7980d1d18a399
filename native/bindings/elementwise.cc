#include <cmath>
#include <limits>

#include "bindings/arguments.h"

namespace halfeven::bindings {
namespace {

using native::Type;

std::int64_t quantize(const InArray& x, const OutArray& out, const Parameters<float>& scale,
                      const Parameters<std::int32_t>& zero_point, std::int64_t qmin, std::int64_t qmax,
                      std::int64_t outer, std::int64_t inner, int scaling, bool zero_point_inside, int rounding,
                      int isa, int threads) {
  const native::Layout layout = layout_of(outer, scale.size(), inner, x.size(), out.size());
  const Type out_type = type_of(out.dtype(), "out");
  if (type_of(x.dtype(), "x") != Type::f32) throw nb::type_error("x must hold float32; convert it first");
  check_size("zero_point", zero_point.size(), scale.size());
  const native::QuantizeRule rule = quantize_rule(scaling, zero_point_inside, rounding, {qmin, qmax}, out_type);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  return native::quantize(static_cast<const float*>(x.data()), out.data(), out_type,
                          {span_of(scale), span_of(zero_point)}, rule, layout, execution);
}

void dequantize(const InArray& q, const OutArray& out, const Parameters<float>& scale,
                const Parameters<std::int32_t>& zero_point, std::int64_t outer, std::int64_t inner, int isa,
                int threads) {
  const native::Layout layout = layout_of(outer, scale.size(), inner, q.size(), out.size());
  const Type in_type = type_of(q.dtype(), "q");
  static_cast<void>(range_of(in_type));
  if (type_of(out.dtype(), "out") != Type::f32) throw nb::type_error("out must hold float32");
  check_size("zero_point", zero_point.size(), scale.size());
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::dequantize(q.data(), in_type, static_cast<float*>(out.data()), {span_of(scale), span_of(zero_point)}, layout,
                     execution);
}

void check_multipliers(const Parameters<std::int64_t>& m0, const Parameters<float>& real_f32, int method) {
  for (std::size_t c = 0; c < m0.size(); ++c) {
    if (m0.data()[c] < 0 || m0.data()[c] > std::numeric_limits<std::int32_t>::max()) {
      throw nb::value_error("each m0 must lie in [0, 2^31)");
    }
    if (method == static_cast<int>(Requantize::kFloat32) && !std::isfinite(real_f32.data()[c])) {
      throw nb::value_error("each multiplier_f32 must be finite");
    }
  }
}

void requantize(const InArray& acc, const OutArray& out, const Parameters<std::int64_t>& m0,
                const Parameters<std::int32_t>& shift, std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax,
                std::int64_t outer, std::int64_t inner, int method, const Parameters<float>& multiplier_f32, int isa,
                int threads) {
  const native::Layout layout = layout_of(outer, m0.size(), inner, acc.size(), out.size());
  const Type acc_type = type_of(acc.dtype(), "acc");
  const Type out_type = type_of(out.dtype(), "out");
  if (acc_type != Type::s32 && acc_type != Type::s64) throw nb::type_error("acc must hold int32 or int64");
  check_size("shift", shift.size(), m0.size());
  check_size("multiplier_f32", multiplier_f32.size(), m0.size());
  check_multipliers(m0, multiplier_f32, method);
  const native::RequantizeRule rule = requantize_rule(method, zero_point, {qmin, qmax}, out_type);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::requantize(acc.data(), acc_type, out.data(), out_type, {span_of(m0), span_of(shift), span_of(multiplier_f32)},
                     rule, layout, execution);
}

}  // namespace

void bind_elementwise(nb::module_& m) {
  using nb::arg;
  m.def("quantize", &quantize, arg("x").noconvert(), arg("out").noconvert(), arg("scale").noconvert(),
        arg("zero_point").noconvert(), arg("qmin"), arg("qmax"), arg("outer"), arg("inner"), arg("scaling"),
        arg("zero_point_inside"), arg("rounding"), arg("isa") = -1, arg("threads") = 0,
        "Write the codes of x to out and return the number of NaN (their code is clamp(Z)).");
  m.def("dequantize", &dequantize, arg("q").noconvert(), arg("out").noconvert(), arg("scale").noconvert(),
        arg("zero_point").noconvert(), arg("outer"), arg("inner"), arg("isa") = -1, arg("threads") = 0,
        "Write f32(f32(q - Z) * S) to out.");
  m.def("requantize", &requantize, arg("acc").noconvert(), arg("out").noconvert(), arg("m0").noconvert(),
        arg("shift").noconvert(), arg("zero_point"), arg("qmin"), arg("qmax"), arg("outer"), arg("inner"),
        arg("method"), arg("multiplier_f32").noconvert(), arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(acc * m0 / 2^shift) + Z) to out, the product exact.");
}

}  // namespace halfeven::bindings
