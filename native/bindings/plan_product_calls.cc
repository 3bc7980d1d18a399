// Plan steps for products that no packed kernel takes: weights that 16 bits do not hold once centered, and the like.
#include "bindings/plan_calls.h"
#include "kernels/conv/conv.h"
#include "kernels/gemm/gemm.h"

namespace halfeven::bindings {
namespace {

// One, or one a column.
void check_columns(const char* name, std::size_t size, std::int64_t columns) {
  if (size != 1) check_size(name, size, static_cast<std::size_t>(columns));
}

void check_index(const Sizes& index, std::int64_t count) {
  for (const std::int64_t i : index) {
    if (i < 0 || i >= count) throw nb::value_error("a product names a matrix that is not there");
  }
}

// sizes: matrices of a, of b, rows, depth, columns; zeros: of b, one or one a column; bias: one a column, or none
void gemm(PlanHandle& plan, const Sizes& left, const Sizes& right, const Sizes& to, const Sizes& sizes,
          const Sizes& a_index, const Sizes& b_index, const Sizes& zeros, const Sizes& bias, int bits,
          const native::Rescale& rescale) {
  const Array a(left);
  const Array b(right);
  const Array y(to);
  check_size("sizes", sizes.size(), 5);
  check_size("b_index", b_index.size(), a_index.size());
  check_index(a_index, sizes[0]);
  check_index(b_index, sizes[1]);
  check_columns("zeros", zeros.size(), sizes[4]);
  if (!bias.empty()) check_size("bias", bias.size(), static_cast<std::size_t>(sizes[4]));
  check_columns("the multipliers", static_cast<std::size_t>(rescale.channels()), sizes[4]);
  const auto how = writer(rescale, accumulator_of(bits), y, plan.isa());
  const double work = static_cast<double>(a_index.size()) * static_cast<double>(sizes[2] * sizes[3] * sizes[4]);
  const native::Isa isa = plan.isa();
  const auto task = [=](const void* x, const void* w) {
    return native::Gemm{{x, a.type, sizes[0], {&a.zero, 1}},
                        {w, b.type, sizes[1], zeros},
                        sizes[2],
                        sizes[3],
                        sizes[4],
                        a_index,
                        b_index,
                        bias,
                        isa};
  };
  const TensorId workspace = plan.new_tensor(native::gemm_workspace(task(nullptr, nullptr)));
  add(plan, {a.id, b.id}, {y.id, workspace}, work, [=](const Frame& frame, const Parallel& parallel) {
    native::gemm(task(a.at(frame), b.at(frame)), how->rows, y.at(frame), frame.at(workspace), parallel);
  });
}

// sizes: samples, groups, channels and outputs of a group; zeros: of the weights, one or one an output
void conv(PlanHandle& plan, const Sizes& from, const Sizes& weights, const Sizes& to, const Sizes& sizes,
          const native::Window& window, const Sizes& zeros, const Sizes& bias, int bits,
          const native::Rescale& rescale) {
  const Array x(from);
  const Array w(weights);
  const Array y(to);
  check_size("sizes", sizes.size(), 4);
  const std::int64_t outputs = sizes[1] * sizes[3];
  check_size("bias", bias.size(), static_cast<std::size_t>(outputs));
  check_columns("zeros", zeros.size(), outputs);
  check_columns("the multipliers", static_cast<std::size_t>(rescale.channels()), outputs);
  const auto how = writer(rescale, accumulator_of(bits), y, plan.isa());
  const double work = static_cast<double>(sizes[0] * outputs * sizes[2]) *
                      static_cast<double>(native::product(window.out) * native::product(window.kernel));
  const native::Isa isa = plan.isa();
  const auto task = [=](const void* codes, const void* weight) {
    return native::Conv{codes,    x.type,   x.zero,   weight,   w.type, zeros, bias,
                        sizes[0], sizes[1], sizes[2], sizes[3], window, isa};
  };
  if (sizes[2] == 1) {
    add(plan, {x.id, w.id}, y, work, [=](const Frame& frame, const Parallel& parallel) {
      native::depthwise_conv(task(x.at(frame), w.at(frame)), how->rows, y.at(frame), parallel);
    });
    return;
  }
  const TensorId workspace = plan.new_tensor(native::conv_workspace(task(nullptr, nullptr)));
  add(plan, {x.id, w.id}, {y.id, workspace}, work, [=](const Frame& frame, const Parallel& parallel) {
    native::conv(task(x.at(frame), w.at(frame)), how->rows, y.at(frame), frame.at(workspace), parallel);
  });
}

}  // namespace

void bind_product_calls(nb::class_<PlanHandle>& plan) { plan.def("call_gemm", &gemm).def("call_conv", &conv); }

}  // namespace halfeven::bindings
