// Products of 16-bit activations with 8-bit weights as two products of bytes. A word x as stored (s16) is
// 256 h + l - 32768 with bytes h and l, so that sum x w = 256 sum h w + sum l w - 32768 sum w, the last part of the
// bias. Each sum of bytes is at most 255 sum |w|, which must stay below 2^31; together they are exact in double. Plain
// data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

// code = clamp(rhe(multiplier (256 h + l + bias)) + zero): every sum an integer below 2^51, |multiplier sum| below
// 2^50.
struct PlanesTask {
  const std::uint8_t* input;
  std::int64_t row_stride;      // bytes between rows of the input, where offsets is null
  const std::int32_t* offsets;  // bytes [taps][offset_stride]: of each row's elements under a tap, from input
  std::int64_t offset_stride;
  std::int64_t taps;
  std::int64_t depth;  // words under a tap
  const std::int8_t* weights;
  const IgemmPanel* panels;
  const double* bias;        // one a column, rounded up to whole vectors
  const double* multiplier;  // as many
  std::int64_t columns;
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t panel_begin;
  std::int64_t panel_end;
  std::uint8_t* out;  // row 0
  std::int64_t out_stride;
  CodeRule rule;
  bool bytes;     // whether codes are u8; else s16
  void* scratch;  // 64-byte aligned, planes_scratch_bytes
};

// Bytes of a plane's row: all taps together, whole tiles.
constexpr std::int64_t planes_row_bytes(std::int64_t taps, std::int64_t depth) {
  return (taps * depth + igemm_tile_depth - 1) / igemm_tile_depth * igemm_tile_depth;
}

// Rows that are cut into planes at a time, a multiple of 16: the second cache holds them.
constexpr std::int64_t planes_rows(std::int64_t taps, std::int64_t depth) {
  constexpr std::int64_t bytes = 512 << 10;
  constexpr std::int64_t unit = 16;
  const std::int64_t rows = bytes / (2 * planes_row_bytes(taps, depth)) / unit * unit;
  return rows > unit ? rows : unit;
}

constexpr std::int64_t planes_scratch_bytes(std::int64_t taps, std::int64_t depth) {
  return 2 * (planes_rows(taps, depth) * planes_row_bytes(taps, depth) + igemm_slack);
}

// Called in round-to-nearest mode.
using PlanesKernel = void (*)(const PlanesTask& task);

#define HALFEVEN_KERNEL(in, out, isa) void planes_##in##_##out##_##isa(const PlanesTask& task);
#include "kernels/planes/kernels.inc"
#undef HALFEVEN_KERNEL

// nullptr where the set has no kernel of its own.
constexpr PlanesKernel planes_kernel(Isa isa) {
  switch (isa) {
#define HALFEVEN_KERNEL(in, out, isa) \
  case Isa::isa: return planes_##in##_##out##_##isa;
#include "kernels/planes/kernels.inc"
#undef HALFEVEN_KERNEL
    default: return nullptr;
  }
}

}  // namespace halfeven::native
