// Convolutions and matrix products.
#include "bindings/program.h"
#include "kernels/conv/conv.h"
#include "kernels/gemm/gemm.h"

namespace halfeven::bindings {
namespace {

double size_of(std::int64_t n) { return static_cast<double>(n); }

native::Conv conv_task(const InArray& x, const InArray& weight, const Parameters<std::int64_t>& weight_zero_point,
                       const Parameters<std::int64_t>& bias, const native::Window& window, std::int64_t groups,
                       std::int64_t x_zero_point, native::Isa isa) {
  check_rank(x, "x", 5);
  check_rank(weight, "weight", 5);
  const std::int64_t outputs = extent_of(weight, 0);
  const std::int64_t channels = extent_of(weight, 1);
  bool fits = groups >= 1 && outputs % groups == 0 && channels >= 1 && extent_of(x, 1) == groups * channels;
  for (std::size_t k = 0; k < 3; ++k) {
    fits = fits && extent_of(x, k + 2) == window.in[k] && extent_of(weight, k + 2) == window.kernel[k];
  }
  if (!fits) throw nb::value_error("x, weight, groups and window do not fit together");
  check_size("bias", bias.size(), static_cast<std::size_t>(outputs));
  if (weight_zero_point.size() != 1) check_size("weight_zero_point", weight_zero_point.size(), bias.size());
  return {x.data(),
          codes_of(x, "x"),
          x_zero_point,
          weight.data(),
          codes_of(weight, "weight"),
          span_of(weight_zero_point),
          span_of(bias),
          extent_of(x, 0),
          groups,
          channels,
          outputs / groups,
          window,
          isa};
}

void conv(const InArray& x, const InArray& weight, const Parameters<std::int64_t>& weight_zero_point,
          const Parameters<std::int64_t>& bias, const OutArray& out, const native::Window& window, std::int64_t groups,
          std::int64_t x_zero_point, int accumulator_bits, const native::Rescale& rescale, int isa, int threads) {
  const Run run(isa, threads,
                size_of(static_cast<std::int64_t>(out.size())) *
                    size_of(static_cast<std::int64_t>(weight.size() / std::max<std::size_t>(bias.size(), 1))));
  const native::Conv task = conv_task(x, weight, weight_zero_point, bias, window, groups, x_zero_point, run.isa);
  const std::int64_t outputs = groups * task.outputs;
  check_size("out", out.size(), static_cast<std::size_t>(task.samples * outputs * native::product(window.out)));
  if (out.size() == 0) return;
  const native::RowWriter writer =
      writer_for(rescale, accumulator_of(accumulator_bits), codes_of(out, "out"), run.isa, outputs);
  const nb::gil_scoped_release release;
  const auto function = task.channels == 1 ? native::depthwise_conv : native::conv;
  function(task, writer, out.data(), run.parallel);
}

void check_index(const char* name, const Parameters<std::int64_t>& index, std::int64_t count) {
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index.data()[i] >= 0 && index.data()[i] < count) continue;
    const std::string text = std::string(name) + " names a matrix that is not there";
    throw nb::value_error(text.c_str());
  }
}

void gemm(const InArray& a, const InArray& b, const OutArray& out, const Parameters<std::int64_t>& a_index,
          const Parameters<std::int64_t>& b_index, std::int64_t a_zero_point,
          const Parameters<std::int64_t>& b_zero_point, const Parameters<std::int64_t>& bias, int accumulator_bits,
          const native::Rescale& rescale, int isa, int threads) {
  check_rank(a, "a", 3);
  check_rank(b, "b", 3);
  const std::int64_t rows = extent_of(a, 1);
  const std::int64_t depth = extent_of(a, 2);
  const std::int64_t columns = extent_of(b, 2);
  if (extent_of(b, 1) != depth) throw nb::value_error("the depths of a and b differ");
  check_index("a_index", a_index, extent_of(a, 0));
  check_index("b_index", b_index, extent_of(b, 0));
  check_size("b_index", b_index.size(), a_index.size());
  check_size("out", out.size(), a_index.size() * static_cast<std::size_t>(rows * columns));
  if (out.size() == 0) return;
  if (b_zero_point.size() != 1) check_size("b_zero_point", b_zero_point.size(), static_cast<std::size_t>(columns));
  if (bias.size() != 0) check_size("bias", bias.size(), static_cast<std::size_t>(columns));
  const Run run(isa, threads, size_of(static_cast<std::int64_t>(out.size())) * size_of(depth));
  const native::RowWriter writer =
      writer_for(rescale, accumulator_of(accumulator_bits), codes_of(out, "out"), run.isa, columns);
  const native::Gemm task{{a.data(), codes_of(a, "a"), extent_of(a, 0), {&a_zero_point, 1}},
                          {b.data(), codes_of(b, "b"), extent_of(b, 0), span_of(b_zero_point)},
                          rows,
                          depth,
                          columns,
                          span_of(a_index),
                          span_of(b_index),
                          span_of(bias),
                          run.isa};
  const nb::gil_scoped_release release;
  native::gemm(task, writer, out.data(), run.parallel);
}

}  // namespace

void bind_products(nb::module_& m) {
  using nb::arg;
  m.def("conv", &conv, arg("x").noconvert(), arg("weight").noconvert(), arg("weight_zero_point").noconvert(),
        arg("bias").noconvert(), arg("out").noconvert(), arg("window"), arg("groups"), arg("x_zero_point"),
        arg("accumulator_bits"), arg("rescale"), arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(M * (sum (x - Zx)(w - Zw) + b)) + Z) of each window and group to out.");
  m.def("gemm", &gemm, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("a_index").noconvert(),
        arg("b_index").noconvert(), arg("a_zero_point"), arg("b_zero_point").noconvert(), arg("bias").noconvert(),
        arg("accumulator_bits"), arg("rescale"), arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(M * ((a - Za) @ (b - Zb) + bias)) + Z) to out, for each pair of matrices.");
}

}  // namespace halfeven::bindings
