#include "engine/plan/boundary_steps.h"

#include <cstring>
#include <stdexcept>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t block_pixels = 256;

template <class Item>
void copy_items(const std::uint8_t* x, std::int64_t in, std::uint8_t* y, std::int64_t out, std::int64_t count,
                std::uint64_t flip) {
  for (std::int64_t i = 0; i < count; ++i) {
    Item item;
    std::memcpy(&item, x + i * in, sizeof(item));
    item = static_cast<Item>(item ^ flip);
    std::memcpy(y + i * out, &item, sizeof(item));
  }
}

// Channels of a block of pixels, one after the other, become neighbours. `flip` turns signed codes into stored ones.
void interleave(const std::uint8_t* codes, std::int64_t channels, std::int64_t count, std::uint8_t flip,
                std::int64_t stride, std::uint8_t* y) {
  if (stride == 4 && channels == 3) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint32_t quad = static_cast<std::uint32_t>(codes[i]) |
                                 static_cast<std::uint32_t>(codes[block_pixels + i]) << 8 |
                                 static_cast<std::uint32_t>(codes[2 * block_pixels + i]) << 16;
      const std::uint32_t stored = quad ^ (0x010101U * flip);
      std::memcpy(y + 4 * i, &stored, sizeof(stored));
    }
    return;
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < count; ++i) {
      y[i * stride + c] = static_cast<std::uint8_t>(codes[c * block_pixels + i] ^ flip);
    }
  }
}

template <int bytes>
void copy_slots(const std::uint8_t* x, const WindowLines& w, std::uint8_t* y) {
  for (std::int64_t i = 0; i < w.windows; ++i) std::memcpy(y + i * WindowLines::bytes, x + i * w.step, bytes);
}

}  // namespace

QuantizeStep::QuantizeStep(std::int32_t input, std::int32_t counter, TensorId y, const Planes& planes,
                           const std::optional<Border>& border, const QuantizeParams& params, Isa isa)
    : input_(input), counter_(counter), y_(y), planes_(planes), border_(border), params_(params) {
  const bool small = small_zero_point(params.zero_point);
  kernel_ = find_kernel(quantize_kernels, Type::f32, params.type, small ? isa : Isa::portable)->function;
  if (border && words()) throw std::invalid_argument("an image with a border holds bytes");
}

std::int64_t QuantizeStep::quantize(const float* x, std::int64_t count, void* out) const {
  return kernel_(
      {x, out, count, &params_.scale, &params_.zero_point, false, small_zero_point(params_.zero_point), false},
      params_.rule);
}

// Pixels [begin, end) of one image.
std::int64_t QuantizeStep::run_pixels(const float* x, std::uint8_t* y, std::int64_t begin, std::int64_t end) const {
  constexpr std::int64_t few_channels = 64;
  const std::uint8_t flip = params_.type == Type::s8 ? 0x80 : 0;
  std::uint8_t codes[few_channels * block_pixels];
  std::int64_t nan = 0;
  for (std::int64_t p = begin; p < end; p += block_pixels) {
    const std::int64_t count = std::min(block_pixels, end - p);
    for (std::int64_t first = 0; first < planes_.channels; first += few_channels) {
      const std::int64_t channels = std::min(few_channels, planes_.channels - first);
      for (std::int64_t c = 0; c < channels; ++c) {
        nan += quantize(x + (first + c) * planes_.pixels + p, count, codes + c * block_pixels);
      }
      interleave(codes, channels, count, flip, planes_.stride, y + p * planes_.stride + first);
    }
  }
  return nan;
}

// The same for codes of 16 bits; strides are bytes.
std::int64_t QuantizeStep::run_words(const float* x, std::uint8_t* y, std::int64_t begin, std::int64_t end) const {
  const std::uint16_t flip = params_.type == Type::u16 ? 0x8000 : 0;
  std::uint16_t codes[block_pixels];
  std::int64_t nan = 0;
  for (std::int64_t c = 0; c < planes_.channels; ++c) {
    for (std::int64_t p = begin; p < end; p += block_pixels) {
      const std::int64_t count = std::min(block_pixels, end - p);
      nan += quantize(x + c * planes_.pixels + p, count, codes);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto stored = static_cast<std::uint16_t>(codes[i] ^ flip);
        std::memcpy(y + (p + i) * planes_.stride + 2 * c, &stored, sizeof(stored));
      }
    }
  }
  return nan;
}

// Rows of channels, as they are.
void QuantizeStep::run_rows(const Frame& frame, const float* x, std::uint8_t* y, int threads) const {
  for_each_part(planes_.images, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      std::uint8_t* row = y + r * planes_.stride;
      frame.nan_counts[counter_] += quantize(x + r * planes_.channels, planes_.channels, row);
      if (params_.type == Type::s8) {
        copy_items<std::uint8_t>(row, 1, row, 1, planes_.channels, 0x80);
      } else if (params_.type == Type::u16) {
        copy_items<std::uint16_t>(row, 2, row, 2, planes_.channels, 0x8000);
      }
    }
  });
}

// A line of one image, with its border.
std::int64_t QuantizeStep::run_line(const float* x, std::uint8_t* y, std::int64_t line) const {
  const Border& border = *border_;
  const std::int64_t at = line - border.top;
  if (at < 0 || at >= border.image_lines) {
    std::memset(y, border.fill, static_cast<std::size_t>(border.line_stride));
    return 0;
  }
  const std::int64_t own = planes_.pixels / border.image_lines;
  const std::int64_t end = border.left + own * planes_.stride;
  std::memset(y, border.fill, static_cast<std::size_t>(border.left));
  std::memset(y + end, border.fill, static_cast<std::size_t>(border.line_stride - end));
  return run_pixels(x + at * own, y + border.left, 0, own);
}

// To its slot in each group that it is in. Whole slots are copied: behind the line there is room to read.
void QuantizeStep::spread_line(const std::uint8_t* x, std::uint8_t* y, std::int64_t line) const {
  const WindowLines& w = *border_->windows;
  const std::int64_t first = line < w.slots ? 0 : (line - w.slots) / w.line_step + 1;
  for (std::int64_t group = first; group < w.groups && group * w.line_step <= line; ++group) {
    std::uint8_t* out = y + group * w.windows * WindowLines::bytes + (line - group * w.line_step) * w.slot_bytes;
    switch (w.slot_bytes) {
      case 16: copy_slots<16>(x, w, out); break;
      case 32: copy_slots<32>(x, w, out); break;
      default: copy_slots<64>(x, w, out);
    }
  }
}

void QuantizeStep::run_bordered(const Frame& frame, const float* x, std::uint8_t* y, int threads) const {
  const Border& border = *border_;
  for_each_part(planes_.images * border.lines, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t nan = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t image = i / border.lines;
      const float* in = x + image * planes_.channels * planes_.pixels;
      if (!border.windows) {
        nan += run_line(in, y + i * border.line_stride, i % border.lines);
        continue;
      }
      auto* line = static_cast<std::uint8_t*>(scratch_of(border.line_stride + WindowLines::bytes));
      nan += run_line(in, line, i % border.lines);
      spread_line(line, y + image * border.windows->bytes_of_image(), i % border.lines);
    }
    frame.nan_counts[counter_] += nan;
  });
}

void QuantizeStep::run(const Frame& frame) const {
  const float* x = static_cast<const float*>(frame.inputs[static_cast<std::size_t>(input_)]);
  std::uint8_t* y = frame.at(y_);
  const int threads = threads_for(frame, static_cast<double>(planes_.count()) * 4);
  if (border_) return run_bordered(frame, x, y, threads);
  if (planes_.pixels == 1) return run_rows(frame, x, y, threads);
  for (std::int64_t n = 0; n < planes_.images; ++n) {
    const float* image = x + n * planes_.channels * planes_.pixels;
    std::uint8_t* out = y + n * planes_.pixels * planes_.stride;
    for_each_part(planes_.pixels, block_pixels, threads, [&](std::int64_t begin, std::int64_t end) {
      frame.nan_counts[counter_] += words() ? run_words(image, out, begin, end) : run_pixels(image, out, begin, end);
    });
  }
}

DequantizeStep::DequantizeStep(TensorId x, std::int32_t output, const Planes& planes, std::vector<float> table)
    : x_(x), output_(output), planes_(planes), table_(std::move(table)) {
  if (table_.size() != 256 && table_.size() != 65536) {
    throw std::invalid_argument("a table of all codes has 256 or 65536 entries");
  }
}

// `count` codes `step` bytes apart.
void DequantizeStep::look_up(const std::uint8_t* codes, std::int64_t step, std::int64_t count, float* y) const {
  if (table_.size() == 256) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = table_[codes[i * step]];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::int16_t code;
    std::memcpy(&code, codes + i * step, sizeof(code));
    y[i] = table_[static_cast<std::size_t>(code + 32768)];
  }
}

void DequantizeStep::run(const Frame& frame) const {
  const std::uint8_t* x = frame.at(x_);
  float* y = static_cast<float*>(frame.outputs[static_cast<std::size_t>(output_)]);
  const int threads = threads_for(frame, static_cast<double>(planes_.count()) * 4);
  const std::int64_t item = table_.size() == 256 ? 1 : 2;
  if (planes_.pixels == 1) {  // channels lie behind each other on both sides
    for_each_part(planes_.images, 1, threads, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        look_up(x + r * planes_.stride, item, planes_.channels, y + r * planes_.channels);
      }
    });
    return;
  }
  for_each_part(planes_.images * planes_.channels, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {  // one channel of one image
      const std::int64_t image = row / planes_.channels;
      const std::uint8_t* in = x + image * planes_.pixels * planes_.stride + row % planes_.channels * item;
      look_up(in, planes_.stride, planes_.pixels, y + row * planes_.pixels);
    }
  });
}

std::vector<TensorId> CopyStep::reads() const { return from_.is_tensor ? std::vector{from_.id} : std::vector<int>{}; }

std::vector<TensorId> CopyStep::writes() const { return to_.is_tensor ? std::vector{to_.id} : std::vector<int>{}; }

CopyStep::CopyStep(End from, End to, Walk walk) : from_(from), to_(to), walk_(std::move(walk)) {
  const bool sized = walk_.item == 1 || walk_.item == 2 || walk_.item == 4 || walk_.item == 8;
  if (!sized) throw std::invalid_argument("a copy moves elements of 1, 2, 4 or 8 bytes");
}

void CopyStep::copy_line(const std::uint8_t* x, std::uint8_t* y, std::size_t axis) const {
  const std::int64_t in = walk_.in[axis];
  const std::int64_t out = walk_.out[axis];
  const std::int64_t count = walk_.sizes[axis];
  const bool whole = in == walk_.item && out == walk_.item;
  if (whole && walk_.flip == 0) {
    std::memcpy(y, x, static_cast<std::size_t>(count * walk_.item));
  } else {
    switch (walk_.item) {
      case 1: return copy_items<std::uint8_t>(x, in, y, out, count, walk_.flip);
      case 2: return copy_items<std::uint16_t>(x, in, y, out, count, walk_.flip);
      case 4: return copy_items<std::uint32_t>(x, in, y, out, count, walk_.flip);
      default: return copy_items<std::uint64_t>(x, in, y, out, count, walk_.flip);
    }
  }
}

void CopyStep::copy(const std::uint8_t* x, std::uint8_t* y, std::size_t axis) const {
  if (axis + 1 == walk_.sizes.size()) return copy_line(x, y, axis);
  const std::int64_t in = walk_.in[axis];
  const std::int64_t out = walk_.out[axis];
  for (std::int64_t i = 0; i < walk_.sizes[axis]; ++i) copy(x + i * in, y + i * out, axis + 1);
}

void CopyStep::run(const Frame& frame) const {
  const std::size_t from = static_cast<std::size_t>(from_.id);
  const std::size_t to = static_cast<std::size_t>(to_.id);
  const std::uint8_t* x = from_.is_tensor ? frame.at(from_.id) : static_cast<const std::uint8_t*>(frame.inputs[from]);
  std::uint8_t* y = to_.is_tensor ? frame.at(to_.id) : static_cast<std::uint8_t*>(frame.outputs[to]);
  double bytes = static_cast<double>(walk_.item);
  for (const std::int64_t size : walk_.sizes) bytes *= static_cast<double>(size);
  x += walk_.in_offset;
  y += walk_.out_offset;
  if (walk_.sizes.size() < 2) return copy(x, y, 0);
  for_each_part(walk_.sizes[0], 1, threads_for(frame, bytes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) copy(x + i * walk_.in[0], y + i * walk_.out[0], 1);
  });
}

}  // namespace halfeven::native
