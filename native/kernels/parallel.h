// How a kernel hands out its work, without knowing threads: body(item) for each item in [0, items), each exactly once.
#pragma once

#include <cstdint>
#include <functional>

namespace halfeven::native {

// Runs the items in any order, perhaps at once, and returns when all are done. What a body throws comes out of it.
using Parallel = std::function<void(std::int64_t items, const std::function<void(std::int64_t item)>& body)>;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace halfeven::native
