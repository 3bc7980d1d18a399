// Comparing and choosing elements: no arithmetic. Elements are bytes or words in an order that is their codes' order
// (u8, s16, s32), or of any other type that is chosen and not compared.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

// y (C order over `shape`) = condition ? a : b; strides are bytes, 0 where an operand is repeated.
struct Choice {
  std::span<const std::int64_t> shape;
  const std::uint8_t* condition;
  std::span<const std::int64_t> condition_strides;
  const std::uint8_t* a;
  std::span<const std::int64_t> a_strides;
  const std::uint8_t* b;
  std::span<const std::int64_t> b_strides;
  std::int64_t item;  // 1, 2, 4 or 8 bytes
};

void choose(const Choice& task, std::uint8_t* y, const Parallel& parallel);

// The same of a and b alone: the larger, or the smaller. u8, s16 or s32 by their size.
void extreme(const Choice& task, bool largest, std::uint8_t* y, const Parallel& parallel);

// y (outer, inner): the largest or smallest of x (outer, length, inner), length >= 1.
void reduce_extreme(const void* x, Type type, std::int64_t outer, std::int64_t length, std::int64_t inner, bool largest,
                    void* y, const Parallel& parallel);

// y (outer, index, bytes) = x (outer, size, bytes): the parts that `index` names, each in [0, size).
struct Take {
  const std::uint8_t* x;
  std::int64_t outer;
  std::int64_t size;
  std::int64_t bytes;
  std::span<const std::int64_t> index;
};

void take(const Take& task, std::uint8_t* y, const Parallel& parallel);

}  // namespace halfeven::native
