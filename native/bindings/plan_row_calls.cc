// Plan steps over rows and windows: softmax, normalization, sums, pooling, interpolation.
#include "bindings/plan_calls.h"
#include "kernels/normalize/normalize.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resize/resize.h"
#include "kernels/select/select.h"
#include "kernels/softmax/softmax.h"

namespace halfeven::bindings {
namespace {

void softmax(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes,
             const Parameters<std::uint32_t>& exponentials, std::int64_t m0, int shift, const Sizes& clamp) {
  const Array x(from);
  const Array y(to);
  const Clamp code(clamp);
  check_size("sizes", sizes.size(), 3);
  const std::vector<std::uint32_t> e = copied(exponentials);
  if (e.empty() || e[0] == 0) throw nb::value_error("a softmax needs exponentials, that of 0 not 0");
  add(plan, {x.id}, y, elements(sizes) * 16, [=](const Frame& frame, const Parallel& parallel) {
    const native::Softmax task{x.at(frame), x.type, sizes[0],  sizes[1], sizes[2], e,
                               m0,          shift,  code.zero, code.lo,  code.hi,  y.type};
    native::softmax(task, y.at(frame), parallel);
  });
}

// sizes: rows, channels of a group, inner; fixed: groups, f, E', F, k
void normalize(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes, const Sizes& fixed,
               const Parameters<std::int64_t>& gain, const Parameters<std::int64_t>& offset, const Sizes& clamp) {
  const Array x(from);
  const Array y(to);
  const Clamp code(clamp);
  check_size("sizes", sizes.size(), 3);
  check_size("fixed", fixed.size(), 5);
  check_size("gain", gain.size(), static_cast<std::size_t>(fixed[0] * sizes[1]));
  check_size("offset", offset.size(), gain.size());
  const std::vector<std::int64_t> g = copied(gain);
  const std::vector<std::int64_t> b = copied(offset);
  const native::Isa isa = plan.isa();
  add(plan, {x.id}, y, elements(sizes) * 16, [=](const Frame& frame, const Parallel& parallel) {
    const native::Normalize task{x.at(frame),
                                 x.type,
                                 sizes[0],
                                 fixed[0],
                                 sizes[1],
                                 sizes[2],
                                 static_cast<int>(fixed[1]),
                                 fixed[2],
                                 static_cast<int>(fixed[3]),
                                 g,
                                 b,
                                 static_cast<int>(fixed[4]),
                                 code.zero,
                                 code.lo,
                                 code.hi,
                                 y.type,
                                 isa};
    native::normalize(task, y.at(frame), parallel);
  });
}

void reduce(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes, const native::Rescale& rescale) {
  const Array x(from);
  const Array y(to);
  check_size("sizes", sizes.size(), 3);
  const auto how = writer(rescale, Type::s64, y, plan.isa());
  add(plan, {x.id}, y, elements(sizes) / 2, [=](const Frame& frame, const Parallel& parallel) {
    native::reduce_mean({x.at(frame), x.type, x.zero, sizes[0], sizes[1], sizes[2]}, how->rows, y.at(frame), parallel);
  });
}

void reduce_extreme(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes, bool largest) {
  const Array x(from);
  const Array y(to);
  check_size("sizes", sizes.size(), 3);
  add(plan, {x.id}, y, elements(sizes), [=](const Frame& frame, const Parallel& parallel) {
    native::reduce_extreme(x.at(frame), x.type, sizes[0], sizes[1], sizes[2], largest, y.at(frame), parallel);
  });
}

void max_pool(PlanHandle& plan, const Sizes& from, const Sizes& to, std::int64_t planes, const native::Window& window) {
  const Array x(from);
  const Array y(to);
  const double work = static_cast<double>(planes * native::product(window.out) * native::product(window.kernel));
  add(plan, {x.id}, y, work, [=](const Frame& frame, const Parallel& parallel) {
    native::max_pool({x.at(frame), x.type, planes, window}, y.at(frame), parallel);
  });
}

void average_pool(PlanHandle& plan, const Sizes& from, const Sizes& to, std::int64_t planes,
                  const native::Window& window, int bits, const native::Rescale& rescale) {
  const Array x(from);
  const Array y(to);
  const auto how = writer(rescale, accumulator_of(bits), y, plan.isa());
  const double work = static_cast<double>(planes * native::product(window.out) * native::product(window.kernel));
  add(plan, {x.id}, y, work, [=](const Frame& frame, const Parallel& parallel) {
    native::average_pool({x.at(frame), x.type, planes, window}, x.zero, how->rows, y.at(frame), parallel);
  });
}

void float_average_pool(PlanHandle& plan, const Sizes& from, const Sizes& to, std::int64_t planes,
                        const native::Window& window, const Parameters<float>& reals, const Parameters<float>& counts,
                        float y_scale, float added, const Sizes& clamp) {
  const Array x(from);
  const Array y(to);
  const Clamp code(clamp);
  check_size("reals", reals.size(), x.type == Type::u8 ? 256 : 65536);
  check_size("counts", counts.size(), static_cast<std::size_t>(native::product(window.out)));
  const std::vector<float> of_code = copied(reals);
  const std::vector<float> of_window = copied(counts);
  const double work = static_cast<double>(planes * native::product(window.out) * native::product(window.kernel));
  add(plan, {x.id}, y, work * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::FloatAverage rule{of_code, of_window, y_scale, added, code.zero, code.lo, code.hi, y.type};
    native::float_average_pool({x.at(frame), x.type, planes, window}, rule, y.at(frame), parallel);
  });
}

// sizes: planes, then the three axes; taps: of each axis low, high and their weights. Sums stay below 2^bits.
void resize_linear(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes,
                   const std::vector<std::vector<Sizes>>& taps, int bits, const native::Rescale& rescale) {
  const Array x(from);
  const Array y(to);
  check_size("sizes", sizes.size(), 4);
  check_size("taps", taps.size(), 3);
  for (const std::vector<Sizes>& axis : taps) check_size("the taps of an axis", axis.size(), 4);
  const auto how = writer(rescale, accumulator_of(bits), y, plan.isa());
  const double work = static_cast<double>(sizes[0]) * static_cast<double>(taps[0][0].size() * taps[1][0].size()) *
                      static_cast<double>(taps[2][0].size());
  add(plan, {x.id}, y, work * 2, [=](const Frame& frame, const Parallel& parallel) {
    const auto axis = [&](std::size_t k) { return native::Taps{taps[k][0], taps[k][1], taps[k][2], taps[k][3]}; };
    const native::Resize task{
        x.at(frame), x.type, x.zero, sizes[0], {sizes[1], sizes[2], sizes[3]}, {axis(0), axis(1), axis(2)}};
    native::resize_linear(task, how->rows, y.at(frame), parallel);
  });
}

}  // namespace

void bind_row_calls(nb::class_<PlanHandle>& plan) {
  plan.def("call_softmax", &softmax)
      .def("call_normalize", &normalize)
      .def("call_reduce", &reduce)
      .def("call_reduce_extreme", &reduce_extreme)
      .def("call_max_pool", &max_pool)
      .def("call_average_pool", &average_pool)
      .def("call_float_average_pool", &float_average_pool)
      .def("call_resize_linear", &resize_linear);
}

}  // namespace halfeven::bindings
