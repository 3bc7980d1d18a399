// What looks at whole rows: softmax and means.
#include "bindings/program.h"
#include "kernels/normalize/normalize.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"

namespace halfeven::bindings {
namespace {

void softmax(const InArray& x, const OutArray& out, const Parameters<std::uint32_t>& exponentials, std::int64_t m0,
             int shift, std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax, int threads) {
  check_rank(x, "x", 3);
  check_size("out", out.size(), x.size());
  check_clamp(qmin, qmax, codes_of(out, "out"));
  const double length = static_cast<double>(x.shape(1));
  if (m0 < 0 || m0 >= (std::int64_t{1} << 31) || shift < -31 || shift > 31 ||
      length * 0x1p30 * static_cast<double>(std::int64_t{1} << std::max(shift, 0)) >= 0x1p62 ||
      static_cast<double>(m0) * 0x1p30 * static_cast<double>(std::int64_t{1} << std::max(-shift, 0)) >= 0x1p62) {
    throw nb::value_error("the numerator and the denominator must stay below 2^62");
  }
  if (exponentials.size() == 0 || exponentials.data()[0] == 0) throw nb::value_error("exponentials[0] must not be 0");
  if (out.size() == 0) return;
  const native::Softmax task{x.data(),
                             codes_of(x, "x"),
                             extent_of(x, 0),
                             extent_of(x, 1),
                             extent_of(x, 2),
                             span_of(exponentials),
                             m0,
                             shift,
                             zero_point,
                             qmin,
                             qmax,
                             codes_of(out, "out")};
  const Run run(-1, threads, static_cast<double>(x.size()) * 16);
  const nb::gil_scoped_release release;
  native::softmax(task, out.data(), run.parallel);
}

void normalize(const InArray& x, const OutArray& out, std::int64_t groups, int half_fraction, std::int64_t epsilon,
               int fraction, const Parameters<std::int64_t>& gain, const Parameters<std::int64_t>& offset, int shift,
               std::int64_t zero_point, std::int64_t qmin, std::int64_t qmax, int threads) {
  check_rank(x, "x", 3);
  check_size("out", out.size(), x.size());
  const native::Type type = codes_of(out, "out");
  check_clamp(qmin, qmax, type);
  if (groups < 1) throw nb::value_error("groups must be at least 1");
  check_size("gain", gain.size(), static_cast<std::size_t>(groups) * x.shape(1));
  check_size("offset", offset.size(), gain.size());
  const auto inside = [](int bits, int most) { return bits >= 0 && bits <= most; };
  if (!inside(half_fraction, 30) || !inside(fraction, 30) || !inside(shift, 61) || epsilon < 0) {
    throw nb::value_error("the fixed-point constants are out of range");
  }
  if (out.size() == 0) return;
  const native::Normalize task{x.data(),
                               codes_of(x, "x"),
                               extent_of(x, 0),
                               groups,
                               extent_of(x, 1),
                               extent_of(x, 2),
                               half_fraction,
                               epsilon,
                               fraction,
                               span_of(gain),
                               span_of(offset),
                               shift,
                               zero_point,
                               qmin,
                               qmax,
                               type};
  const Run run(-1, threads, static_cast<double>(x.size()) * 4);
  const nb::gil_scoped_release release;
  native::normalize(task, out.data(), run.parallel);
}

void reduce_mean(const InArray& x, const OutArray& out, std::int64_t x_zero_point, const native::Rescale& rescale,
                 int isa, int threads) {
  check_rank(x, "x", 3);
  check_size("out", out.size(), x.shape(0) * x.shape(2));
  const Run run(isa, threads, static_cast<double>(x.size()) / 2);
  const native::RowWriter writer = writer_for(rescale, native::Type::s64, codes_of(out, "out"), run.isa, 1);
  if (out.size() == 0) return;
  const native::Reduce task{x.data(),        codes_of(x, "x"), x_zero_point,
                            extent_of(x, 0), extent_of(x, 1),  extent_of(x, 2)};
  const nb::gil_scoped_release release;
  native::reduce_mean(task, writer, out.data(), run.parallel);
}

}  // namespace

void bind_rows(nb::module_& m) {
  using nb::arg;
  m.def("softmax", &softmax, arg("x").noconvert(), arg("out").noconvert(), arg("exponentials").noconvert(), arg("m0"),
        arg("shift"), arg("zero_point"), arg("qmin"), arg("qmax"), arg("threads") = 0,
        "Write clamp(rhe(E[max - q] m0 / (sum E[max - q] 2^shift)) + Z) along the middle of three axes to out.");
  m.def("normalize", &normalize, arg("x").noconvert(), arg("out").noconvert(), arg("groups"), arg("half_fraction"),
        arg("epsilon"), arg("fraction"), arg("gain").noconvert(), arg("offset").noconvert(), arg("shift"),
        arg("zero_point"), arg("qmin"), arg("qmax"), arg("threads") = 0,
        "Write clamp(rhe((T G + B) / 2^shift) + Z) to out, T the values of each row (axes 2 and 3) normalized.");
  m.def("reduce_mean", &reduce_mean, arg("x").noconvert(), arg("out").noconvert(), arg("x_zero_point"), arg("rescale"),
        arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(M * sum (x - Zx)) + Z) over the middle of three axes to out.");
}

}  // namespace halfeven::bindings
