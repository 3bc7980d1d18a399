// A tensor cut into runs that a kernel takes whole: one parameter for all of it, or one an element.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "engine/elementwise.h"

namespace halfeven::native {

// From here on a channel's own elements make a run worth a call; below, parameters are laid out an element each.
inline constexpr std::int64_t min_uniform_run = 64;
// A short pattern of parameters is repeated up to this length, so that runs are long.
inline constexpr std::int64_t min_pattern = 1024;
inline constexpr std::int64_t min_streamed_run = 4096;

struct Run {
  std::int64_t begin;  // first element
  std::int64_t count;
  std::int64_t parameter;  // index of the first parameter
};

class Runs {
 public:
  explicit Runs(const Layout& layout) : layout_(layout) {
    if (layout.channels == 1 || layout.inner >= min_uniform_run) return;
    const std::int64_t period = layout.channels * layout.inner;
    pattern_ = period * std::min((min_pattern + period - 1) / period, layout.outer);
  }

  bool per_element() const { return pattern_ != 0; }

  // Whether runs are long, or begin and end on whole cache lines: where they meet inside a line, streaming is slow.
  bool streamable() const {
    return per_element() ? pattern_ % 64 == 0 : layout_.channels == 1 || layout_.inner >= min_streamed_run;
  }

  // `values`, one a channel, as the kernel reads them; `storage` keeps what had to be repeated.
  template <class T>
  const T* lay_out(std::span<const T> values, std::vector<T>& storage) const {
    if (!per_element() || pattern_ == layout_.channels) return values.data();
    storage.reserve(static_cast<std::size_t>(pattern_));
    for (const T& value : values) storage.insert(storage.end(), static_cast<std::size_t>(layout_.inner), value);
    while (static_cast<std::int64_t>(storage.size()) < pattern_) {  // what is there already, once more
      const std::int64_t missing = pattern_ - static_cast<std::int64_t>(storage.size());
      const std::size_t copied = static_cast<std::size_t>(std::min<std::int64_t>(missing, std::ssize(storage)));
      storage.resize(storage.size() + copied);
      std::copy_n(storage.begin(), copied, storage.end() - static_cast<std::ptrdiff_t>(copied));
    }
    return storage.data();
  }

  // Calls body(Run) for the runs that make up [begin, end).
  template <class Body>
  void for_each(std::int64_t begin, std::int64_t end, Body&& body) const {
    while (begin < end) {
      const Run run = run_at(begin, end);
      body(run);
      begin += run.count;
    }
  }

 private:
  Run run_at(std::int64_t begin, std::int64_t end) const {
    if (per_element()) {
      const std::int64_t offset = begin % pattern_;
      return {begin, std::min(end - begin, pattern_ - offset), offset};
    }
    if (layout_.channels == 1) return {begin, end - begin, 0};
    const std::int64_t row = begin / layout_.inner;
    return {begin, std::min(end, (row + 1) * layout_.inner) - begin, row % layout_.channels};
  }

  Layout layout_;
  std::int64_t pattern_ = 0;
};

}  // namespace halfeven::native
