// Non-owning views of strided, padded tensors, as boards hand them out, and what can be wrong with them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_VIEW_HPP_
#define HALFEVEN_VIEW_HPP_

#include <cstddef>
#include <cstdint>

#include "codes.hpp"
#include "softfloat.hpp"

namespace halfeven {

inline constexpr int kMaxRank = 10;

enum class Status : std::uint8_t {
  kOk = 0,
  kNullData,
  kBadRank,
  kBadShape,
  kBadStride,
  kMisaligned,
  kOutsideBuffer,
  kSelfOverlap,
  kShapeMismatch,
  kSharedMemory,
  kNullParams,
  kAxisOutOfRange,
  kScaleCount,
  kZeroPointCount,
  kBadScale,
  kBadZeroPoint,
};

// What is wrong and what to do, in one line.
constexpr const char* message(Status status) noexcept {
  switch (status) {
    case Status::kOk: return "ok";
    case Status::kNullData: return "data is null: allocate the tensor before passing its view";
    case Status::kBadRank: return "rank must be 0 to 10";
    case Status::kBadShape: return "a dimension is negative: replace dynamic dimensions (-1) by their size first";
    case Status::kBadStride: return "a stride is negative: replace dynamic strides (-1) by their value in bytes first";
    case Status::kMisaligned: return "data or a stride is no multiple of the element size: strides are in bytes";
    case Status::kOutsideBuffer: return "shape and strides reach beyond size_bytes, or beyond the address space";
    case Status::kSelfOverlap: return "elements of the output overlap: strides are in bytes, and none may be 0";
    case Status::kShapeMismatch: return "input and output differ in shape";
    case Status::kSharedMemory: return "input and output share memory: give the output its own buffer";
    case Status::kNullParams: return "scale is null, or zero_point is null although zero_point_count is not 0";
    case Status::kAxisOutOfRange: return "axis is no dimension of the tensor, though there is more than one scale";
    case Status::kScaleCount: return "scale_count must be 1 or the size of the tensor along axis";
    case Status::kZeroPointCount: return "zero_point_count must be 0, 1 or scale_count";
    case Status::kBadScale: return "a scale is not a finite, positive, normal float32";
    case Status::kBadZeroPoint: return "a zero point lies outside the range of codes";
  }
  return "unknown status";
}

// Elements at data + sum(index[d] * stride[d]), strides in BYTES. Padding lies between elements and is never touched.
template <class T>
struct TensorView {
  T* data = nullptr;
  int rank = 0;
  std::int64_t shape[kMaxRank] = {};
  std::int64_t stride[kMaxRank] = {};
  std::uint64_t size_bytes = 0;  // of the buffer, to check against; 0: unknown
};

// A view of rank dimensions: `shape` without padding, `stride` in bytes (such as a board's validShape and stride).
template <class T, class Dimension, class Stride>
TensorView<T> view(T* data, int rank, const Dimension* shape, const Stride* stride,
                   std::uint64_t size_bytes = 0) noexcept {
  TensorView<T> v;
  v.data = data;
  v.rank = rank;
  v.size_bytes = size_bytes;
  for (int d = 0; d < rank && d < kMaxRank; ++d) {
    v.shape[d] = static_cast<std::int64_t>(shape[d]);
    v.stride[d] = static_cast<std::int64_t>(stride[d]);
  }
  return v;
}

// A view of dense data in C order. A shape too large to address gets stride -1, which no function accepts.
template <class T, class Dimension>
TensorView<T> contiguous_view(T* data, int rank, const Dimension* shape, std::uint64_t size_bytes = 0) noexcept {
  TensorView<T> v = view(data, rank, shape, shape, size_bytes);
  std::int64_t step = static_cast<std::int64_t>(sizeof(T));
  for (int d = (rank < kMaxRank ? rank : kMaxRank) - 1; d >= 0; --d) {
    v.stride[d] = step;
    if (v.shape[d] > 0 && step > 0) step = step <= INT64_MAX / v.shape[d] ? step * v.shape[d] : -1;
  }
  return v;
}

namespace detail {

template <class T>
bool is_empty(const TensorView<T>& v) noexcept {
  for (int d = 0; d < v.rank; ++d) {
    if (v.shape[d] == 0) return true;
  }
  return false;
}

// Bytes from data to the end of the last element, or -1 beyond the address space. Shape and strides are not negative.
template <class T>
std::int64_t extent_of(const TensorView<T>& v) noexcept {
  const std::int64_t limit = static_cast<std::int64_t>(PTRDIFF_MAX);
  std::int64_t extent = static_cast<std::int64_t>(sizeof(T));
  for (int d = 0; d < v.rank; ++d) {
    const std::int64_t steps = v.shape[d] - 1;
    if (steps > 0 && v.stride[d] > (limit - extent) / steps) return -1;
    extent += steps * v.stride[d];
  }
  return extent;
}

template <class T>
Status check_strides(const TensorView<T>& v) noexcept {
  for (int d = 0; d < v.rank; ++d) {
    if (v.shape[d] <= 1) continue;  // never stepped along
    if (v.stride[d] < 0) return Status::kBadStride;
    if (v.stride[d] % static_cast<std::int64_t>(sizeof(T)) != 0) return Status::kMisaligned;
  }
  return reinterpret_cast<std::uintptr_t>(v.data) % sizeof(T) == 0 ? Status::kOk : Status::kMisaligned;
}

// Everything about one view but whether its elements overlap.
template <class T>
Status check_view(const TensorView<T>& v) noexcept {
  if (v.rank < 0 || v.rank > kMaxRank) return Status::kBadRank;
  for (int d = 0; d < v.rank; ++d) {
    if (v.shape[d] < 0) return Status::kBadShape;
  }
  if (is_empty(v)) return Status::kOk;
  if (v.data == nullptr) return Status::kNullData;
  const Status strides = check_strides(v);
  if (strides != Status::kOk) return strides;
  const std::int64_t extent = extent_of(v);
  const bool outside = extent < 0 || (v.size_bytes != 0 && static_cast<std::uint64_t>(extent) > v.size_bytes);
  return outside ? Status::kOutsideBuffer : Status::kOk;
}

template <class A, class B>
bool same_shape(const TensorView<A>& a, const TensorView<B>& b) noexcept {
  if (a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d) {
    if (a.shape[d] != b.shape[d]) return false;
  }
  return true;
}

template <class A, class B>
bool share_memory(const TensorView<A>& a, const TensorView<B>& b) noexcept {
  const std::uintptr_t p = reinterpret_cast<std::uintptr_t>(a.data), q = reinterpret_cast<std::uintptr_t>(b.data);
  return p < q ? q - p < static_cast<std::uintptr_t>(extent_of(a)) : p - q < static_cast<std::uintptr_t>(extent_of(b));
}

}  // namespace detail
}  // namespace halfeven

#endif  // HALFEVEN_VIEW_HPP_
