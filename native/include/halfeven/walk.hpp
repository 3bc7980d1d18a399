// One pass over two strided tensors of the same shape, in runs that the row functions take.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_WALK_HPP_
#define HALFEVEN_WALK_HPP_

#include <cstring>
#include <type_traits>

#include "view.hpp"

namespace halfeven {
namespace detail {

inline constexpr std::int64_t kBlock = 256;  // elements gathered at a time; lives on the stack

struct Dimension {
  std::int64_t size;
  std::int64_t in;   // stride in bytes
  std::int64_t out;  // stride in bytes
  bool channel;
};

// The dimensions worth walking, outermost first: sorted by the output's stride, neighbours merged.
struct Layout {
  Dimension dims[kMaxRank];
  int rank;
};

inline bool is_outside(const Dimension& a, const Dimension& b) noexcept {
  return a.out != b.out ? a.out > b.out : a.in > b.in;
}

inline void insert_sorted(Layout& layout, Dimension d) noexcept {
  int place = layout.rank++;
  for (; place > 0 && is_outside(d, layout.dims[place - 1]); --place) layout.dims[place] = layout.dims[place - 1];
  layout.dims[place] = d;
}

inline bool can_merge(const Dimension& outer, const Dimension& inner) noexcept {
  return !outer.channel && !inner.channel && outer.in == inner.size * inner.in && outer.out == inner.size * inner.out;
}

inline void merge_neighbours(Layout& layout) noexcept {
  int last = 0;
  for (int d = 1; d < layout.rank; ++d) {
    Dimension& outer = layout.dims[last];
    const Dimension inner = layout.dims[d];
    if (can_merge(outer, inner)) outer = {outer.size * inner.size, inner.in, inner.out, false};
    else layout.dims[++last] = inner;
  }
  layout.rank = layout.rank == 0 ? 0 : last + 1;
}

template <class In, class Out>
Layout layout_of(const TensorView<In>& in, const TensorView<Out>& out, int axis) noexcept {
  Layout layout{};
  for (int d = 0; d < in.rank; ++d) {
    if (in.shape[d] != 1) insert_sorted(layout, {in.shape[d], in.stride[d], out.stride[d], d == axis});
  }
  return layout;
}

// Whether two elements of the output may lie on the same bytes: a stride must pass all that smaller strides span.
inline bool overlaps_itself(const Layout& layout, std::int64_t element_size) noexcept {
  std::int64_t span = element_size;
  for (int d = layout.rank - 1; d >= 0; --d) {
    if (layout.dims[d].out < span) return true;
    span += (layout.dims[d].size - 1) * layout.dims[d].out;
  }
  return false;
}

template <class T>
void gather(const unsigned char* from, std::int64_t stride, std::size_t n, T* to) noexcept {
  for (std::size_t i = 0; i < n; ++i, from += stride) std::memcpy(to + i, from, sizeof(T));
}

template <class T>
void scatter(const T* from, std::size_t n, unsigned char* to, std::int64_t stride) noexcept {
  for (std::size_t i = 0; i < n; ++i, to += stride) std::memcpy(to, from + i, sizeof(T));
}

// The innermost dimension. kStep is 1 where it is the channel axis, so that each element has its own parameters.
template <int kStep, class In, class Out, class Run>
void run_row(const unsigned char* in, unsigned char* out, const Dimension& d, std::int64_t channel, Run& run) noexcept {
  const bool dense_in = d.in == static_cast<std::int64_t>(sizeof(In));
  const bool dense_out = d.out == static_cast<std::int64_t>(sizeof(Out));
  const std::int64_t block = dense_in && dense_out && kStep == 0 ? d.size : kBlock;
  In gathered[kBlock];
  Out computed[kBlock];
  for (std::int64_t i = 0; i < d.size; i += block) {
    const std::size_t n = static_cast<std::size_t>(d.size - i < block ? d.size - i : block);
    const unsigned char* from = in + i * d.in;
    unsigned char* to = out + i * d.out;
    if (!dense_in) gather(from, d.in, n, gathered);
    Out* result = dense_out ? reinterpret_cast<Out*>(to) : computed;
    run.template operator()<kStep>(dense_in ? reinterpret_cast<const In*>(from) : gathered, n, channel + kStep * i,
                                   result);
    if (!dense_out) scatter(computed, n, to, d.out);
  }
}

// Every row in turn: `outer` counts like an odometer over all dimensions but the last.
template <class In, class Out, class Run>
void run_rows(const unsigned char* in, unsigned char* out, const Layout& layout, Run& run) noexcept {
  const Dimension scalar{1, sizeof(In), sizeof(Out), false};
  const Dimension& inner = layout.rank == 0 ? scalar : layout.dims[layout.rank - 1];
  std::int64_t index[kMaxRank] = {};
  std::int64_t channel = 0;
  for (;;) {
    if (inner.channel) run_row<1, In, Out>(in, out, inner, 0, run);
    else run_row<0, In, Out>(in, out, inner, channel, run);
    int d = layout.rank - 2;
    for (; d >= 0; --d) {
      const Dimension& dim = layout.dims[d];
      const bool next = ++index[d] < dim.size;
      const std::int64_t steps = next ? 1 : 1 - dim.size;
      in += steps * dim.in;
      out += steps * dim.out;
      if (dim.channel) channel += steps;
      if (next) break;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

// Runs `run` over all elements; views and parameters have been checked, the output's own overlap is checked here.
template <class In, class Out, class Run>
Status walk(const TensorView<In>& in, const TensorView<Out>& out, int axis, Run& run) noexcept {
  if (is_empty(in)) return Status::kOk;
  Layout layout = layout_of(in, out, axis);
  if (overlaps_itself(layout, static_cast<std::int64_t>(sizeof(Out)))) return Status::kSelfOverlap;
  merge_neighbours(layout);
  run_rows<typename std::remove_const<In>::type, Out>(reinterpret_cast<const unsigned char*>(in.data),
                                                      reinterpret_cast<unsigned char*>(out.data), layout, run);
  return Status::kOk;
}

}  // namespace detail
}  // namespace halfeven

#endif  // HALFEVEN_WALK_HPP_
