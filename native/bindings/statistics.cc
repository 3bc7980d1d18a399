#include "engine/statistics.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <tuple>

#include "bindings/arrays.h"
#include "engine/difference.h"

namespace halfeven::bindings {
namespace {

using Found = std::tuple<float, float, std::int64_t, std::int64_t, std::int64_t, std::int64_t, int>;
using Counts = nb::ndarray<std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr int least_exponent = -161;
constexpr int greatest_exponent = 116;

Found gather(const InArray& x, const std::optional<Counts>& counts, int exponent, int isa, int threads) {
  if (type_of(x.dtype(), "x") != native::Type::f32) throw nb::type_error("x must hold float32; convert it first");
  if (counts) check_size("counts", counts->size(), static_cast<std::size_t>(2 * native::bin_side));
  if (exponent < least_exponent || exponent > greatest_exponent) {
    throw nb::value_error("exponent must lie in [-161, 116]");
  }
  const native::Execution execution = execution_of(isa, threads);
  std::uint32_t* bins = counts ? counts->data() : nullptr;
  native::Statistics found;
  {
    const nb::gil_scoped_release release;
    found = native::gather(static_cast<const float*>(x.data()), static_cast<std::int64_t>(x.size()), exponent, bins,
                           execution);
  }
  return {found.lo, found.hi, found.finite, found.zeros, found.nan, found.inf, found.exponent};
}

using Sums = std::tuple<std::int64_t, double, double, double, double, double, double>;

Sums difference(const InArray& f, const InArray& other, int isa) {
  const bool wide = f.dtype() == nb::dtype<double>();
  if (f.dtype() != other.dtype() || (!wide && f.dtype() != nb::dtype<float>())) {
    throw nb::type_error("f and other must both hold float32 or float64; convert them first");
  }
  const native::Type type = wide ? native::Type::f64 : native::Type::f32;
  check_size("other", other.size(), f.size());
  const native::Execution execution = execution_of(isa, 1);
  native::Difference d;
  {
    const nb::gil_scoped_release release;
    d = native::difference(f.data(), other.data(), type, static_cast<std::int64_t>(f.size()), execution.isa);
  }
  return {d.count, d.f_energy, d.e_energy, d.cross, d.f_size, d.e_size, d.e_max};
}

}  // namespace

void bind_statistics(nb::module_& m) {
  using nb::arg;
  m.def("gather", &gather, arg("x").noconvert(), arg("counts").noconvert().none(), arg("exponent"), arg("isa") = -1,
        arg("threads") = 0,
        "Add the finite values of x to counts, whose bins are 2^exponent wide, and return (lo, hi, finite, zeros, nan, "
        "inf, exponent): of x, and of the bins' width from now on.");
  m.def("difference", &difference, arg("f").noconvert(), arg("other").noconvert(), arg("isa") = -1,
        "(count, sum f^2, sum e^2, sum f e, sum |f|, sum |e|, max |e|) of e = other - f where f is finite.");
}

}  // namespace halfeven::bindings
