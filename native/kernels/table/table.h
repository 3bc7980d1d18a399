// A one-input function over all codes: y = table[q - first].
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/parallel.h"

namespace halfeven::native {

struct Table {
  const void* x;
  Type x_type;  // 8 or 16 bits
  std::int64_t count;
  std::int64_t first;
  const void* entries;
  Type y_type;  // of the entries too
  std::int64_t size;
};

// Throws std::invalid_argument for a code that the table has no entry for.
void look_up(const Table& task, void* y, const Parallel& parallel);

}  // namespace halfeven::native
