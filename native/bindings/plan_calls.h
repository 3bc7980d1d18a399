// What the bindings of plan steps that call kernels over whole arrays share. Elements are as stored (u8, s16, s32), in
// C order, zero points as stored.
#pragma once

#include <nanobind/stl/pair.h>

#include <memory>
#include <utility>

#include "bindings/plan_handle.h"
#include "engine/plan/call_step.h"
#include "kernels/eltwise/codes.h"

namespace halfeven::bindings {

using native::CallStep;
using native::Frame;
using native::Parallel;
using native::RowWriter;
using native::TensorId;
using native::Type;

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

inline std::shared_ptr<const Writer> writer(const native::Rescale& how, Type sums, const Array& y, native::Isa isa) {
  return std::make_shared<const Writer>(how, sums, y.type, isa);
}

template <class T>
std::vector<T> copied(const Parameters<T>& parameters) {
  return {parameters.data(), parameters.data() + parameters.size()};
}

inline double elements(const Sizes& sizes) {
  double count = 1;
  for (const std::int64_t n : sizes) count *= static_cast<double>(n);
  return count;
}

inline void add(PlanHandle& plan, std::vector<TensorId> reads, std::vector<TensorId> writes, double work,
                CallStep::Body body) {
  plan.add_step(std::make_unique<CallStep>(std::move(reads), std::move(writes), work, std::move(body)));
}

inline void add(PlanHandle& plan, std::vector<TensorId> reads, const Array& y, double work, CallStep::Body body) {
  add(plan, std::move(reads), std::vector{y.id}, work, std::move(body));
}

// The steps, by what they do.
void bind_row_calls(nb::class_<PlanHandle>& plan);
void bind_pair_calls(nb::class_<PlanHandle>& plan);
void bind_product_calls(nb::class_<PlanHandle>& plan);
void bind_code_calls(nb::class_<PlanHandle>& plan);

}  // namespace halfeven::bindings
