// Products of 8-bit activations with packed weights: a convolution seen as a matrix product whose rows are gathered
// through offsets, taps times channels deep. Activations are u8 (a signed code has its top bit flipped), weights s8;
// zero points are part of the bias, so that the inner loop is a plain dot product. Sums wrap at 2^32: exact whenever
// the sum itself fits int32. Plain data and declarations only: files compiled for one instruction set include this.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace halfeven::native {

inline constexpr int igemm_lanes = 16;          // columns are packed in vectors of so many
inline constexpr int igemm_panel_columns = 64;  // no panel is wider
inline constexpr int igemm_step = 4;            // depths are multiples of this

// Columns [column, column + 16 vectors) of the weights, `offset` bytes into them.
struct IgemmPanel {
  std::int32_t column;
  std::int32_t vectors;
  std::int64_t offset;
};

// How a kernel wants the weights of a panel: [k / 4][column][4]; for tiles, 16 columns behind the other.
struct IgemmFormat {
  bool wide;              // whether it widens rows and weights to 16 bits, in its scratch
  int vectors;            // at most, in a panel
  bool writes_codes;      // whether it can rescale; else it gives sums
  bool tiles;             // whether depths are taken 64 at a time
  bool made_signed;       // whether it takes 128 from activations: 128 sum(w) follow each panel of 16 columns, as int32
  bool in_place;          // whether sums with another tensor may be written over it: no row is written twice
  bool looks_up = false;  // whether it applies a task's table
};

inline constexpr std::int64_t igemm_tile_depth = 64;

// The depth, all taps together, that weights are packed for: what is beyond their own is 0.
constexpr std::int64_t igemm_packed_depth(const IgemmFormat& format, std::int64_t depth) {
  if (!format.tiles || depth <= igemm_tile_depth) return depth;
  return (depth + igemm_tile_depth - 1) / igemm_tile_depth * igemm_tile_depth;
}

inline constexpr std::int64_t igemm_slack = igemm_tile_depth;  // may be read behind a row, and written in scratch

// How many rows a kernel gathers in its scratch at a time, a multiple of its tiles' rows; `depth` of all taps together.
constexpr std::int64_t igemm_gathered_rows(const IgemmFormat& format, std::int64_t depth) {
  const std::int64_t bytes = format.wide ? 512 << 10 : 256 << 10;
  const std::int64_t unit = format.wide ? 6 : 32;
  const std::int64_t row =
      format.wide ? 2 * depth : (depth + igemm_tile_depth - 1) / igemm_tile_depth * igemm_tile_depth;
  const std::int64_t rows = bytes / row / unit * unit;
  return rows > unit ? rows : unit;
}

// Bytes of those rows.
constexpr std::int64_t igemm_gathered_bytes(const IgemmFormat& format, std::int64_t depth) {
  const std::int64_t rows = igemm_gathered_rows(format, depth);
  if (format.wide) return (rows + igemm_lanes) * depth * 2;
  if (!format.tiles) return 0;
  return rows * ((depth + igemm_tile_depth - 1) / igemm_tile_depth * igemm_tile_depth) + igemm_slack;
}

// Bytes that a kernel needs beside its task: for tiles, also where each is, 16 bytes for each tap of 16 rows.
constexpr std::int64_t igemm_scratch_bytes(const IgemmFormat& format, std::int64_t taps, std::int64_t depth) {
  const std::int64_t gathered = igemm_gathered_bytes(format, taps * depth);
  return format.tiles ? gathered + igemm_gathered_rows(format, taps * depth) * taps : gathered;
}

// The same for rows that lie in lines: where each tile of them is.
constexpr std::int64_t igemm_line_bytes(std::int64_t rows, std::int64_t tile, std::int64_t taps) {
  constexpr std::int64_t place = 16;
  return (rows / tile + 2) * taps * place;
}

// code = clamp(rhe(multiplier * sum) + zero), all in u8 as stored.
struct CodeRule {
  std::int32_t zero;
  std::int32_t lo;
  std::int32_t hi;
};

// The same sum in integers, rhe((a code + b other + constant) 2^-shift), where 16 bits hold a and b: one instruction
// for a pair of words. pair == 0: they do not.
struct WordSum {
  std::int32_t pair;  // a, and b in the upper half
  std::int32_t constant;
  float unit;  // 2^-shift
};

// code = clamp(rhe(a * code + b * other + constant) + zero): a sum of two tensors, every term an integer of at most 24
// bits times one power of two, hence exact in float32.
struct SumRule {
  float a;
  float b;
  float constant;
  CodeRule code;
  WordSum words{};  // made by with_words
};

// `rule` with its sum in words, where there is one.
constexpr SumRule with_words(SumRule rule) {
  constexpr int most_shift = 46;
  constexpr double most = 32767;
  double unit = 1;
  rule.words = {};
  for (int shift = 0; shift <= most_shift; ++shift, unit /= 2) {
    const double a = rule.a / unit;
    const double b = rule.b / unit;
    const double constant = rule.constant / unit;
    if (a < 0 || b < 0 || a > most || b > most) break;
    const auto m = static_cast<std::int32_t>(a);
    const auto n = static_cast<std::int32_t>(b);
    const auto c = static_cast<std::int64_t>(constant);
    if (m != a || n != b || static_cast<double>(c) != constant) continue;
    rule.words = {m + n * 65536, static_cast<std::int32_t>(c), static_cast<float>(unit)};
    break;
  }
  return rule;
}

// Where the other tensor is: its row r at codes + r * stride, igemm_slack bytes readable behind the last.
struct SumWith {
  const std::uint8_t* codes;
  std::int64_t stride;
  SumRule rule;
};

// Rows that lie in lines, each at a stride: row r of the product at (r / rows - first) * line_bytes + r % rows *
// row_bytes. Tiles of `tile` rows, of which a line has a whole number, then need no gathering. All bytes multiples of
// cache lines.
struct IgemmLines {
  std::int64_t rows;   // of a line; 0: they do not
  std::int64_t first;  // line of the product that the input begins with
  std::int64_t line_bytes;
  std::int64_t row_bytes;
  int tile;
};

struct IgemmTask {
  const std::uint8_t* input;
  std::int64_t row_stride;      // between rows of the input, where offsets is null
  const std::int32_t* offsets;  // [taps][offset_stride]: of each row's elements under a tap, from input
  IgemmLines lines;             // for formats of tiles: then `offsets` has one a tap, from each row on
  std::int64_t offset_stride;
  std::int64_t taps;
  std::int64_t depth;  // bytes under a tap
  const void* weights;
  const IgemmPanel* panels;
  const std::int32_t* bias;  // one a column, rounded up to whole vectors
  const double* multiplier;  // as many
  std::int64_t columns;
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t panel_begin;
  std::int64_t panel_end;
  std::uint8_t* out;  // row 0
  std::int64_t out_stride;
  CodeRule rule;
  const SumWith* sum;  // or null
  // Not null: each code becomes table[code], of 256 entries on a cache line. For kernels that do so alone, see
  // IgemmFormat.
  const std::uint8_t* table;
  std::int32_t* sums;  // not null: sums of one panel, [row_end - row_begin][64], instead of codes
  void* scratch;       // 64-byte aligned, igemm_scratch_bytes
};

// Called in round-to-nearest mode.
using IgemmKernel = void (*)(const IgemmTask& task);

#define HALFEVEN_KERNEL(in, out, isa) void igemm_##in##_##out##_##isa(const IgemmTask& task);
#include "kernels/igemm/kernels.inc"
#undef HALFEVEN_KERNEL

inline constexpr Kernel<IgemmKernel> igemm_kernels[] = {
#define HALFEVEN_KERNEL(in, out, isa) \
  {"igemm_" #in "_" #out "_" #isa, Type::in, Type::out, Isa::isa, igemm_##in##_##out##_##isa},
#include "kernels/igemm/kernels.inc"
#undef HALFEVEN_KERNEL
};

constexpr IgemmFormat igemm_format(Isa isa) {
  switch (isa) {
    case Isa::avx512_amx: return {false, 2, true, true, false, true, true};
    case Isa::avx512_vnni: return {false, 4, true, false, false, true};
    case Isa::avx_vnni: return {false, 1, true, false, false, false};
    case Isa::avx2: return {true, 1, true, false, false, false};
    case Isa::neon:
    case Isa::neon_dotprod: return {false, 1, true, false, true, false};
    default: return {false, 1, false, false, false, false};
  }
}

}  // namespace halfeven::native
