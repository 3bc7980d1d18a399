#include "engine/columns.h"

#include "bindings/arrays.h"

namespace halfeven::bindings {
namespace {

using InReals = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using OutReals = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class Reals>
void check_shape(const char* name, const Reals& a, const native::Batch& batch, std::int64_t rows,
                 std::int64_t columns) {
  const auto at = [&](std::size_t k) { return static_cast<std::int64_t>(a.shape(k)); };
  if (at(0) == batch.groups && at(1) == rows && at(2) == columns) return;
  const std::string text = std::string(name) + " has the shape (" + std::to_string(at(0)) + ", " +
                           std::to_string(at(1)) + ", " + std::to_string(at(2)) + "), expected (" +
                           std::to_string(batch.groups) + ", " + std::to_string(rows) + ", " + std::to_string(columns) +
                           ")";
  throw nb::value_error(text.c_str());
}

template <class Reals>
native::Batch batch_of(const Reals& a) {
  return {static_cast<std::int64_t>(a.shape(0)), static_cast<std::int64_t>(a.shape(1)),
          static_cast<std::int64_t>(a.shape(2))};
}

native::Grid grid_of(const InReals& scale, double qmin, double qmax, const native::Batch& batch) {
  const std::int64_t scales = scale.shape(2) == 1 ? 1 : batch.size;
  check_shape("scale", scale, batch, batch.rows, scales);
  constexpr double most = 0x1p50;  // codes are rounded by adding 1.5 * 2^52
  if (!(-most < qmin && qmin <= qmax && qmax < most)) throw nb::value_error("qmin <= qmax inside 2^50 was expected");
  return {scale.data(), scales, qmin, qmax};
}

using InPanels = nb::ndarray<const double, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using OutPanels = nb::ndarray<double, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using InRows = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using InOrder = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using InNumbers = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutNumbers = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Panels>
void check_panels(const char* name, const Panels& a, const native::Batch& batch) {
  const std::int64_t size = native::padded(batch.size), side = native::tile_side;
  const auto at = [&](std::size_t k) { return static_cast<std::int64_t>(a.shape(k)); };
  if (at(0) == batch.groups && at(1) == size / side && at(2) == size && at(3) == side) return;
  const std::string text = std::string(name) + ": panels of (" + std::to_string(batch.groups) + ", " +
                           std::to_string(size / side) + ", " + std::to_string(size) + ", " + std::to_string(side) +
                           ") were expected";
  throw nb::value_error(text.c_str());
}

template <class Numbers>
void check_lines(const char* name, const Numbers& a, std::int64_t lines, std::int64_t length) {
  if (static_cast<std::int64_t>(a.shape(0)) == lines && static_cast<std::int64_t>(a.shape(1)) == length) return;
  const std::string text =
      std::string(name) + ": the shape (" + std::to_string(lines) + ", " + std::to_string(length) + ") was expected";
  throw nb::value_error(text.c_str());
}

void add_moments(const InRows& a, const InRows& b, const OutReals& out, bool symmetric, int isa, int threads) {
  const native::Batch batch = batch_of(out);
  const auto rows = static_cast<std::int64_t>(a.shape(2));
  check_shape("a", a, batch, batch.rows, rows);
  check_shape("b", b, batch, batch.size, rows);
  if (symmetric && (a.data() != b.data() || batch.rows != batch.size)) {
    throw nb::value_error("symmetric moments are those of one array with itself");
  }
  const native::Moments moments{a.data(), b.data(), out.data(), batch.groups, batch.rows, batch.size, rows, symmetric};
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::add_moments(moments, execution);
}

void multiply(const InReals& a, const InReals& b, const OutReals& out, int isa, int threads) {
  const native::Batch batch = batch_of(a);
  const auto columns = static_cast<std::int64_t>(b.shape(2));
  check_shape("b", b, batch, batch.size, columns);
  check_shape("out", out, batch, batch.rows, columns);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::multiply(a.data(), b.data(), out.data(), columns, batch, execution);
}

void multiply_panels(const InReals& a, const InPanels& b, const OutReals& out, int isa, int threads) {
  const native::Batch batch = batch_of(a);
  check_panels("b", b, batch);
  check_shape("out", out, batch, batch.rows, batch.size);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::multiply_panels(a.data(), b.data(), out.data(), batch, execution);
}

void to_panels(const InReals& sums, double count, const InNumbers& mean, const InOrder& order, const InNumbers& added,
               const OutPanels& panels, int isa, int threads) {
  const native::Batch batch = batch_of(sums);
  check_shape("sums", sums, batch, batch.size, batch.size);
  check_lines("mean", mean, batch.groups, batch.size);
  check_lines("order", order, batch.groups, batch.size);
  check_lines("added", added, batch.groups, 1);
  check_panels("panels", panels, batch);
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (order.data()[k] < 0 || order.data()[k] >= batch.size) throw nb::value_error("order: columns were expected");
  }
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::to_panels({sums.data(), mean.data(), count, order.data(), added.data(), panels.data()}, batch, execution);
}

bool factor(const OutPanels& h, int isa, int threads) {
  const native::Batch batch{static_cast<std::int64_t>(h.shape(0)), 0, static_cast<std::int64_t>(h.shape(2))};
  check_panels("h", h, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  return native::factor(h.data(), batch, execution);
}

void solve(const InPanels& w, const OutReals& b, int isa, int threads) {
  const native::Batch batch = batch_of(b);
  check_panels("w", w, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::solve(w.data(), b.data(), batch, execution);
}

void round_columns(const InReals& v, const InPanels& w, const InReals& scale, double qmin, double qmax,
                   const OutReals& codes, const OutNumbers& lost, int isa, int threads) {
  const native::Batch batch = batch_of(codes);
  check_shape("v", v, batch, batch.rows, batch.size);
  check_panels("w", w, batch);
  check_lines("lost", lost, batch.groups, batch.rows);
  const native::Grid grid = grid_of(scale, qmin, qmax, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::round_columns(v.data(), w.data(), grid, codes.data(), lost.data(), batch, execution);
}

void improve_columns(const InReals& v, const InPanels& h, const InReals& scale, double qmin, double qmax,
                     const OutReals& codes, const OutReals& pull, int sweeps, int isa, int threads) {
  const native::Batch batch = batch_of(codes);
  check_shape("v", v, batch, batch.rows, batch.size);
  check_panels("h", h, batch);
  check_shape("pull", pull, batch, batch.rows, batch.size);
  const native::Grid grid = grid_of(scale, qmin, qmax, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::improve_columns(v.data(), h.data(), grid, codes.data(), pull.data(), sweeps, batch, execution);
}

}  // namespace

void bind_columns(nb::module_& m) {
  using nb::arg;
  m.attr("tile_side") = native::tile_side;
  m.def("add_moments", &add_moments, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(),
        arg("symmetric"), arg("isa") = -1, arg("threads") = 0,
        "Add sums of a_i b_j over rows to out (groups, columns of a, columns of b); a, b (groups, columns, rows).");
  m.def("multiply", &multiply, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(), arg("isa") = -1,
        arg("threads") = 0, "Write a b of (groups, rows, K) and (groups, K, columns).");
  m.def("multiply_panels", &multiply_panels, arg("a").noconvert(), arg("b").noconvert(), arg("out").noconvert(),
        arg("isa") = -1, arg("threads") = 0, "Write a b of (groups, rows, K) and symmetric matrices in panels.");
  m.def("to_panels", &to_panels, arg("sums").noconvert(), arg("count"), arg("mean").noconvert(),
        arg("order").noconvert(), arg("added").noconvert(), arg("panels").noconvert(), arg("isa") = -1,
        arg("threads") = 0, "Write covariances in panels, their columns in an order, with something on the diagonal.");
  m.def("factor", &factor, arg("h").noconvert(), arg("isa") = -1, arg("threads") = 0,
        "Write W of H = W^T W, lower triangular, in the place of panels; False where one is not positive definite.");
  m.def("solve", &solve, arg("w").noconvert(), arg("b").noconvert(), arg("isa") = -1, arg("threads") = 0,
        "X of X W^T W = B in the place of b (groups, rows, K).");
  m.def("round_columns", &round_columns, arg("v").noconvert(), arg("w").noconvert(), arg("scale").noconvert(),
        arg("qmin"), arg("qmax"), arg("codes").noconvert(), arg("lost").noconvert(), arg("isa") = -1,
        arg("threads") = 0,
        "Write codes of v (groups, rows, K), each making up for the errors of those before it, and what is lost.");
  m.def("improve_columns", &improve_columns, arg("v").noconvert(), arg("h").noconvert(), arg("scale").noconvert(),
        arg("qmin"), arg("qmax"), arg("codes").noconvert(), arg("pull").noconvert(), arg("sweeps"), arg("isa") = -1,
        arg("threads") = 0, "Each code in turn the best one; codes and pull = (v - scale * codes) H change in place.");
}

}  // namespace halfeven::bindings
