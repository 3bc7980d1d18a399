// Room for what a kernel needs only while it works on one item: one a thread, which grows as needed and is then kept.
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

// Cuts such room into arrays, each 64-byte aligned.
class Room {
 public:
  explicit Room(void* begin) : next_(static_cast<std::uint8_t*>(begin)) {}

  template <class T>
  static constexpr std::int64_t bytes(std::int64_t count) {
    return (count * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
  }

  template <class T>
  T* take(std::int64_t count) {
    T* found = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(count);
    return found;
  }

 private:
  std::uint8_t* next_;
};

}  // namespace halfeven::native
