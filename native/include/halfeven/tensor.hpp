// Quantize and dequantize whole tensors: any rank to 10, any batch, strided and padded, per tensor or per channel.
//
// Source: docs/math/affine.md eq. 2, 5. Only elements are read and written; padding is left as it is.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_TENSOR_HPP_
#define HALFEVEN_TENSOR_HPP_

#include "affine.hpp"
#include "walk.hpp"

namespace halfeven {

// Scales and zero points of a tensor, as boards hand them out: scale_count is 1 (axis is then not looked at, and is
// negative by custom) or the size along axis. Zero points are optional: count 0 means Z = 0.
struct TensorParams {
  const float* scale = nullptr;
  std::int64_t scale_count = 0;
  const std::int32_t* zero_point = nullptr;
  std::int64_t zero_point_count = 0;
  int axis = -1;
  CodeRange range = kInt32;  // narrowed to what the type of the codes can store
};

namespace detail {

inline Status check_values(const TensorParams& p, CodeRange range) noexcept {
  for (std::int64_t i = 0; i < p.scale_count; ++i) {
    if (!soft::is_scale(load_bits(p.scale + i))) return Status::kBadScale;
  }
  for (std::int64_t i = 0; i < p.zero_point_count; ++i) {
    if (!contains(range, p.zero_point[i])) return Status::kBadZeroPoint;
  }
  return p.zero_point_count != 0 || contains(range, 0) ? Status::kOk : Status::kBadZeroPoint;
}

template <class T>
Status check_params(const TensorParams& p, const TensorView<T>& v, CodeRange range) noexcept {
  if (p.scale == nullptr || (p.zero_point == nullptr && p.zero_point_count != 0)) return Status::kNullParams;
  if (p.scale_count != 1) {
    if (p.axis < 0 || p.axis >= v.rank) return Status::kAxisOutOfRange;
    if (p.scale_count != v.shape[p.axis]) return Status::kScaleCount;
  }
  const std::int64_t zeros = p.zero_point_count;
  if (zeros != 0 && zeros != 1 && zeros != p.scale_count) return Status::kZeroPointCount;
  return check_values(p, range);
}

template <class In, class Out>
Status check(const TensorView<In>& in, const TensorView<Out>& out, const TensorParams& p, CodeRange range) noexcept {
  Status status = check_view(in);
  if (status == Status::kOk) status = check_view(out);
  if (status == Status::kOk && !same_shape(in, out)) status = Status::kShapeMismatch;
  if (status == Status::kOk) status = check_params(p, in, range);
  if (status != Status::kOk || is_empty(in)) return status;
  return share_memory(in, out) ? Status::kSharedMemory : Status::kOk;
}

// The parameters that a run of at most kBlock elements needs, from a channel on.
class RunParams {
 public:
  RunParams(const TensorParams& p, CodeRange range) noexcept : p_(p), range_(range) {
    for (std::int32_t& z : shared_) z = p.zero_point_count == 0 ? 0 : p.zero_point[0];
  }

  RowParams at(std::int64_t channel) const noexcept {
    const bool one_each = p_.zero_point_count > 1;
    return {p_.scale + channel, one_each ? p_.zero_point + channel : shared_, range_};
  }

 private:
  const TensorParams& p_;
  CodeRange range_;
  std::int32_t shared_[kBlock];
};

template <class Code>
struct QuantizeRun {
  RunParams params;
  const Profile& profile;
  bool hardware;
  std::size_t nans;

  template <int kStep>
  void operator()(const float* x, std::size_t n, std::int64_t channel, Code* out) noexcept {
    nans += quantize_row<kStep>(x, n, params.at(channel), profile, hardware, out);
  }
};

template <class Code>
struct DequantizeRun {
  RunParams params;
  bool hardware;

  template <int kStep>
  void operator()(const Code* q, std::size_t n, std::int64_t channel, float* out) noexcept {
    dequantize_row<kStep>(q, n, params.at(channel), hardware, out);
  }
};

}  // namespace detail

// Codes of every element of `real` (eq. 2). NaN becomes clamp(Z), and its count goes to *nan_count where given;
// +-inf saturate. Nothing is written unless the result is kOk.
template <class Real, class Code>
Status quantize(const TensorView<Real>& real, const TensorView<Code>& codes, const TensorParams& params,
                const Profile& profile = profiles::journey6, std::size_t* nan_count = nullptr) noexcept {
  static_assert(std::is_same<typename std::remove_const<Real>::type, float>::value, "real values are float32");
  const CodeRange range = intersection(params.range, range_of<Code>());
  Status status = detail::check(real, codes, params, range);
  if (status != Status::kOk) return status;
  const bool hardware = sizeof(Code) < 4 && hardware_is_exact();
  detail::QuantizeRun<Code> run{{params, range}, profile, hardware, 0};
  status = detail::walk(real, codes, params.scale_count == 1 ? -1 : params.axis, run);
  if (nan_count != nullptr) *nan_count = run.nans;
  return status;
}

// Real values of every code (eq. 5). int32 codes, the tails of a network, included.
template <class Code, class Real>
Status dequantize(const TensorView<Code>& codes, const TensorView<Real>& real, const TensorParams& params) noexcept {
  static_assert(std::is_same<Real, float>::value, "real values are float32");
  using Stored = typename std::remove_const<Code>::type;
  const CodeRange range = intersection(params.range, range_of<Stored>());
  const Status status = detail::check(codes, real, params, range);
  if (status != Status::kOk) return status;
  detail::DequantizeRun<Stored> run{{params, range}, hardware_is_exact()};
  return detail::walk(codes, real, params.scale_count == 1 ? -1 : params.axis, run);
}

}  // namespace halfeven

#endif  // HALFEVEN_TENSOR_HPP_
