// A function of codes that a step applies to whatever it writes, while that is in the cache.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "kernels/rows/rows.h"

namespace halfeven::native {

class CodeTable {
 public:
  static constexpr std::size_t codes = 256;

  explicit CodeTable(Isa isa) : look_up_(find_kernel(row_kernels, Type::u8, Type::u8, isa)->function.look_up) {}

  bool empty() const { return empty_; }
  // The entries on a cache line, for kernels that look up by themselves; null where there is no function.
  const std::uint8_t* entries() const { return empty_ ? nullptr : entries_.data(); }

  // From now on, `next` of what there was.
  void follow_with(std::span<const std::uint8_t, codes> next) {
    if (empty_) {
      std::copy(next.begin(), next.end(), entries_.begin());
    } else {
      for (std::uint8_t& entry : entries_) entry = next[entry];
    }
    empty_ = false;
  }

  void apply(const std::uint8_t* x, std::uint8_t* y, std::int64_t count) const {
    look_up_(y, x, count, entries_.data());
  }

  // In place, where there is a function.
  void apply(std::uint8_t* y, std::int64_t count) const {
    if (!empty_) apply(y, y, count);
  }

  // `rows` of them, `stride` apart.
  void apply(std::uint8_t* y, std::int64_t count, std::int64_t rows, std::int64_t stride) const {
    if (count == stride) return apply(y, rows * count);
    for (std::int64_t r = 0; r < rows; ++r) apply(y + r * stride, count);
  }

 private:
  alignas(64) std::array<std::uint8_t, codes> entries_{};
  bool empty_ = true;
  void (*look_up_)(std::uint8_t* out, const std::uint8_t* x, std::int64_t count, const std::uint8_t* table);
};

}  // namespace halfeven::native
