// 3x3 convolutions at stride 1, four times fewer products: F(4x4, 3x3) of Winograd in integers, exact. Of a tile d of
// 6x6 bytes and taps w, the 4x4 results are Y = A' (U . V) A with U = G w G' and V = B' d B; here G is scaled by rows
// so that everything is an integer, and Y = 576 S. U and V fit 16 bits for all operands. Sums are taken modulo 2^32,
// which leaves S modulo 2^26: all of it, where no channel's S spans more; the weights tell, see docs/math/winograd.md.
// Weights are kept as they are and transformed at each use, for a block of tiles: that is faster than to read U, which
// takes eight times the room.
// Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
// Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/igemm/igemm.h"

namespace halfeven::native {

inline constexpr int winograd_out = 4;  // a tile's results along an axis
inline constexpr int winograd_in = 6;   // and what they are made from
inline constexpr int winograd_places = winograd_in * winograd_in;
inline constexpr int winograd_taps = 9;
inline constexpr int winograd_depth = 64;                     // whose U is made at a time, for the first cache
inline constexpr int winograd_lanes = 16;                     // channels are padded to a multiple
inline constexpr std::uint32_t winograd_ninth = 0x38e38e39U;  // 9 * this = 1 modulo 2^32
inline constexpr int winograd_shift = 6;                      // 576 = 9 * 2^6

struct WinogradTask {
  const std::uint8_t* input;
  const std::int32_t* offsets;  // [places][tiles]: of each tile's pixels, from input
  std::int64_t tiles;
  std::int64_t depth;          // channels, padded; what is behind those of a pixel meets weights of 0
  const std::int8_t* weights;  // [panel of 16 columns][depth / 2][tap][column][2]
  const std::int32_t* less;    // one a column, rounded up to whole panels: 64 times the middle of S's range
  const std::int32_t* bias;    // the middle is part of it
  const double* multiplier;
  std::int64_t columns;
  std::int64_t height;  // of the results of one image
  std::int64_t width;
  std::int64_t tile_begin;
  std::int64_t tile_end;
  std::int64_t panel_begin;
  std::int64_t panel_end;
  std::uint8_t* out;  // row 0: a row a pixel
  std::int64_t out_stride;
  CodeRule rule;
  const SumWith* sum;  // or null
  void* scratch;       // 64-byte aligned, winograd_scratch_bytes of its tiles
};

// Words between places, so that they are not all in the same lines of the first cache.
constexpr std::int64_t winograd_stride(std::int64_t words) { return words + 32; }

// For V of all tiles, U of one panel, and the sums of one panel.
constexpr std::int64_t winograd_scratch_bytes(std::int64_t depth, std::int64_t tiles) {
  const std::int64_t v = winograd_stride(tiles * depth) * 2;
  const std::int64_t u = winograd_stride(winograd_depth * igemm_lanes) * 2;
  return winograd_places * (v + u + tiles * igemm_lanes * 4);
}

// Called in round-to-nearest mode.
using WinogradKernel = void (*)(const WinogradTask& task);

#define HALFEVEN_KERNEL(in, out, isa) void winograd_##in##_##out##_##isa(const WinogradTask& task);
#include "kernels/winograd/kernels.inc"
#undef HALFEVEN_KERNEL

// nullptr where the set has no kernel of its own: one that it falls back to would be slower than its products.
constexpr WinogradKernel winograd_kernel(Isa isa) {
  switch (isa) {
#define HALFEVEN_KERNEL(in, out, isa) \
  case Isa::isa: return winograd_##in##_##out##_##isa;
#include "kernels/winograd/kernels.inc"
#undef HALFEVEN_KERNEL
    default: return nullptr;
  }
}

}  // namespace halfeven::native
