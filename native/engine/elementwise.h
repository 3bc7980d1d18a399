// Quantize, dequantize and requantize whole tensors: channels, threads and the choice of the kernel.
// A tensor is seen as (outer, channels, inner), C-contiguous; parameters hold one entry a channel.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/dequantize/dequantize.h"
#include "kernels/quantize/quantize.h"
#include "kernels/requantize/requantize.h"

namespace halfeven::native {

struct Layout {
  std::int64_t outer;
  std::int64_t channels;
  std::int64_t inner;

  std::int64_t count() const { return outer * channels * inner; }
};

// How to run, never what to compute: every choice gives the same bits.
struct Execution {
  Isa isa;
  int threads;  // at most this many, the caller included; 0: all that this process may use
};

struct Affine {
  std::span<const float> scale;
  std::span<const std::int32_t> zero_point;
};

struct Multipliers {
  std::span<const std::int64_t> m0;
  std::span<const std::int32_t> shift;
  std::span<const float> real_f32;
};

// Returns the number of NaN in x.
std::int64_t quantize(const float* x, void* out, Type out_type, const Affine& affine, const QuantizeRule& rule,
                      const Layout& layout, const Execution& execution);

void dequantize(const void* q, Type in_type, float* out, const Affine& affine, const Layout& layout,
                const Execution& execution);

void requantize(const void* acc, Type acc_type, void* out, Type out_type, const Multipliers& multipliers,
                const RequantizeRule& rule, const Layout& layout, const Execution& execution);

}  // namespace halfeven::native
