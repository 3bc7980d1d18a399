// Room for what a step needs only while it works on one part: one a thread, which grows as needed.
#pragma once

#include <cstdint>

#include "kernels/aligned.h"

namespace halfeven::native {

// 64-byte aligned; its content is lost at the next call of the same thread.
inline void* scratch_of(std::int64_t bytes) {
  thread_local AlignedBytes scratch;
  if (static_cast<std::int64_t>(scratch.size()) < bytes) scratch = AlignedBytes(static_cast<std::size_t>(bytes));
  return scratch.data();
}

}  // namespace halfeven::native
