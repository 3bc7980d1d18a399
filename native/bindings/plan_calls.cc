#include "bindings/plan_calls.h"

namespace halfeven::bindings {

void bind_plan_calls(nb::module_& m) {
  nb::class_<PlanHandle> plan(m, "PlanCalls", "Steps that call a kernel on whole arrays in C order.");
  bind_row_calls(plan);
  bind_pair_calls(plan);
  bind_product_calls(plan);
  bind_code_calls(plan);
}

}  // namespace halfeven::bindings
