// Views and parameters from a Journey 6 runtime's hbDNNTensorProperties, by its field names alone.
//
// Nothing of the runtime is included: any structure with validShape.{numDimensions, dimensionSize}, stride (bytes),
// alignedByteSize, quantizeAxis and scale.{scaleLen, scaleData, zeroPointLen, zeroPointData} will do.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_HBDNN_HPP_
#define HALFEVEN_HBDNN_HPP_

#include "tensor.hpp"

namespace halfeven {

// The tensor of valid elements at `data`. Dynamic (-1) strides must have been filled in, as the runtime asks too.
template <class T, class Properties>
TensorView<T> view_of(T* data, const Properties& p) noexcept {
  const std::uint64_t size_bytes = p.alignedByteSize > 0 ? static_cast<std::uint64_t>(p.alignedByteSize) : 0;
  return view(data, static_cast<int>(p.validShape.numDimensions), p.validShape.dimensionSize, p.stride, size_bytes);
}

// Its scales and zero points: one, or one a channel along quantizeAxis; no zero points at all means Z = 0.
template <class Properties>
TensorParams params_of(const Properties& p) noexcept {
  TensorParams params;
  params.scale = p.scale.scaleData;
  params.scale_count = p.scale.scaleLen;
  params.zero_point = p.scale.zeroPointData;
  params.zero_point_count = p.scale.zeroPointLen;
  params.axis = static_cast<int>(p.quantizeAxis);
  return params;
}

}  // namespace halfeven

#endif  // HALFEVEN_HBDNN_HPP_
