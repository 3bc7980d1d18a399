#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string_view>
#include <tuple>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/program.h"
#include "engine/cpu.h"
#include "kernels/columns/columns.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/difference/difference.h"
#include "kernels/gemm/dot.h"
#include "kernels/rows/rows.h"
#include "kernels/statistics/statistics.h"

namespace halfeven::bindings {
namespace {

using IsaRow = std::tuple<std::string_view, bool, bool>;

std::vector<IsaRow> isa_names() {
  std::vector<IsaRow> rows;
  for (const native::IsaInfo& info : native::isa_infos()) rows.emplace_back(info.name, info.compiled, info.supported);
  return rows;
}

std::string_view active_isa() { return native::isa_infos()[static_cast<std::size_t>(native::active_isa())].name; }

template <class Function, std::size_t N>
void append_names(std::vector<std::string_view>& names, const native::Kernel<Function> (&table)[N]) {
  for (const auto& kernel : table) names.emplace_back(kernel.name);
}

std::vector<std::string_view> kernel_names() {
  std::vector<std::string_view> names;
  append_names(names, native::quantize_kernels);
  append_names(names, native::dequantize_kernels);
  append_names(names, native::requantize_kernels);
  append_names(names, native::dot_kernels);
  append_names(names, native::igemm_kernels);
  append_names(names, native::depthwise_kernels);
  append_names(names, native::row_kernels);
  append_names(names, native::statistics_kernels);
  append_names(names, native::column_kernels);
  append_names(names, native::difference_kernels);
  return names;
}

}  // namespace
}  // namespace halfeven::bindings

NB_MODULE(_native, m) {
  using namespace halfeven::bindings;
  m.def("isa_names", &isa_names, "Rows (name, compiled, supported), in the order of the isa argument.");
  m.def("active_isa", &active_isa, "The best supported instruction set, or the one that HALFEVEN_ISA names.");
  m.def("kernel_names", &kernel_names, "Each kernel of this build: <op>_<in>_<out>_<isa>.");
  bind_columns(m);
  bind_elementwise(m);
  bind_statistics(m);
  bind_exhaustive(m);
  bind_program(m);
  bind_engine(m);
}
