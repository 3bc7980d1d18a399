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

bool factor(const InReals& h, const OutReals& w, int isa, int threads) {
  const native::Batch batch = batch_of(w);
  check_shape("w", w, batch, batch.size, batch.size);
  check_shape("h", h, batch, batch.size, batch.size);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  return native::factor(h.data(), w.data(), batch.groups, batch.size, execution);
}

void solve(const InReals& u, const InReals& w, const OutReals& b, int isa, int threads) {
  const native::Batch batch = batch_of(b);
  check_shape("u", u, batch, batch.size, batch.size);
  check_shape("w", w, batch, batch.size, batch.size);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::solve(u.data(), w.data(), b.data(), batch, execution);
}

void round_columns(const InReals& v, const InReals& f, const InReals& scale, double qmin, double qmax,
                   const OutReals& codes, int isa, int threads) {
  const native::Batch batch = batch_of(codes);
  check_shape("v", v, batch, batch.rows, batch.size);
  check_shape("f", f, batch, batch.size, batch.size);
  const native::Grid grid = grid_of(scale, qmin, qmax, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::round_columns(v.data(), f.data(), grid, codes.data(), batch, execution);
}

void improve_columns(const InReals& v, const InReals& h, const InReals& scale, double qmin, double qmax,
                     const OutReals& codes, const OutReals& pull, int sweeps, int isa, int threads) {
  const native::Batch batch = batch_of(codes);
  check_shape("v", v, batch, batch.rows, batch.size);
  check_shape("h", h, batch, batch.size, batch.size);
  check_shape("pull", pull, batch, batch.rows, batch.size);
  const native::Grid grid = grid_of(scale, qmin, qmax, batch);
  const native::Execution execution = execution_of(isa, threads);
  const nb::gil_scoped_release release;
  native::improve_columns(v.data(), h.data(), grid, codes.data(), pull.data(), sweeps, batch, execution);
}

}  // namespace

void bind_columns(nb::module_& m) {
  using nb::arg;
  m.def(
      "factor", &factor, arg("h").noconvert(), arg("w").noconvert(), arg("isa") = -1, arg("threads") = 0,
      "Write W of H = W^T W, lower triangular, of (groups, K, K) matrices; False where one is not positive definite.");
  m.def("solve", &solve, arg("u").noconvert(), arg("w").noconvert(), arg("b").noconvert(), arg("isa") = -1,
        arg("threads") = 0, "X of X U U^T = B in the place of b (groups, rows, K); w = U^T.");
  m.def("round_columns", &round_columns, arg("v").noconvert(), arg("f").noconvert(), arg("scale").noconvert(),
        arg("qmin"), arg("qmax"), arg("codes").noconvert(), arg("isa") = -1, arg("threads") = 0,
        "Write codes of v (groups, rows, K), each making up for the errors of those before it: weighed by f (K, K).");
  m.def("improve_columns", &improve_columns, arg("v").noconvert(), arg("h").noconvert(), arg("scale").noconvert(),
        arg("qmin"), arg("qmax"), arg("codes").noconvert(), arg("pull").noconvert(), arg("sweeps"), arg("isa") = -1,
        arg("threads") = 0, "Each code in turn the best one; codes and pull = (v - scale * codes) H change in place.");
}

}  // namespace halfeven::bindings
