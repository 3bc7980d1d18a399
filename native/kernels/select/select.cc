#include "kernels/select/select.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t lines_together = 64;

std::int64_t offset_of(std::int64_t line, std::span<const std::int64_t> shape, std::span<const std::int64_t> strides) {
  std::int64_t offset = 0;
  for (std::size_t k = shape.size() - 1; k-- > 0;) {
    offset += line % shape[k] * strides[k];
    line /= shape[k];
  }
  return offset;
}

// Calls body(condition, a, b, y) for each line of the last axis.
template <class Body>
void for_each_line(const Choice& task, std::uint8_t* y, const Parallel& parallel, const Body& body) {
  std::int64_t lines = 1;
  for (std::size_t k = 0; k + 1 < task.shape.size(); ++k) lines *= task.shape[k];
  const std::int64_t line_bytes = task.shape.back() * task.item;
  parallel(ceil_div(lines, lines_together), [&](std::int64_t item) {
    for (std::int64_t i = item * lines_together; i < std::min(lines, (item + 1) * lines_together); ++i) {
      const std::uint8_t* condition =
          task.condition == nullptr ? nullptr : task.condition + offset_of(i, task.shape, task.condition_strides);
      body(condition, task.a + offset_of(i, task.shape, task.a_strides),
           task.b + offset_of(i, task.shape, task.b_strides), y + i * line_bytes);
    }
  });
}

template <class Code>
void extremes(const Choice& task, bool largest, std::uint8_t* y, const Parallel& parallel) {
  for_each_line(task, y, parallel,
                [&](const std::uint8_t*, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
                  for (std::int64_t i = 0; i < task.shape.back(); ++i) {
                    const Code p = *reinterpret_cast<const Code*>(a + i * task.a_strides.back());
                    const Code q = *reinterpret_cast<const Code*>(b + i * task.b_strides.back());
                    reinterpret_cast<Code*>(out)[i] = (p > q) == largest ? p : q;
                  }
                });
}

// Elements apart, as numbers or as types: loops over what is repeated or lies side by side become vectors.
template <class Code, class C, class A, class B>
void choose_line(const std::uint8_t* condition, C c_step, const Code* a, A a_step, const Code* b, B b_step,
                 std::int64_t count, Code* y) {
  for (std::int64_t i = 0; i < count; ++i) {
    const Code p = a[i * a_step];
    const Code q = b[i * b_step];
    y[i] = condition[i * c_step] != 0 ? p : q;
  }
}

template <class Code>
void choices(const Choice& task, std::uint8_t* y, const Parallel& parallel) {
  constexpr std::integral_constant<std::int64_t, 0> repeated;
  constexpr std::integral_constant<std::int64_t, 1> next;
  const std::int64_t count = task.shape.back();
  const std::int64_t c_step = task.condition_strides.back();
  const std::int64_t a_step = task.a_strides.back() / task.item;
  const std::int64_t b_step = task.b_strides.back() / task.item;
  for_each_line(task, y, parallel,
                [&](const std::uint8_t* c, const std::uint8_t* first, const std::uint8_t* second, std::uint8_t* out) {
                  const Code* a = reinterpret_cast<const Code*>(first);
                  const Code* b = reinterpret_cast<const Code*>(second);
                  Code* line = reinterpret_cast<Code*>(out);
                  if (c_step == 1 && a_step == 1 && b_step == 1) {
                    choose_line(c, next, a, next, b, next, count, line);
                  } else if (c_step == 1 && a_step == 0 && b_step == 1) {
                    choose_line(c, next, a, repeated, b, next, count, line);
                  } else if (c_step == 1 && a_step == 1 && b_step == 0) {
                    choose_line(c, next, a, next, b, repeated, count, line);
                  } else {
                    choose_line(c, c_step, a, a_step, b, b_step, count, line);
                  }
                });
}

template <class Code>
void reduce(const Code* x, std::int64_t length, std::int64_t inner, bool largest, Code* y) {
  std::copy(x, x + inner, y);
  for (std::int64_t k = 1; k < length; ++k) {
    for (std::int64_t i = 0; i < inner; ++i) {
      const Code q = x[k * inner + i];
      y[i] = largest ? std::max(y[i], q) : std::min(y[i], q);
    }
  }
}

}  // namespace

void choose(const Choice& task, std::uint8_t* y, const Parallel& parallel) {
  switch (task.item) {
    case 1: return choices<std::uint8_t>(task, y, parallel);
    case 2: return choices<std::uint16_t>(task, y, parallel);
    case 4: return choices<std::uint32_t>(task, y, parallel);
    default: return choices<std::uint64_t>(task, y, parallel);
  }
}

void extreme(const Choice& task, bool largest, std::uint8_t* y, const Parallel& parallel) {
  switch (task.item) {
    case 1: return extremes<std::uint8_t>(task, largest, y, parallel);
    case 2: return extremes<std::int16_t>(task, largest, y, parallel);
    default: return extremes<std::int32_t>(task, largest, y, parallel);
  }
}

void reduce_extreme(const void* x, Type type, std::int64_t outer, std::int64_t length, std::int64_t inner, bool largest,
                    void* y, const Parallel& parallel) {
  parallel(outer, [&](std::int64_t o) {
    visit_codes(type, [&](auto code) {
      using Code = decltype(code);
      reduce(static_cast<const Code*>(x) + o * length * inner, length, inner, largest,
             static_cast<Code*>(y) + o * inner);
    });
  });
}

void take(const Take& task, std::uint8_t* y, const Parallel& parallel) {
  constexpr std::int64_t item_bytes = 1 << 15;
  const std::int64_t count = std::ssize(task.index);
  const std::int64_t parts = task.outer * count;
  const std::int64_t together = std::max<std::int64_t>(1, item_bytes / std::max<std::int64_t>(task.bytes, 1));
  parallel(ceil_div(parts, together), [&](std::int64_t item) {
    for (std::int64_t i = item * together; i < std::min(parts, (item + 1) * together); ++i) {
      const std::int64_t place = task.index[static_cast<std::size_t>(i % count)];
      const std::uint8_t* from = task.x + (i / count * task.size + place) * task.bytes;
      std::memcpy(y + i * task.bytes, from, static_cast<std::size_t>(task.bytes));
    }
  });
}

}  // namespace halfeven::native
