#include <cmath>

#include "kernels/columns/columns.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

// The elements of tile_side rows.
struct Pack {
  static constexpr int columns = 2;  // whose sums are taken at once

  double lane[tile_side];

  static Pack load(const double* p) {
    Pack r;
    for (int i = 0; i < tile_side; ++i) r.lane[i] = p[i];
    return r;
  }
  static Pack fill(double v) {
    Pack r;
    for (double& x : r.lane) x = v;
    return r;
  }
  void store(double* p) const {
    for (int i = 0; i < tile_side; ++i) p[i] = lane[i];
  }
  template <class Operation>
  static Pack each(const Pack& a, const Pack& b, Operation operation) {
    Pack r;
    for (int i = 0; i < tile_side; ++i) r.lane[i] = operation(a.lane[i], b.lane[i]);
    return r;
  }
  static Pack clamp(const Pack& v, double lo, double hi) {
    const Pack r = each(v, fill(lo), [](double x, double y) { return x > y ? x : y; });
    return each(r, fill(hi), [](double x, double y) { return x < y ? x : y; });
  }
  static Pack fma(const Pack& a, const Pack& b, const Pack& c) {  // a * b + c
    Pack r;
    for (int i = 0; i < tile_side; ++i) r.lane[i] = std::fma(a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
  static Pack fnma(const Pack& a, const Pack& b, const Pack& c) {  // c - a * b
    Pack r;
    for (int i = 0; i < tile_side; ++i) r.lane[i] = std::fma(-a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
  friend Pack operator+(const Pack& a, const Pack& b) {
    return each(a, b, [](double x, double y) { return x + y; });
  }
  friend Pack operator-(const Pack& a, const Pack& b) {
    return each(a, b, [](double x, double y) { return x - y; });
  }
  friend Pack operator*(const Pack& a, const Pack& b) {
    return each(a, b, [](double x, double y) { return x * y; });
  }
  friend Pack operator/(const Pack& a, const Pack& b) {
    return each(a, b, [](double x, double y) { return x / y; });
  }
};

}  // namespace
}  // namespace halfeven::native

#define HALFEVEN_ISA portable
#include "kernels/columns/loops.inc"
