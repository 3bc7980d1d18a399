// A plan being built: what every binding that adds steps to it needs.
#pragma once

#include <iterator>
#include <memory>
#include <vector>

#include "bindings/program.h"
#include "engine/cpu.h"
#include "engine/plan/plan.h"

namespace halfeven::bindings {

using Sizes = std::vector<std::int64_t>;

// The element types that Python names by the order of this list.
inline native::Type code_type(std::int64_t index) {
  constexpr native::Type types[] = {native::Type::s8, native::Type::u8, native::Type::s16, native::Type::u16,
                                    native::Type::s32};
  if (index < 0 || index >= std::ssize(types)) throw nb::value_error("no such type of codes");
  return types[index];
}

class PlanHandle {
 public:
  explicit PlanHandle(int isa) : isa_(native::isa_from_index(isa)) {}

  void add_step(std::unique_ptr<native::Step> step) {
    if (plan_.finished()) throw nb::value_error("the plan is finished");
    plan_.add(std::move(step));
  }
  native::TensorId new_tensor(std::int64_t bytes) { return plan_.tensor(bytes); }
  std::int32_t new_counter() { return plan_.counter(); }
  native::Isa isa() const { return isa_; }

 protected:
  native::Plan plan_;
  native::Isa isa_;
};

// Registers PlanHandle, with steps that are calls of kernels over whole arrays.
void bind_plan_calls(nb::module_& m);

// Registers packed weights.
void bind_weights(nb::module_& m);

}  // namespace halfeven::bindings
