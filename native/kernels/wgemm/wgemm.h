// Products of 16-bit activations with packed weights, see igemm/igemm.h: both sides s16 (codes of 8 bits widened, u16
// with the top bit flipped), zero points part of the bias. Sums are int32 modulo 2^32, exact whenever the sum itself
// fits; or int64, made of int32 sums of segments of the depth, each of which is proved to fit from the weights
// themselves. Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

inline constexpr std::int64_t wgemm_step = 2;  // elements: depths are multiples of this

// Sums of one panel: rows [row_begin, row_end), out[row - row_begin][64].
struct WgemmTask {
  const std::uint8_t* input;
  std::int64_t row_stride;      // bytes between rows of the input, where offsets is null
  const std::int32_t* offsets;  // bytes [taps][offset_stride]: of each row's elements under a tap, from input
  std::int64_t offset_stride;
  std::int64_t taps;
  std::int64_t depth;                // elements under a tap
  const std::int16_t* weights;       // of the panel, [depth / 2][columns][2]
  int vectors;                       // columns of the panel, in vectors of 16
  const std::int64_t* bias;          // one a column of the panel
  const std::int64_t* segment_ends;  // elements of all taps together, multiples of 2; the last is taps * depth
  std::int64_t segments;             // 1: sums are int32, modulo 2^32; more: int64
  std::int64_t row_begin;
  std::int64_t row_end;
  void* sums;
};

// Depthwise: sums of channels [begin, end) of one row, out[channel - begin], int32 modulo 2^32 or int64.
struct WideDepthwiseTask {
  const std::uint8_t* input;
  const std::int32_t* offsets;  // bytes, one a tap, offset_stride apart
  std::int64_t offset_stride;
  std::int64_t taps;
  const std::int16_t* weights;  // [taps][channels]
  std::int64_t channels;
  const std::int64_t* bias;  // one a channel
  std::int64_t begin;
  std::int64_t end;
  bool wide;  // int64
  void* sums;
};

// out[i] = clamp(rhe(m[i] sums[i]) + zero) by one fused multiply-add, for |sums| < 2^51 and |m sums| < 2^50: codes as
// stored, s16 or u8.
struct WideRescale {
  const std::int64_t* sums;
  const double* multiplier;
  std::int64_t count;
  CodeRule rule;
  bool bytes;  // u8
  void* out;
};

// out[i] = clamp(rhe(a x[i] + b y[i] + constant) + zero): every term an integer of at most 50 bits times one power of
// two, hence exact in double.
struct WideSum {
  const std::int16_t* x;
  const std::int16_t* y;
  std::int64_t count;
  double a;
  double b;
  double constant;
  CodeRule rule;
  bool bytes;
  void* out;
};

// sums[i] = 256 high[i] + low[i], added to what is there where `more`.
struct JoinHalves {
  const std::int32_t* high;
  const std::int32_t* low;
  std::int64_t count;
  bool more;
  std::int64_t* sums;
};

struct WideKernels {
  void (*product)(const WgemmTask& task);
  void (*depthwise)(const WideDepthwiseTask& task);
  void (*rescale)(const WideRescale& task);
  void (*sum)(const WideSum& task);
  void (*join)(const JoinHalves& task);
};

#define HALFEVEN_KERNEL(in, out, isa)                                      \
  void wgemm_##in##_##out##_##isa(const WgemmTask& task);                  \
  void wide_depthwise_##in##_##out##_##isa(const WideDepthwiseTask& task); \
  void wide_rescale_##in##_##out##_##isa(const WideRescale& task);         \
  void wide_sum_##in##_##out##_##isa(const WideSum& task);                 \
  void join_halves_##in##_##out##_##isa(const JoinHalves& task);
#include "kernels/wgemm/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<WideKernels> wide_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa)                                                                   \
  {"wgemm_" #in "_" #out "_" #isa,                                                                      \
   Type::in,                                                                                            \
   Type::out,                                                                                           \
   Isa::isa,                                                                                            \
   {wgemm_##in##_##out##_##isa, wide_depthwise_##in##_##out##_##isa, wide_rescale_##in##_##out##_##isa, \
    wide_sum_##in##_##out##_##isa, join_halves_##in##_##out##_##isa}},
#include "kernels/wgemm/kernels.inc"
#undef HALFEVEN_KERNEL
};

// Vectors of columns in a panel, at most.
constexpr int wgemm_vectors(Isa isa) {
  switch (isa) {
    case Isa::avx512_amx:
    case Isa::avx512_vnni:
    case Isa::avx512: return 4;
    default: return 1;
  }
}

}  // namespace halfeven::native
