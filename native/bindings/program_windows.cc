// Pooling.
#include "bindings/program.h"
#include "kernels/eltwise/codes.h"
#include "kernels/pool/pool.h"

namespace halfeven::bindings {
namespace {

native::Pool pool_task(const InArray& x, const OutArray& out, const native::Window& window) {
  check_rank(x, "x", 4);
  const std::int64_t planes = extent_of(x, 0);
  check_size("x", x.size(), static_cast<std::size_t>(planes * native::product(window.in)));
  check_size("out", out.size(), static_cast<std::size_t>(planes * native::product(window.out)));
  return {x.data(), codes_of(x, "x"), planes, window};
}

double work_of(const native::Pool& task) {
  return static_cast<double>(task.planes * native::product(task.window.out) * native::product(task.window.kernel)) / 8;
}

void max_pool(const InArray& x, const OutArray& out, const native::Window& window, int threads) {
  const native::Pool task = pool_task(x, out, window);
  if (codes_of(out, "out") != task.type) throw nb::type_error("x and out must hold the same codes");
  const Run run(-1, threads, work_of(task));
  const nb::gil_scoped_release release;
  native::max_pool(task, out.data(), run.parallel);
}

void average_pool(const InArray& x, const OutArray& out, const native::Window& window, std::int64_t x_zero_point,
                  const native::Rescale& rescale, int isa, int threads) {
  const native::Pool task = pool_task(x, out, window);
  const Run run(isa, threads, work_of(task));
  const double largest = static_cast<double>(native::centered_range(task.type, x_zero_point).farthest()) *
                         static_cast<double>(native::product(window.kernel));
  const native::Type acc = largest < 0x1p31 ? native::Type::s32 : native::Type::s64;
  const native::RowWriter writer = writer_for(rescale, acc, codes_of(out, "out"), run.isa, native::product(window.out));
  const nb::gil_scoped_release release;
  native::average_pool(task, x_zero_point, writer, out.data(), run.parallel);
}

}  // namespace

void bind_windows(nb::module_& m) {
  using nb::arg;
  m.def("max_pool", &max_pool, arg("x").noconvert(), arg("out").noconvert(), arg("window"), arg("threads") = 0,
        "Write the largest code of each window to out.");
  m.def("average_pool", &average_pool, arg("x").noconvert(), arg("out").noconvert(), arg("window"), arg("x_zero_point"),
        arg("rescale"), arg("isa") = -1, arg("threads") = 0,
        "Write clamp(round(M * sum (x - Zx)) + Z) of each window to out; M one, or one a window of a plane.");
}

}  // namespace halfeven::bindings
