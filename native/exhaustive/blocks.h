// A range of inputs in blocks, and the tally of its differences.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/float_environment.h"
#include "exhaustive/exhaustive.h"

namespace halfeven::native {

// Long enough for the vector loops, short enough for the first level of cache; odd, so that tails are met too.
inline constexpr std::int64_t check_block = 2047;

class Tally {
 public:
  void add(std::int64_t input) {
    if (differences_.count++ == 0) differences_.first = input;
  }
  Differences differences() const { return differences_; }

 private:
  Differences differences_{0, -1};
};

// Calls body(start, n, tally) for the blocks that make up [first, first + count).
template <class Body>
Differences check_blocks(std::int64_t first, std::int64_t count, const Body& body) {
  const FloatEnvironment environment;
  Tally tally;
  for (std::int64_t done = 0; done < count; done += check_block) {
    body(first + done, std::min(check_block, count - done), tally);
  }
  return tally.differences();
}

}  // namespace halfeven::native
