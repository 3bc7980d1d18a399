// Convolutions of one channel each: out[row][c] from sum over taps of u8 activations times s8 weights, every channel
// contiguous in memory. Zero points are part of the bias, as for products, see igemm/igemm.h.
// Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

inline constexpr int depthwise_width = 64;  // rows of sums are a multiple of this

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

// How a kernel wants its weights. Where `group` is 0 it gives sums, from [taps][channels]. Else it rescales too, and
// its weights are interleaved: [group][taps / n][vector of 4][lane][n taps], as s8 or s16, where lane i of vector v
// holds channel 16 (i / 4) + 4 v + i % 4 of the group. Groups go on over the channels of the next pixel until they
// repeat: `period` groups.
struct DepthwiseFormat {
  int group;  // channels
  int taps;   // that are neighbours
  bool wide;
};

constexpr DepthwiseFormat depthwise_format(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni: return {64, 4, false};
    case Isa::avx_vnni: return {32, 4, false};
    case Isa::avx2: return {32, 2, true};
    case Isa::neon: return {16, 1, false};
    default: return {0, 1, false};
  }
}

constexpr int interleaved_channel(int vector, int lane) { return lane / 4 * 16 + vector * 4 + lane % 4; }

// How many rows from `row` on can be taken as one run.
constexpr std::int64_t depthwise_run(const DepthwiseTask& task, std::int64_t row) {
  const std::int64_t place = row % task.line;
  if (task.sums != nullptr || place < task.run_begin || place >= task.run_end) return 1;
  return task.run_end - place < task.row_end - row ? task.run_end - place : task.row_end - row;
}

}  // namespace halfeven::native
