// The Pack of the loops, over the Vector of the instruction set that was included before.
// In an unnamed namespace, see vector/.
#pragma once

#include "kernels/columns/columns.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

// The elements of tile_side rows.
struct Pack {
  static constexpr int parts = static_cast<int>(tile_side) / Vector::lanes;
  static constexpr int columns = parts == 1 ? 8 : 2;  // whose sums are taken at once: as many as registers hold

  Vector::Doubles part[parts];

  static HALFEVEN_INLINE Pack load(const double* p) {
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = Vector::load(p + i * Vector::lanes);
    return r;
  }
  static HALFEVEN_INLINE Pack fill(double v) {
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = Vector::fill(v);
    return r;
  }
  HALFEVEN_INLINE void store(double* p) const {
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) Vector::store(p + i * Vector::lanes, part[i]);
  }
  template <class Operation>
  static HALFEVEN_INLINE Pack each(const Pack& a, const Pack& b, Operation operation) {
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = operation(a.part[i], b.part[i]);
    return r;
  }
  static HALFEVEN_INLINE Pack clamp(const Pack& v, double lo, double hi) {
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = Vector::clamp(v.part[i], Vector::fill(lo), Vector::fill(hi));
    return r;
  }
  static HALFEVEN_INLINE Pack fma(const Pack& a, const Pack& b, const Pack& c) {  // a * b + c
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = Vector::fma(a.part[i], b.part[i], c.part[i]);
    return r;
  }
  static HALFEVEN_INLINE Pack fnma(const Pack& a, const Pack& b, const Pack& c) {  // c - a * b
    Pack r;
    HALFEVEN_UNROLL
    for (int i = 0; i < parts; ++i) r.part[i] = Vector::fnma(a.part[i], b.part[i], c.part[i]);
    return r;
  }
  friend HALFEVEN_INLINE Pack operator+(const Pack& a, const Pack& b) { return each(a, b, Sum()); }
  friend HALFEVEN_INLINE Pack operator-(const Pack& a, const Pack& b) { return each(a, b, Difference()); }
  friend HALFEVEN_INLINE Pack operator*(const Pack& a, const Pack& b) { return each(a, b, Product()); }
  friend HALFEVEN_INLINE Pack operator/(const Pack& a, const Pack& b) { return each(a, b, Quotient()); }

 private:
  using Doubles = Vector::Doubles;
  struct Sum {
    HALFEVEN_INLINE Doubles operator()(const Doubles& a, const Doubles& b) const { return Vector::add(a, b); }
  };
  struct Difference {
    HALFEVEN_INLINE Doubles operator()(const Doubles& a, const Doubles& b) const { return Vector::subtract(a, b); }
  };
  struct Product {
    HALFEVEN_INLINE Doubles operator()(const Doubles& a, const Doubles& b) const { return Vector::multiply(a, b); }
  };
  struct Quotient {
    HALFEVEN_INLINE Doubles operator()(const Doubles& a, const Doubles& b) const { return Vector::divide(a, b); }
  };
};

}  // namespace
}  // namespace halfeven::native
