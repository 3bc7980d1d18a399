// Convolution as dot products: the input is laid out channels last, the elements of each window become one row
// ((tap, channel), as the weights are packed), and each output is the product of two rows.
#include "kernels/conv/conv.h"

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/gemm/operands.h"
#include "kernels/gemm/sums.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t panel_bytes = 256 << 10;  // the rows of a tile of windows, together: half of a usual L2
constexpr std::int64_t max_windows = 128;        // of a tile
constexpr std::int64_t tile_outputs = 16;
constexpr std::int64_t image_bytes = 64 << 20;  // of the samples that are laid out at once
constexpr std::int64_t wanted_items = 64;       // enough to share among threads evenly

CenteredRange weight_range(const Conv& task) {
  const auto [lo, hi] = std::minmax_element(task.weight_zero_point.begin(), task.weight_zero_point.end());
  return centered_range(task.weight_type, *lo, *hi);
}

template <class T>
class Convolution {
 public:
  Convolution(const Conv& task, const Operands& operands, const RowWriter* writer, void* y, Room room)
      : task_(task), w_(task.window), operands_(operands), writer_(writer), y_(y), extent_(w_.extent()) {
    // Where a window is one pixel, that pixel's channels are its row as they lie there.
    pixel_ = task.taps() == 1 ? padded_depth(task.channels) : task.channels;
    depth_ = padded_depth(task.taps() * task.channels);
    windows_ = std::clamp<std::int64_t>(panel_bytes / (depth_ * static_cast<std::int64_t>(sizeof(T))), 16, max_windows);
    const std::int64_t sample_bytes = image_size() * static_cast<std::int64_t>(sizeof(T));
    at_once_ = std::clamp<std::int64_t>(image_bytes / sample_bytes, 1, task.samples);
    weights_ = room.take<T>(weights_size());
    image_ = room.take<T>(at_once_ * image_size());
  }

  static std::int64_t workspace(const Conv& task, const Operands& operands) {
    const Convolution one(task, operands, nullptr, nullptr, Room(nullptr));
    return Room::bytes<T>(one.weights_size()) + Room::bytes<T>(one.at_once_ * one.image_size());
  }

  void run(const Parallel& parallel) {
    parallel(task_.groups * task_.outputs, [this](std::int64_t o) { pack_weights(o); });
    for (std::int64_t first = 0; first < task_.samples; first += at_once_) {
      const std::int64_t count = std::min(at_once_, task_.samples - first);
      const std::int64_t rows = extent_[0] * extent_[1];
      parallel(count * task_.groups * rows, [=, this](std::int64_t i) { pack_row(first, i / rows, i % rows); });
      multiply(first, count, parallel);
    }
  }

 private:
  std::int64_t weights_size() const { return task_.groups * task_.outputs * depth_; }
  std::int64_t image_size() const { return task_.groups * product(extent_) * pixel_; }

  void pack_weights(std::int64_t output) {
    const std::int64_t taps = task_.taps();
    T* out = weights_ + output * depth_;
    for (std::int64_t c = 0; c < task_.channels; ++c) {
      const void* in = at(task_.weight, task_.weight_type, (output * task_.channels + c) * taps);
      center(task_.weight_type, in, 1, taps, task_.weight_zero_point_of(output), out + c, task_.channels);
    }
    std::fill(out + taps * task_.channels, out + depth_, T{0});
  }

  // Row `row` of plane `plane` (sample, group) of the image: (extent[2], pixel), zero in the padding.
  void pack_row(std::int64_t first_sample, std::int64_t plane, std::int64_t row) {
    T* out = image_ + (plane * extent_[0] * extent_[1] + row) * extent_[2] * pixel_;
    std::fill(out, out + extent_[2] * pixel_, T{0});
    const std::int64_t d = row / extent_[1] - w_.begins[0];
    const std::int64_t h = row % extent_[1] - w_.begins[1];
    const std::int64_t count = std::min(w_.in[2], extent_[2] - w_.begins[2]);
    if (d < 0 || d >= w_.in[0] || h < 0 || h >= w_.in[1] || count <= 0) return;
    const std::int64_t channel = (first_sample * task_.groups + plane) * task_.channels;
    for (std::int64_t c = 0; c < task_.channels; ++c) {
      const std::int64_t begin = (((channel + c) * w_.in[0] + d) * w_.in[1] + h) * w_.in[2];
      center(task_.x_type, at(task_.x, task_.x_type, begin), 1, count, task_.x_zero_point,
             out + w_.begins[2] * pixel_ + c, pixel_);
    }
  }

  void multiply(std::int64_t first, std::int64_t count, const Parallel& parallel) {
    const std::int64_t tiles = ceil_div(product(w_.out), windows_);
    const std::int64_t planes = count * task_.groups;
    // Few tiles: their outputs are shared out too, each share gathering the windows anew.
    const std::int64_t most = ceil_div(task_.outputs, tile_outputs);
    const std::int64_t shares =
        std::clamp<std::int64_t>(wanted_items / (planes * tiles), 1, std::min<std::int64_t>(most, 8));
    const std::int64_t share = ceil_div(most, shares) * tile_outputs;
    parallel(planes * tiles * shares, [=, this](std::int64_t i) {
      const std::int64_t output = i % shares * share;
      const std::int64_t end = std::min(task_.outputs, output + share);
      if (output < end) tile(first, i / shares / tiles, i / shares % tiles * windows_, output, end);
    });
  }

  const T* pixel_at(std::int64_t plane, std::int64_t d, std::int64_t h, std::int64_t w) const {
    return image_ + (((plane * extent_[0] + d) * extent_[1] + h) * extent_[2] + w) * pixel_;
  }

  // The row of one window, gathered into `out`, or where it lies.
  const T* window_row(std::int64_t plane, std::int64_t position, T* out) const {
    const std::int64_t d = position / (w_.out[1] * w_.out[2]) * w_.strides[0];
    const std::int64_t h = position / w_.out[2] % w_.out[1] * w_.strides[1];
    const std::int64_t w = position % w_.out[2] * w_.strides[2];
    if (task_.taps() == 1) return pixel_at(plane, d, h, w);
    const bool dense = w_.dilations[2] == 1;
    const std::int64_t pieces = dense ? 1 : w_.kernel[2];
    const std::int64_t length = dense ? w_.kernel[2] * pixel_ : pixel_;
    T* next = out;
    for (std::int64_t i = 0; i < w_.kernel[0]; ++i) {
      for (std::int64_t j = 0; j < w_.kernel[1]; ++j) {
        const T* in = pixel_at(plane, d + i * w_.dilations[0], h + j * w_.dilations[1], w);
        for (std::int64_t k = 0; k < pieces; ++k) next = std::copy_n(in + k * w_.dilations[2] * pixel_, length, next);
      }
    }
    std::fill(next, out + depth_, T{0});
    return out;
  }

  // Outputs [output, end) of the windows from `position` on.
  void tile(std::int64_t first_sample, std::int64_t plane, std::int64_t position, std::int64_t output,
            std::int64_t end) const {
    const std::int64_t count = std::min(windows_, product(w_.out) - position);
    const std::int64_t room = task_.taps() == 1 ? 0 : depth_;
    auto* panel = static_cast<T*>(scratch_of(Room::bytes<T>(count * room)));
    const void* windows[max_windows];
    for (std::int64_t j = 0; j < count; ++j) windows[j] = window_row(plane, position + j, panel + j * room);
    const std::int64_t group = plane % task_.groups;
    const std::int64_t image = first_sample * task_.groups + plane;
    for (; output < end; output += tile_outputs) {
      const std::int64_t rows = std::min(tile_outputs, end - output);
      outputs(windows, count, group * task_.outputs + output, rows, [&](std::int64_t i) {
        return at(y_, writer_->out_type(), (image * task_.outputs + output + i) * product(w_.out) + position);
      });
    }
  }

  // `rows` output channels from `channel` on, of `count` windows; row i goes to place(i).
  template <class Place>
  void outputs(const void* const* windows, std::int64_t count, std::int64_t channel, std::int64_t rows,
               const Place& place) const {
    const void* weights[tile_outputs];
    for (std::int64_t i = 0; i < rows; ++i) weights[i] = weights_ + (channel + i) * depth_;
    std::int64_t sums[tile_outputs * max_windows];
    std::int32_t narrow[max_windows];
    operands_.kernel({weights, rows, windows, count, depth_, operands_.block, sums, max_windows});
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t* bias = task_.bias.data() + channel + i;
      const void* acc = add_bias(sums + i * max_windows, count, bias, 0, writer_->acc_type(), narrow);
      writer_->write(acc, count, channel + i, place(i));
    }
  }

  const Conv& task_;
  const Window& w_;
  const Operands& operands_;
  const RowWriter* writer_;
  void* y_;
  Sizes extent_;
  std::int64_t pixel_;    // elements between pixels of the image
  std::int64_t depth_;    // of a row
  std::int64_t windows_;  // of a tile
  std::int64_t at_once_;  // samples
  T* weights_;
  T* image_;
};

Operands operands_of(const Conv& task) {
  const std::int64_t depth = padded_depth(task.taps() * task.channels);
  return {weight_range(task), centered_range(task.x_type, task.x_zero_point), depth, task.isa};
}

// Calls body(T{}) with the type that operands are packed as.
template <class Body>
auto with_operand(const Operands& operands, const Body& body) {
  return operands.type == Type::s16 ? body(std::int16_t{}) : body(std::int32_t{});
}

}  // namespace

std::int64_t conv_workspace(const Conv& task) {
  const Operands operands = operands_of(task);
  return with_operand(operands, [&](auto type) { return Convolution<decltype(type)>::workspace(task, operands); });
}

void conv(const Conv& task, const RowWriter& writer, void* y, void* workspace, const Parallel& parallel) {
  const Operands operands = operands_of(task);
  with_operand(operands, [&](auto type) {
    Convolution<decltype(type)>(task, operands, &writer, y, Room(workspace)).run(parallel);
  });
}

}  // namespace halfeven::native
