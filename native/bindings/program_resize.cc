// Interpolation.
#include "bindings/program.h"
#include "kernels/eltwise/codes.h"
#include "kernels/resize/resize.h"

namespace halfeven::bindings {
namespace {

using Column = Parameters<std::int64_t>;
using Columns = std::vector<Column>;  // low, high, low weight, high weight

native::Taps taps_of(const Columns& columns, std::int64_t size) {
  check_size("taps", columns.size(), 4);
  for (const Column& column : columns) check_size("taps", column.size(), columns[0].size());
  for (std::size_t k = 0; k < 2; ++k) {
    for (const std::int64_t place : span_of(columns[k])) {
      if (place < 0 || place >= size) throw nb::value_error("a tap lies outside its axis");
    }
  }
  return {span_of(columns[0]), span_of(columns[1]), span_of(columns[2]), span_of(columns[3])};
}

double most_weight(const native::Taps& taps) {
  double most = 0;
  for (std::size_t i = 0; i < taps.low.size(); ++i) {
    most = std::max(most, static_cast<double>(taps.low_weight[i]) + static_cast<double>(taps.high_weight[i]));
  }
  return most;
}

void resize_linear(const InArray& x, const OutArray& out, const Columns& first, const Columns& second,
                   const Columns& third, std::int64_t x_zero_point, const native::Rescale& rescale, int isa,
                   int threads) {
  check_rank(x, "x", 4);
  const native::Resize task{
      x.data(),
      codes_of(x, "x"),
      x_zero_point,
      extent_of(x, 0),
      {extent_of(x, 1), extent_of(x, 2), extent_of(x, 3)},
      {taps_of(first, extent_of(x, 1)), taps_of(second, extent_of(x, 2)), taps_of(third, extent_of(x, 3))}};
  double largest = static_cast<double>(native::centered_range(task.x_type, x_zero_point).farthest());
  std::size_t count = x.shape(0);
  for (const native::Taps& taps : task.taps) {
    largest *= most_weight(taps);
    count *= taps.low.size();
  }
  check_size("out", out.size(), count);
  if (largest >= 0x1p62) throw nb::value_error("the weighted sums must stay below 2^62");
  const Run run(isa, threads, static_cast<double>(out.size()) * 2);
  const native::Type acc = largest < 0x1p31 ? native::Type::s32 : native::Type::s64;
  const native::RowWriter writer = writer_for(rescale, acc, codes_of(out, "out"), run.isa, 1);
  if (out.size() == 0) return;
  const nb::gil_scoped_release release;
  native::resize_linear(task, writer, out.data(), run.parallel);
}

}  // namespace

void bind_resize(nb::module_& m) {
  using nb::arg;
  m.def("resize_linear", &resize_linear, arg("x").noconvert(), arg("out").noconvert(), arg("first"), arg("second"),
        arg("third"), arg("x_zero_point"), arg("rescale"), arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(M * sum w (x - Zx)) + Z) to out: taps (low, high, low weight, high weight) for three axes.");
}

}  // namespace halfeven::bindings
