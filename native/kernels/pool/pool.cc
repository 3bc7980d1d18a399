#include "kernels/pool/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/eltwise/codes.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

// Calls body(in, stride, out, count) for every tap of every row of windows: the elements under the tap, only those that
// are inside the input, and the windows that they belong to. `out` counts windows from the first of the plane.
template <class Code, class Body>
void for_each_tap(const Window& w, const Code* plane, const Body& body) {
  for (std::int64_t i = 0; i < w.kernel[0]; ++i) {
    const Window::Inside depth = w.inside(0, i);
    for (std::int64_t j = 0; j < w.kernel[1]; ++j) {
      const Window::Inside height = w.inside(1, j);
      for (std::int64_t k = 0; k < w.kernel[2]; ++k) {
        const Window::Inside width = w.inside(2, k);
        const std::int64_t count = width.last - width.first;
        if (count == 0) continue;
        for (std::int64_t d = depth.first; d < depth.last; ++d) {
          for (std::int64_t h = height.first; h < height.last; ++h) {
            const std::int64_t row = (depth.position + d * w.strides[0]) * w.in[1] + height.position + h * w.strides[1];
            body(plane + row * w.in[2] + width.position + width.first * w.strides[2], w.strides[2],
                 (d * w.out[1] + h) * w.out[2] + width.first, count);
          }
        }
      }
    }
  }
}

template <class Code>
void max_plane(const Window& w, const Code* x, Code* y) {
  std::fill(y, y + product(w.out), std::numeric_limits<Code>::min());
  for_each_tap(w, x, [y](const Code* in, std::int64_t stride, std::int64_t out, std::int64_t count) {
    Code* best = y + out;
    if (stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) best[i] = std::max(best[i], in[i]);
    } else {
      for (std::int64_t i = 0; i < count; ++i) best[i] = std::max(best[i], in[i * stride]);
    }
  });
}

template <class Acc, class Code>
void sum_plane(const Window& w, const Code* x, std::int64_t zero_point, Acc* acc) {
  const Acc zero = static_cast<Acc>(zero_point);
  for_each_tap(w, x, [acc, zero](const Code* in, std::int64_t stride, std::int64_t out, std::int64_t count) {
    Acc* sum = acc + out;
    if (stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) sum[i] += static_cast<Acc>(in[i]) - zero;
    } else {
      for (std::int64_t i = 0; i < count; ++i) sum[i] += static_cast<Acc>(in[i * stride]) - zero;
    }
  });
}

template <class Acc>
void average_plane(const Pool& task, std::int64_t zero_point, const RowWriter& writer, std::int64_t plane, void* y) {
  const std::int64_t count = product(task.window.out);
  auto* acc = static_cast<Acc*>(scratch_of(Room::bytes<Acc>(count)));
  std::fill(acc, acc + count, Acc{0});
  visit_codes(task.type, [&](auto code) {
    const auto* x = static_cast<const decltype(code)*>(task.x) + plane * product(task.window.in);
    sum_plane(task.window, x, zero_point, acc);
  });
  writer.write_channels(acc, count, 0, at(y, writer.out_type(), plane * count));
}

}  // namespace

void max_pool(const Pool& task, void* y, const Parallel& parallel) {
  const Window& w = task.window;
  parallel(task.planes, [&](std::int64_t plane) {
    visit_codes(task.type, [&](auto code) {
      using Code = decltype(code);
      max_plane(w, static_cast<const Code*>(task.x) + plane * product(w.in),
                static_cast<Code*>(y) + plane * product(w.out));
    });
  });
}

void average_pool(const Pool& task, std::int64_t x_zero_point, const RowWriter& writer, void* y,
                  const Parallel& parallel) {
  parallel(task.planes, [&](std::int64_t plane) {
    if (writer.acc_type() == Type::s32) {
      average_plane<std::int32_t>(task, x_zero_point, writer, plane, y);
    } else {
      average_plane<std::int64_t>(task, x_zero_point, writer, plane, y);
    }
  });
}

void float_average_pool(const Pool& task, const FloatAverage& rule, void* y, const Parallel& parallel) {
  const std::int64_t windows = product(task.window.out);
  parallel(task.planes, [&](std::int64_t plane) {
    Room room(scratch_of(Room::bytes<float>(windows) + Room::bytes<std::int32_t>(windows)));
    auto* sums = room.take<float>(windows);
    auto* codes = room.take<std::int32_t>(windows);
    std::fill(sums, sums + windows, 0.0F);  // from +0: what lies outside adds +0
    visit_codes(task.type, [&](auto code) {
      using Code = decltype(code);
      constexpr std::int64_t first = std::numeric_limits<Code>::min();
      const auto* x = static_cast<const Code*>(task.x) + plane * product(task.window.in);
      for_each_tap(task.window, x, [&](const Code* in, std::int64_t stride, std::int64_t out, std::int64_t count) {
        float* sum = sums + out;
        for (std::int64_t i = 0; i < count; ++i) {
          sum[i] += rule.reals[static_cast<std::size_t>(in[i * stride] - first)];
        }
      });
    });
    for (std::int64_t i = 0; i < windows; ++i) {
      const float inside =
          std::nearbyint(sums[i] / rule.counts[static_cast<std::size_t>(i)] / rule.y_scale + rule.added);
      const double whole = static_cast<double>(inside) - rule.added + static_cast<double>(rule.zero_point);
      codes[i] =
          static_cast<std::int32_t>(std::clamp(whole, static_cast<double>(rule.qmin), static_cast<double>(rule.qmax)));
    }
    store_codes(codes, windows, rule.y_type, at(y, rule.y_type, plane * windows));
  });
}

}  // namespace halfeven::native
