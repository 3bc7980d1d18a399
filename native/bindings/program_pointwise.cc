// Element by element: Add, Mul, Requantize, tables.
#include "bindings/program.h"
#include "kernels/divide/divide.h"
#include "kernels/eltwise/codes.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/slopes/slopes.h"
#include "kernels/sums/sums.h"
#include "kernels/table/table.h"

namespace halfeven::bindings {
namespace {

using Steps = std::vector<std::int64_t>;

// The elements that a walk over `shape` reaches must lie in the array.
native::Operand operand_of(const InArray& array, const char* name, std::int64_t zero_point, const Steps& shape,
                           const Steps& strides) {
  check_size((std::string(name) + "_strides").c_str(), strides.size(), shape.size());
  std::int64_t last = 0;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] < 1 || strides[k] < 0) throw nb::value_error("sizes must be at least 1 and strides at least 0");
    last += (shape[k] - 1) * strides[k];
  }
  if (last >= static_cast<std::int64_t>(array.size())) {
    throw nb::value_error((std::string(name) + " is shorter than its strides say").c_str());
  }
  return {array.data(), codes_of(array, name), zero_point, strides};
}

native::Pairs pairs_of(const InArray& a, const InArray& b, const OutArray& out, const Steps& shape,
                       const Steps& a_strides, const Steps& b_strides, std::int64_t a_zero, std::int64_t b_zero) {
  if (shape.empty()) throw nb::value_error("at least one axis is expected");
  std::size_t count = 1;
  for (const std::int64_t n : shape) count *= static_cast<std::size_t>(n);
  check_size("out", out.size(), count);
  return {shape, operand_of(a, "a", a_zero, shape, a_strides), operand_of(b, "b", b_zero, shape, b_strides)};
}

void add(const InArray& a, const InArray& b, const OutArray& out, const Steps& shape, const Steps& a_strides,
         const Steps& b_strides, std::int64_t a_zero_point, std::int64_t b_zero_point, std::int64_t a_multiplier,
         std::int64_t b_multiplier, int shift, std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax,
         int threads) {
  const native::Pairs task = pairs_of(a, b, out, shape, a_strides, b_strides, a_zero_point, b_zero_point);
  const native::Type type = codes_of(out, "out");
  check_clamp(qmin, qmax, type);
  const Run run(-1, threads, static_cast<double>(out.size()));
  const nb::gil_scoped_release release;
  native::add(task, {a_multiplier, b_multiplier, shift, zero_point, qmin, qmax}, type, out.data(), run.parallel);
}

void multiply(const InArray& a, const InArray& b, const OutArray& out, const Steps& shape, const Steps& a_strides,
              const Steps& b_strides, std::int64_t a_zero_point, std::int64_t b_zero_point,
              const native::Rescale& rescale, int isa, int threads) {
  const native::Pairs task = pairs_of(a, b, out, shape, a_strides, b_strides, a_zero_point, b_zero_point);
  const Run run(isa, threads, static_cast<double>(out.size()));
  const native::RowWriter writer = writer_for(rescale, native::product_type(task), codes_of(out, "out"), run.isa, 1);
  const nb::gil_scoped_release release;
  native::multiply(task, writer, out.data(), run.parallel);
}

void divide(const InArray& a, const InArray& b, const OutArray& out, const Steps& shape, const Steps& a_strides,
            const Steps& b_strides, std::int64_t a_zero_point, std::int64_t b_zero_point, std::int64_t m0, int shift,
            std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax, int threads) {
  const native::Pairs task = pairs_of(a, b, out, shape, a_strides, b_strides, a_zero_point, b_zero_point);
  const native::Type type = codes_of(out, "out");
  check_clamp(qmin, qmax, type);
  const Run run(-1, threads, static_cast<double>(out.size()) * 8);
  const nb::gil_scoped_release release;
  native::divide(task, {m0, shift, zero_point, qmin, qmax}, type, out.data(), run.parallel);
}

void check_signs(const Parameters<std::int64_t>& sign, const native::Rescale& rescale) {
  check_size("sign", sign.size(), static_cast<std::size_t>(rescale.channels()));
}

void slopes(const InArray& x, const OutArray& out, std::int64_t x_zero_point,
            const Parameters<std::int64_t>& above_sign, const native::Rescale& above,
            const Parameters<std::int64_t>& below_sign, const native::Rescale& below, int isa, int threads) {
  check_rank(x, "x", 3);
  check_size("out", out.size(), x.size());
  check_signs(above_sign, above);
  check_signs(below_sign, below);
  const Run run(isa, threads, static_cast<double>(out.size()) * 2);
  const native::Type type = codes_of(out, "out");
  const native::RowWriter first = writer_for(above, native::Type::s32, type, run.isa, extent_of(x, 1));
  const native::RowWriter second = writer_for(below, native::Type::s32, type, run.isa, extent_of(x, 1));
  const native::Slopes task{x.data(),        codes_of(x, "x"), x_zero_point,        extent_of(x, 0),
                            extent_of(x, 1), extent_of(x, 2),  span_of(above_sign), span_of(below_sign)};
  const nb::gil_scoped_release release;
  native::slopes(task, first, second, out.data(), run.parallel);
}

void add_sums(const InArray& a, const InArray& b, const OutArray& out, std::int64_t b_zero_point,
              const Parameters<std::int64_t>& a_multiplier, const Parameters<std::int64_t>& b_multiplier,
              const Parameters<std::int64_t>& shift, std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax,
              int threads) {
  check_rank(a, "a", 3);
  check_size("b", b.size(), a.size());
  check_size("out", out.size(), a.size());
  if (codes_of(a, "a") != native::Type::s32) throw nb::type_error("a must hold int32 sums");
  if (a_multiplier.size() != 1) check_size("a_multiplier", a_multiplier.size(), a.shape(1));
  check_size("b_multiplier", b_multiplier.size(), a_multiplier.size());
  check_size("shift", shift.size(), a_multiplier.size());
  for (const std::int64_t k : span_of(shift)) {
    if (k < 0 || k > 62) throw nb::value_error("a shift must lie in [0, 62]");
  }
  const native::Type type = codes_of(out, "out");
  check_clamp(qmin, qmax, type);
  const native::AddSums task{static_cast<const std::int32_t*>(a.data()),
                             b.data(),
                             codes_of(b, "b"),
                             b_zero_point,
                             extent_of(a, 0),
                             extent_of(a, 1),
                             extent_of(a, 2),
                             span_of(a_multiplier),
                             span_of(b_multiplier),
                             span_of(shift),
                             zero_point,
                             qmin,
                             qmax,
                             type};
  const Run run(-1, threads, static_cast<double>(out.size()) * 2);
  const nb::gil_scoped_release release;
  native::add_sums(task, out.data(), run.parallel);
}

void rescale_codes(const InArray& x, const OutArray& out, std::int64_t x_zero_point, const native::Rescale& rescale,
                   int isa, int threads) {
  check_size("out", out.size(), x.size());
  const native::Type type = codes_of(x, "x");
  const Run run(isa, threads, static_cast<double>(out.size()));
  const native::RowWriter writer =
      writer_for(rescale, native::difference_type(type, x_zero_point), codes_of(out, "out"), run.isa, 1);
  const nb::gil_scoped_release release;
  native::rescale_codes(x.data(), type, static_cast<std::int64_t>(x.size()), x_zero_point, writer, out.data(),
                        run.parallel);
}

void look_up(const InArray& x, const OutArray& out, std::int64_t first, const InArray& entries, int threads) {
  check_size("out", out.size(), x.size());
  const native::Type type = codes_of(out, "out");
  if (codes_of(entries, "entries") != type) throw nb::type_error("entries and out must hold the same codes");
  const native::Table task{x.data(),
                           codes_of(x, "x"),
                           static_cast<std::int64_t>(x.size()),
                           first,
                           entries.data(),
                           type,
                           static_cast<std::int64_t>(entries.size())};
  const Run run(-1, threads, static_cast<double>(out.size()));
  const nb::gil_scoped_release release;
  native::look_up(task, out.data(), run.parallel);
}

}  // namespace

void bind_pointwise(nb::module_& m) {
  using nb::arg;
  m.def("add", &add, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("shape"), arg("a_strides"),
        arg("b_strides"), arg("a_zero_point"), arg("b_zero_point"), arg("a_multiplier"), arg("b_multiplier"),
        arg("shift"), arg("zero_point"), arg("qmin"), arg("qmax"), arg("threads") = 0,
        "Write clamp(rhe(((a - Za) A + (b - Zb) B) / 2^shift) + Z) to out, broadcasting by strides.");
  m.def("multiply", &multiply, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("shape"),
        arg("a_strides"), arg("b_strides"), arg("a_zero_point"), arg("b_zero_point"), arg("rescale"), arg("isa") = -1,
        arg("threads") = 0, "Write clamp(round(M * (a - Za)(b - Zb)) + Z) to out, broadcasting by strides.");
  m.def("divide", &divide, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("shape"),
        arg("a_strides"), arg("b_strides"), arg("a_zero_point"), arg("b_zero_point"), arg("m0"), arg("shift"),
        arg("zero_point"), arg("qmin"), arg("qmax"), arg("threads") = 0,
        "Write clamp(rhe(m0 (a - Za) / ((b - Zb) 2^shift)) + Z) to out, broadcasting by strides.");
  m.def(
      "slopes", &slopes, arg("x").noconvert(), arg("out").noconvert(), arg("x_zero_point"),
      arg("above_sign").noconvert(), arg("above"), arg("below_sign").noconvert(), arg("below"), arg("isa") = -1,
      arg("threads") = 0,
      "Write clamp(round(sign * M * (x - Zx)) + Z) to out, M and sign by the side of Zx and the middle of three axes.");
  m.def(
      "add_sums", &add_sums, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("b_zero_point"),
      arg("a_multiplier").noconvert(), arg("b_multiplier").noconvert(), arg("shift").noconvert(), arg("zero_point"),
      arg("qmin"), arg("qmax"), arg("threads") = 0,
      "Write clamp(rhe((a A + (b - Zb) B) / 2^shift) + Z) to out, a int32 sums, channels in the middle of three axes.");
  m.def("rescale_codes", &rescale_codes, arg("x").noconvert(), arg("out").noconvert(), arg("x_zero_point"),
        arg("rescale"), arg("isa") = -1, arg("threads") = 0, "Write clamp(round(M * (x - Zx)) + Z) to out.");
  m.def("look_up", &look_up, arg("x").noconvert(), arg("out").noconvert(), arg("first"), arg("entries").noconvert(),
        arg("threads") = 0, "Write entries[x - first] to out.");
}

}  // namespace halfeven::bindings
