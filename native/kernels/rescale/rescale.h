// From rows of sums to rows of codes, q = clamp(round(M * acc) + Z): the epilogue of every product, pool and mean.
// The arithmetic is that of the requantize kernels; here is only which of them, with which multipliers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/requantize/requantize.h"

namespace halfeven::native {

// M (one, or one a channel), zero point, clamp and method, as the requantize kernels read them.
class Rescale {
 public:
  // 0 <= m0 < 2^31, total right shifts, and the multipliers as float32; all of one length >= 1.
  // Throws std::invalid_argument where that does not hold.
  Rescale(std::span<const std::int64_t> m0, std::span<const std::int32_t> shift, std::span<const float> real_f32,
          const RequantizeRule& rule);

  std::int64_t channels() const { return static_cast<std::int64_t>(m0_.size()); }
  const RequantizeRule& rule() const { return rule_; }

 private:
  friend class RowWriter;

  std::vector<std::int32_t> m0_;
  std::vector<std::int32_t> shift_;
  std::vector<double> real_;
  std::vector<float> real_f32_;
  RequantizeRule rule_;
};

// A Rescale for one pair of types under one instruction set. The Rescale must outlive it.
class RowWriter {
 public:
  // acc_type is s32 or s64. Throws std::invalid_argument where no kernel has these types.
  RowWriter(const Rescale& rescale, Type acc_type, Type out_type, Isa isa);

  Type acc_type() const { return acc_type_; }
  Type out_type() const { return out_type_; }

  // One multiplier for the row: that of `channel`, or the only one.
  void write(const void* acc, std::int64_t count, std::int64_t channel, void* out) const;

  // Element i has the multiplier of channel `first` + i, or the only one.
  void write_channels(const void* acc, std::int64_t count, std::int64_t first, void* out) const;

 private:
  void run(const void* acc, std::int64_t count, std::int64_t first, bool per_element, void* out) const;

  const Rescale& rescale_;
  Type acc_type_;
  Type out_type_;
  RequantizeKernel kernel_;
};

}  // namespace halfeven::native
