// Depthwise convolution: for each output channel one plane, row by row, tap by tap.
#include <algorithm>
#include <type_traits>

#include "kernels/conv/conv.h"
#include "kernels/eltwise/codes.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

// T: centered codes and weights. Acc: the sums.
template <class T, class Acc>
class Depthwise {
 public:
  Depthwise(const Conv& task, const RowWriter& writer, void* y)
      : task_(task), w_(task.window), writer_(writer), y_(y), extent_(w_.extent()) {}

  void run(const Parallel& parallel) const {
    const std::int64_t outputs = task_.groups * task_.outputs;
    parallel(task_.samples * outputs, [=, this](std::int64_t i) { plane(i / outputs, i % outputs); });
  }

 private:
  void plane(std::int64_t sample, std::int64_t output) const {
    const std::int64_t taps = task_.taps();
    const std::int64_t count = product(w_.out);
    Room room(scratch_of(Room::bytes<T>(product(extent_)) + Room::bytes<T>(taps) + Room::bytes<Acc>(count)));
    T* image = room.take<T>(product(extent_));
    T* weight = room.take<T>(taps);
    Acc* acc = room.take<Acc>(count);
    pad(sample * task_.groups + output / task_.outputs, image);
    center(task_.weight_type, at(task_.weight, task_.weight_type, output * taps), 1, taps,
           task_.weight_zero_point_of(output), weight);
    std::fill(acc, acc + count, static_cast<Acc>(task_.bias[static_cast<std::size_t>(output)]));
    for (std::int64_t d = 0; d < w_.out[0]; ++d) {
      for (std::int64_t h = 0; h < w_.out[1]; ++h) {
        const T* in = image + (d * w_.strides[0] * extent_[1] + h * w_.strides[1]) * extent_[2];
        add_row(in, weight, acc + (d * w_.out[1] + h) * w_.out[2]);
      }
    }
    writer_.write(acc, count, output,
                  at(y_, writer_.out_type(), (sample * task_.groups * task_.outputs + output) * count));
  }

  // One input plane, centered, with its padding.
  void pad(std::int64_t plane, T* image) const {
    std::fill(image, image + product(extent_), T{0});
    const std::int64_t depth = std::min(w_.in[0], extent_[0] - w_.begins[0]);
    const std::int64_t height = std::min(w_.in[1], extent_[1] - w_.begins[1]);
    const std::int64_t width = std::min(w_.in[2], extent_[2] - w_.begins[2]);
    for (std::int64_t d = 0; d < depth; ++d) {
      for (std::int64_t h = 0; h < height; ++h) {
        const std::int64_t from = ((plane * w_.in[0] + d) * w_.in[1] + h) * w_.in[2];
        const std::int64_t to = ((d + w_.begins[0]) * extent_[1] + h + w_.begins[1]) * extent_[2] + w_.begins[2];
        center(task_.x_type, at(task_.x, task_.x_type, from), 1, width, task_.x_zero_point, image + to);
      }
    }
  }

  // A row of outputs: `in` is the first tap of its first window.
  void add_row(const T* in, const T* weight, Acc* acc) const {
    const std::int64_t plane = w_.dilations[0] * extent_[1] * extent_[2];
    const std::int64_t row = w_.dilations[1] * extent_[2];
    for (std::int64_t i = 0; i < w_.kernel[0]; ++i) {
      for (std::int64_t j = 0; j < w_.kernel[1]; ++j) {
        for (std::int64_t k = 0; k < w_.kernel[2]; ++k) {
          add_tap(in + i * plane + j * row + k * w_.dilations[2], *weight++, acc);
        }
      }
    }
  }

  void add_tap(const T* in, T weight, Acc* acc) const {
    const std::int64_t count = w_.out[2];
    const std::int64_t stride = w_.strides[2];
    const Acc factor = weight;
    if (stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) acc[i] += static_cast<Acc>(in[i]) * factor;
    } else {
      for (std::int64_t i = 0; i < count; ++i) acc[i] += static_cast<Acc>(in[i * stride]) * factor;
    }
  }

  const Conv& task_;
  const Window& w_;
  const RowWriter& writer_;
  void* y_;
  Sizes extent_;
};

}  // namespace

void depthwise_conv(const Conv& task, const RowWriter& writer, void* y, const Parallel& parallel) {
  const auto [lo, hi] = std::minmax_element(task.weight_zero_point.begin(), task.weight_zero_point.end());
  const CenteredRange weight = centered_range(task.weight_type, *lo, *hi);
  const CenteredRange x = centered_range(task.x_type, task.x_zero_point);
  if (!x.fits<std::int32_t>() || !weight.fits<std::int32_t>()) {
    throw std::invalid_argument("products of int32 codes are not supported: codes of 8 or 16 bits are");
  }
  if (writer.acc_type() == Type::s64) {
    Depthwise<std::int32_t, std::int64_t>(task, writer, y).run(parallel);
  } else if (x.fits<std::int16_t>() && weight.fits<std::int16_t>()) {
    Depthwise<std::int16_t, std::int32_t>(task, writer, y).run(parallel);
  } else {
    Depthwise<std::int32_t, std::int32_t>(task, writer, y).run(parallel);
  }
}

}  // namespace halfeven::native
