// Convolutions of one channel each: out[row][c] from sum over taps of u8 activations times s8 weights, every channel
// contiguous in memory. Zero points are part of the bias, as for products, see igemm/igemm.h.
// Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

inline constexpr int depthwise_group = 64;  // channels are taken so many at a time
inline constexpr int depthwise_taps = 4;    // taps too, where they are interleaved

struct DepthwiseTask {
  const std::uint8_t* input;
  const std::int32_t* offsets;  // [taps][offset_stride]: of each row's channels under a tap, from input
  std::int64_t offset_stride;
  std::int64_t taps;
  std::int64_t channels;
  const std::int8_t* weights;
  const std::int32_t* bias;  // padded to whole groups, in the order of the weights, as are the multipliers
  const double* multiplier;
  std::int64_t period;  // vectors of weights until they repeat, where they are interleaved
  std::int64_t row_begin;
  std::int64_t row_end;
  // Of every `line` rows, those from run_begin to run_end follow each other in memory under every tap, and in the
  // output: they may be taken as one run of bytes. None where run_begin == run_end.
  std::int64_t line;
  std::int64_t run_begin;
  std::int64_t run_end;
  std::uint8_t* out;  // row 0
  std::int64_t out_stride;
  CodeRule rule;
  std::int32_t* sums;  // not null: sums [row_end - row_begin][channels, in whole groups] instead of codes
};

// Called in round-to-nearest mode.
using DepthwiseKernel = void (*)(const DepthwiseTask& task);

#define HALFEVEN_KERNEL(in, out, isa) void depthwise_##in##_##out##_##isa(const DepthwiseTask& task);
#include "kernels/depthwise/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<DepthwiseKernel> depthwise_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"depthwise_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, depthwise_##in##_##out##_##isa},
#include "kernels/depthwise/kernels.inc"
#undef HALFEVEN_KERNEL
};

// Whether the kernel of `isa` rescales and takes its weights interleaved: [group][taps / 4][vector][channel][4], where
// lane i of vector v holds channel 16 (i / 4) + 4 v + i % 4 of the group. Groups go on over the channels of the next
// pixel until they repeat: `period` groups. Else it gives sums, from [taps][channels].
constexpr bool depthwise_interleaves(Isa isa) { return isa == Isa::avx512_vnni; }

constexpr int interleaved_channel(int vector, int lane) { return lane / 4 * 16 + vector * 4 + lane % 4; }

}  // namespace halfeven::native
