// Plan steps over two and three operands that broadcast.
#include "bindings/plan_calls.h"
#include "kernels/divide/divide.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/select/select.h"
#include "kernels/sums/sums.h"
#include "kernels/table/table.h"

namespace halfeven::bindings {
namespace {

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
  const Sizes empty(pair.shape.size(), 0);
  native::Pairs none = pair.nowhere();
  none.shape = empty;
  native::divide(none, how, y.type, nullptr, [](std::int64_t, native::ItemBody) {});  // checks
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

// Strides are bytes; a condition of -1 compares instead: `largest`.
void choose(PlanHandle& plan, const std::pair<TensorId, std::int64_t>& condition,
            const std::pair<TensorId, std::int64_t>& a, const std::pair<TensorId, std::int64_t>& b, TensorId y,
            const std::vector<Sizes>& walk, std::int64_t item, bool largest) {
  check_size("the walk", walk.size(), 4);
  for (const Sizes& strides : walk) check_size("strides", strides.size(), walk[0].size());
  const bool compares = condition.first < 0;
  std::vector<TensorId> reads{a.first, b.first};
  if (!compares) reads.push_back(condition.first);
  add(plan, std::move(reads), std::vector{y}, elements(walk[0]) * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::Choice task{walk[0], compares ? nullptr : frame.at(condition.first) + condition.second,
                              walk[1], frame.at(a.first) + a.second,
                              walk[2], frame.at(b.first) + b.second,
                              walk[3], item};
    if (compares) return native::extreme(task, largest, frame.at(y), parallel);
    native::choose(task, frame.at(y), parallel);
  });
}

// domain: of a its first code, as stored, and how many, and what is stored above the code; then the same of b
void look_up_pairs(PlanHandle& plan, const Sizes& a, const Sizes& b, const Sizes& to, const std::vector<Sizes>& walk,
                   const Sizes& domain, const Parameters<std::uint8_t>& entries) {
  const PairOf pair = pair_of(a, b, walk);
  const Array y(to);
  check_size("domain", domain.size(), 6);
  const std::size_t item = native::code_size(y.type);
  check_size("entries", entries.size(), static_cast<std::size_t>(domain[1] * domain[4]) * item);
  const std::vector<std::uint8_t> table = copied(entries);
  add(plan, {pair.a.id, pair.b.id}, y, elements(walk[0]) * 2, [=](const Frame& frame, const Parallel& parallel) {
    const native::PairTable task{pair.shape,
                                 {pair.a.at(frame), pair.a.type, pair.a_strides, domain[0], domain[1], domain[2]},
                                 {pair.b.at(frame), pair.b.type, pair.b_strides, domain[3], domain[4], domain[5]},
                                 table.data(),
                                 y.type};
    native::look_up_pairs(task, y.at(frame), parallel);
  });
}

}  // namespace

void bind_pair_calls(nb::class_<PlanHandle>& plan) {
  plan.def("call_sum", &sum)
      .def("call_multiply", &multiply)
      .def("call_divide", &divide)
      .def("call_add_sums", &add_sums)
      .def("call_look_up_pairs", &look_up_pairs)
      .def("call_choose", &choose);
}

}  // namespace halfeven::bindings
