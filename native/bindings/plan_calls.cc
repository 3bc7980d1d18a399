// Steps that call a kernel on whole arrays: elements as stored (u8, s16, s32), in C order, zero points as stored.
#include <nanobind/stl/pair.h>

#include "bindings/plan_handle.h"
#include "engine/plan/call_step.h"
#include "kernels/divide/divide.h"
#include "kernels/eltwise/codes.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/normalize/normalize.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resize/resize.h"
#include "kernels/select/select.h"
#include "kernels/softmax/softmax.h"
#include "kernels/sums/sums.h"

namespace halfeven::bindings {
namespace {

using native::CallStep;
using native::Frame;
using native::Parallel;
using native::RowWriter;
using native::TensorId;
using native::Type;
using Sizes = std::vector<std::int64_t>;

// A tensor of a plan: its number, the byte where it begins, its type, its zero point.
struct Array {
  explicit Array(const Sizes& s) {
    check_size("an array", s.size(), 4);
    id = static_cast<TensorId>(s[0]);
    place = s[1];
    type = code_type(s[2]);
    zero = s[3];
  }

  std::uint8_t* at(const Frame& frame) const { return frame.at(id) + place; }

  TensorId id;
  std::int64_t place;
  Type type;
  std::int64_t zero;
};

// zero point, smallest and largest code of a result
struct Clamp {
  explicit Clamp(const Sizes& s) {
    check_size("a clamp", s.size(), 3);
    zero = s[0];
    lo = s[1];
    hi = s[2];
  }

  std::int64_t zero;
  std::int64_t lo;
  std::int64_t hi;
};

// A Rescale and the writer that refers to it.
struct Writer {
  Writer(const native::Rescale& how, Type sums, Type codes, native::Isa isa)
      : rescale(std::make_unique<native::Rescale>(how)), rows(*rescale, sums, codes, isa) {}

  std::unique_ptr<const native::Rescale> rescale;
  RowWriter rows;
};

std::shared_ptr<const Writer> writer(const native::Rescale& how, Type sums, const Array& y, native::Isa isa) {
  return std::make_shared<const Writer>(how, sums, y.type, isa);
}

double elements(const Sizes& sizes) {
  double count = 1;
  for (const std::int64_t n : sizes) count *= static_cast<double>(n);
  return count;
}

void add(PlanHandle& plan, std::vector<TensorId> reads, const Array& y, double work, CallStep::Body body) {
  plan.add_step(std::make_unique<CallStep>(std::move(reads), y.id, work, std::move(body)));
}

void softmax(PlanHandle& plan, const Sizes& from, const Sizes& to, const Sizes& sizes,
             const Parameters<std::uint32_t>& exponentials, std::int64_t m0, int shift, const Sizes& clamp) {
  const Array x(from);
  const Array y(to);
  const Clamp code(clamp);
  check_size("sizes", sizes.size(), 3);
  const std::vector<std::uint32_t> e(exponentials.data(), exponentials.data() + exponentials.size());
  if (e.size() < (x.type == Type::u8 ? 256U : 65536U) || e[0] == 0) {
    throw nb::value_error("a softmax needs an exponential for each distance, that of 0 not 0");
  }
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
  const std::vector<std::int64_t> g(gain.data(), gain.data() + gain.size());
  const std::vector<std::int64_t> b(offset.data(), offset.data() + offset.size());
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
                                 y.type};
    native::normalize(task, y.at(frame), parallel);
  });
}

// sizes: matrices of a, of b, rows, depth, columns
void gemm(PlanHandle& plan, const Sizes& left, const Sizes& right, const Sizes& to, const Sizes& sizes,
          const Sizes& a_index, const Sizes& b_index, int bits, const native::Rescale& rescale) {
  const Array a(left);
  const Array b(right);
  const Array y(to);
  check_size("sizes", sizes.size(), 5);
  check_size("b_index", b_index.size(), a_index.size());
  const auto how = writer(rescale, accumulator_of(bits), y, plan.isa());
  const double work = static_cast<double>(a_index.size()) * static_cast<double>(sizes[2] * sizes[3] * sizes[4]);
  const native::Isa isa = plan.isa();
  add(plan, {a.id, b.id}, y, work, [=](const Frame& frame, const Parallel& parallel) {
    const native::Gemm task{{a.at(frame), a.type, sizes[0], {&a.zero, 1}},
                            {b.at(frame), b.type, sizes[1], {&b.zero, 1}},
                            sizes[2],
                            sizes[3],
                            sizes[4],
                            a_index,
                            b_index,
                            {},
                            isa};
    native::gemm(task, how->rows, y.at(frame), parallel);
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
  const std::vector<float> of_code(reals.data(), reals.data() + reals.size());
  const std::vector<float> of_window(counts.data(), counts.data() + counts.size());
  const double work = static_cast<double>(planes * native::product(window.out) * native::product(window.kernel));
  add(plan, {x.id}, y, work * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::FloatAverage rule{of_code, of_window, y_scale, added, code.zero, code.lo, code.hi, y.type};
    native::float_average_pool({x.at(frame), x.type, planes, window}, rule, y.at(frame), parallel);
  });
}

// Strides are elements; y is in C order.
struct PairOf {
  Array a;
  Array b;
  Sizes shape;
  Sizes a_strides;
  Sizes b_strides;

  native::Pairs at(const Frame& frame) const {
    return {shape, {a.at(frame), a.type, a.zero, a_strides}, {b.at(frame), b.type, b.zero, b_strides}};
  }
  native::Pairs nowhere() const {
    return {shape, {nullptr, a.type, a.zero, a_strides}, {nullptr, b.type, b.zero, b_strides}};
  }
};

PairOf pair_of(const Sizes& a, const Sizes& b, const std::vector<Sizes>& walk) {
  check_size("the walk", walk.size(), 3);
  if (walk[0].empty()) throw nb::value_error("a walk has at least one axis");
  check_size("a_strides", walk[1].size(), walk[0].size());
  check_size("b_strides", walk[2].size(), walk[0].size());
  return {Array(a), Array(b), walk[0], walk[1], walk[2]};
}

// rule: A, B, shift
void sum(PlanHandle& plan, const Sizes& a, const Sizes& b, const Sizes& to, const std::vector<Sizes>& walk,
         const Sizes& rule, const Sizes& clamp) {
  const PairOf pair = pair_of(a, b, walk);
  const Array y(to);
  const Clamp code(clamp);
  check_size("rule", rule.size(), 3);
  const native::AddRule how{rule[0], rule[1], static_cast<int>(rule[2]), code.zero, code.lo, code.hi};
  const auto far = [](const Array& x) {
    return static_cast<double>(native::centered_range(x.type, x.zero).farthest());
  };
  const double most =
      far(pair.a) * std::abs(static_cast<double>(rule[0])) + far(pair.b) * std::abs(static_cast<double>(rule[1]));
  if (most >= 0x1p62 || rule[2] < 0 || rule[2] > 62) throw nb::value_error("a sum of codes must stay below 2^62");
  add(plan, {pair.a.id, pair.b.id}, y, elements(walk[0]) * 2, [=](const Frame& frame, const Parallel& parallel) {
    native::add(pair.at(frame), how, y.type, y.at(frame), parallel);
  });
}

void multiply(PlanHandle& plan, const Sizes& a, const Sizes& b, const Sizes& to, const std::vector<Sizes>& walk,
              const native::Rescale& rescale) {
  const PairOf pair = pair_of(a, b, walk);
  const Array y(to);
  const auto how = writer(rescale, native::product_type(pair.nowhere()), y, plan.isa());
  add(plan, {pair.a.id, pair.b.id}, y, elements(walk[0]) * 2, [=](const Frame& frame, const Parallel& parallel) {
    native::multiply(pair.at(frame), how->rows, y.at(frame), parallel);
  });
}

// rule: m0, shift
void divide(PlanHandle& plan, const Sizes& a, const Sizes& b, const Sizes& to, const std::vector<Sizes>& walk,
            const Sizes& rule, const Sizes& clamp) {
  const PairOf pair = pair_of(a, b, walk);
  const Array y(to);
  const Clamp code(clamp);
  check_size("rule", rule.size(), 2);
  const native::DivideRule how{rule[0], static_cast<int>(rule[1]), code.zero, code.lo, code.hi};
  native::Pairs none = pair.nowhere();
  std::fill(none.shape.begin(), none.shape.end(), 0);
  native::divide(none, how, y.type, nullptr, [](std::int64_t, const std::function<void(std::int64_t)>&) {});  // checks
  add(plan, {pair.a.id, pair.b.id}, y, elements(walk[0]) * 8, [=](const Frame& frame, const Parallel& parallel) {
    native::divide(pair.at(frame), how, y.type, y.at(frame), parallel);
  });
}

// sizes: outer, channels, inner
void add_sums(PlanHandle& plan, const Sizes& a, const Sizes& b, const Sizes& to, const Sizes& sizes, const Sizes& m,
              const Sizes& n, const Sizes& shift, const Sizes& clamp) {
  const Array sums(a);
  const Array other(b);
  const Array y(to);
  const Clamp code(clamp);
  check_size("sizes", sizes.size(), 3);
  if (sums.type != Type::s32) throw nb::type_error("a must hold int32 sums");
  if (m.size() != 1) check_size("a_multiplier", m.size(), static_cast<std::size_t>(sizes[1]));
  check_size("b_multiplier", n.size(), m.size());
  check_size("shift", shift.size(), m.size());
  for (const std::int64_t k : shift) {
    if (k < 0 || k > 62) throw nb::value_error("a shift must lie in [0, 62]");
  }
  add(plan, {sums.id, other.id}, y, elements(sizes) * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::AddSums task{reinterpret_cast<const std::int32_t*>(sums.at(frame)),
                               other.at(frame),
                               other.type,
                               other.zero,
                               sizes[0],
                               sizes[1],
                               sizes[2],
                               m,
                               n,
                               shift,
                               code.zero,
                               code.lo,
                               code.hi,
                               y.type};
    native::add_sums(task, y.at(frame), parallel);
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

// Strides are bytes; a condition of -1 compares instead: `largest`.
void choose(PlanHandle& plan, const std::pair<TensorId, std::int64_t>& condition,
            const std::pair<TensorId, std::int64_t>& a, const std::pair<TensorId, std::int64_t>& b, TensorId y,
            const std::vector<Sizes>& walk, std::int64_t item, bool largest) {
  check_size("the walk", walk.size(), 4);
  for (const Sizes& strides : walk) check_size("strides", strides.size(), walk[0].size());
  const bool compares = condition.first < 0;
  std::vector<TensorId> reads{a.first, b.first};
  if (!compares) reads.push_back(condition.first);
  plan.add_step(std::make_unique<CallStep>(
      std::move(reads), y, elements(walk[0]) * 2, [=](const Frame& frame, const Parallel& parallel) {
        const native::Choice task{walk[0], compares ? nullptr : frame.at(condition.first) + condition.second,
                                  walk[1], frame.at(a.first) + a.second,
                                  walk[2], frame.at(b.first) + b.second,
                                  walk[3], item};
        if (compares) return native::extreme(task, largest, frame.at(y), parallel);
        native::choose(task, frame.at(y), parallel);
      }));
}

}  // namespace

void bind_plan_calls(nb::module_& m) {
  nb::class_<PlanHandle>(m, "PlanCalls", "Steps that call a kernel on whole arrays in C order.")
      .def("call_softmax", &softmax)
      .def("call_normalize", &normalize)
      .def("call_gemm", &gemm)
      .def("call_reduce", &reduce)
      .def("call_reduce_extreme", &reduce_extreme)
      .def("call_max_pool", &max_pool)
      .def("call_average_pool", &average_pool)
      .def("call_float_average_pool", &float_average_pool)
      .def("call_sum", &sum)
      .def("call_multiply", &multiply)
      .def("call_divide", &divide)
      .def("call_add_sums", &add_sums)
      .def("call_resize_linear", &resize_linear)
      .def("call_choose", &choose);
}

}  // namespace halfeven::bindings
