// Functions of one and of two inputs over all codes: y = table[q - first].
#pragma once

#include <cstdint>
#include <span>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

struct Table {
  const void* x;
  Type x_type;  // 8 or 16 bits
  std::int64_t count;
  std::int64_t first;
  const void* entries;
  Type y_type;                // of the entries too
  std::int64_t size;          // entries; of a channel where there are several
  std::int64_t above = 0;     // what stands for a code, less the code
  std::int64_t channels = 1;  // each has a table of its own
  std::int64_t inner = 1;     // x and y are (outer, channels, inner)
};

// Throws std::invalid_argument for a code that the table has no entry for.
void look_up(const Table& task, void* y, const Parallel& parallel);

// One side of a pair of codes; strides are elements between neighbours along the result's axes, 0 where repeated.
struct TableSide {
  const void* codes;
  Type type;  // 8 or 16 bits
  std::span<const std::int64_t> strides;
  std::int64_t first;
  std::int64_t size;   // rows of the table for a, columns for b
  std::int64_t above;  // what stands for a code, less the code
};

// y = entries[a - a.first, b - b.first] over `shape`, of at least one axis.
struct PairTable {
  std::span<const std::int64_t> shape;
  TableSide a;
  TableSide b;
  const void* entries;
  Type y_type;
};

// Throws std::invalid_argument for a code that the table has no row or column for.
void look_up_pairs(const PairTable& task, void* y, const Parallel& parallel);

}  // namespace halfeven::native
