// Plan steps over single codes: quantize, dequantize, rescale, tables, parts picked along an axis.
#include "bindings/arguments.h"
#include "bindings/plan_calls.h"
#include "engine/plan/affine_steps.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/select/select.h"
#include "kernels/slopes/slopes.h"
#include "kernels/table/table.h"

namespace halfeven::bindings {
namespace {

native::Layout layout_of(const Sizes& sizes) {
  check_size("sizes", sizes.size(), 3);
  return {sizes[0], sizes[1], sizes[2]};
}

// sizes: outer, channels, inner; codes of `type_index` as they are. Returns the number of the count of its NaN.
std::int32_t quantize(PlanHandle& plan, TensorId x, TensorId y, const Sizes& sizes, const Parameters<float>& scale,
                      const Parameters<std::int32_t>& zero_point, const Sizes& bounds, int scaling,
                      bool zero_point_inside, int rounding, int type_index) {
  const Type type = code_type(type_index);
  check_size("bounds", bounds.size(), 2);
  const native::QuantizeRule rule = quantize_rule(scaling, zero_point_inside, rounding, {bounds[0], bounds[1]}, type);
  const std::int32_t counter = plan.new_counter();
  plan.add_step(std::make_unique<native::QuantizeCodesStep>(
      x, y, counter, type, rule, native::LaidOutAffine(layout_of(sizes), copied(scale), copied(zero_point)),
      plan.isa()));
  return counter;
}

void dequantize(PlanHandle& plan, TensorId x, TensorId y, const Sizes& sizes, const Parameters<float>& scale,
                const Parameters<std::int32_t>& zero_point, int type_index) {
  plan.add_step(std::make_unique<native::DequantizeCodesStep>(
      x, y, code_type(type_index), native::LaidOutAffine(layout_of(sizes), copied(scale), copied(zero_point)),
      plan.isa()));
}

void rescale(PlanHandle& plan, const Sizes& from, const Sizes& to, std::int64_t count, const native::Rescale& how) {
  const Array x(from);
  const Array y(to);
  if (how.channels() != 1) throw nb::value_error("one multiplier is expected");
  const auto rows = writer(how, native::difference_type(x.type, x.zero), y, plan.isa());
  add(plan, {x.id}, y, static_cast<double>(count) * 2, [=](const Frame& frame, const Parallel& parallel) {
    native::rescale_codes(x.at(frame), x.type, count, x.zero, rows->rows, y.at(frame), parallel);
  });
}

// sizes: outer, channels, inner
void slopes(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes, const Sizes& above_sign,
            const native::Rescale& above, const Sizes& below_sign, const native::Rescale& below) {
  const Array x(from);
  const Array y(to);
  check_size("sizes", sizes.size(), 3);
  check_size("above_sign", above_sign.size(), static_cast<std::size_t>(above.channels()));
  check_size("below_sign", below_sign.size(), static_cast<std::size_t>(below.channels()));
  for (const std::size_t count : {above_sign.size(), below_sign.size()}) {
    if (count != 1) check_size("the factors", count, static_cast<std::size_t>(sizes[1]));
  }
  const auto first = writer(above, Type::s32, y, plan.isa());
  const auto second = writer(below, Type::s32, y, plan.isa());
  add(plan, {x.id}, y, elements(sizes) * 4, [=](const Frame& frame, const Parallel& parallel) {
    const native::Slopes task{x.at(frame), x.type, x.zero, sizes[0], sizes[1], sizes[2], above_sign, below_sign};
    native::slopes(task, first->rows, second->rows, y.at(frame), parallel);
  });
}

// sizes: outer, channels, inner; domain: the first code, as stored, how many, and what is stored above the code
void look_up(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes, const Sizes& domain,
             const Parameters<std::uint8_t>& entries, bool by_channel) {
  const Array x(from);
  const Array y(to);
  check_size("sizes", sizes.size(), 3);
  check_size("domain", domain.size(), 3);
  const std::int64_t channels = by_channel ? sizes[1] : 1;
  const std::size_t item = native::code_size(y.type);
  check_size("entries", entries.size(), static_cast<std::size_t>(domain[1] * channels) * item);
  const std::vector<std::uint8_t> table = copied(entries);
  add(plan, {x.id}, y, elements(sizes) * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::Table task{
        x.at(frame), x.type,  sizes[0] * sizes[1] * sizes[2], domain[0], table.data(), y.type, domain[1], domain[2],
        channels,    sizes[2]};
    native::look_up(task, y.at(frame), parallel);
  });
}

// sizes: outer, along the axis, bytes of a part
void take(PlanHandle& plan, const Sizes& from, TensorId y, const Sizes& sizes, const Sizes& index) {
  const Array x(from);
  check_size("sizes", sizes.size(), 3);
  for (const std::int64_t i : index) {
    if (i < 0 || i >= sizes[1]) throw nb::value_error("an index reaches outside its axis");
  }
  const double bytes = static_cast<double>(sizes[0] * sizes[2]) * static_cast<double>(index.size());
  add(plan, {x.id}, std::vector{y}, bytes, [=](const Frame& frame, const Parallel& parallel) {
    native::take({x.at(frame), sizes[0], sizes[1], sizes[2], index}, frame.at(y), parallel);
  });
}

}  // namespace

void bind_code_calls(nb::class_<PlanHandle>& plan) {
  plan.def("call_quantize", &quantize)
      .def("call_dequantize", &dequantize)
      .def("call_rescale", &rescale)
      .def("call_slopes", &slopes)
      .def("call_look_up", &look_up)
      .def("call_take", &take);
}

}  // namespace halfeven::bindings
