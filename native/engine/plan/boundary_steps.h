// Where a plan meets the caller's arrays, and copies between layouts.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "engine/plan/step.h"
#include "kernels/quantize/quantize.h"

namespace halfeven::native {

// A tensor seen as (images, pixels, channels), stored with a stride between pixels; outside, (images, channels,
// pixels).
struct Planes {
  std::int64_t images;
  std::int64_t channels;
  std::int64_t pixels;
  std::int64_t stride;

  std::int64_t count() const { return images * channels * pixels; }
};

// float32 in the caller's order -> codes, in one pass.
struct QuantizeParams {
  float scale;
  std::int32_t zero_point;
  QuantizeRule rule;
  Type type;  // s8, u8, s16 or u16
};

// Instead of lines of an image, what is under each window of them: groups of `slots` lines, each beginning `line_step`
// lines behind the one before; for each window of a group one cache line, in it `slot_bytes` from each line of the
// group on.
struct WindowLines {
  std::int64_t groups;  // of an image
  std::int64_t line_step;
  std::int64_t slots;
  std::int64_t slot_bytes;  // 16, 32 or 64; slots * slot_bytes <= 64
  std::int64_t windows;     // of a line
  std::int64_t step;        // bytes from one to the next

  static constexpr std::int64_t bytes = 64;  // of a window
  std::int64_t bytes_of_image() const { return groups * windows * bytes; }
};

// Images with a border of one code: lines of `line_stride` bytes, the image's own behind `top` and `left` (bytes).
struct Border {
  std::int64_t image_lines;
  std::int64_t lines;  // with the border
  std::int64_t line_stride;
  std::int64_t top;
  std::int64_t left;
  std::uint8_t fill;
  std::optional<WindowLines> windows;
};

class QuantizeStep : public Step {
 public:
  QuantizeStep(std::int32_t input, std::int32_t counter, TensorId y, const Planes& planes,
               const std::optional<Border>& border, const QuantizeParams& params, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {}; }
  std::vector<TensorId> writes() const override { return {y_}; }

 private:
  std::int64_t quantize(const float* x, std::int64_t count, void* out) const;
  std::int64_t run_pixels(const float* x, std::uint8_t* y, std::int64_t begin, std::int64_t end) const;
  std::int64_t run_words(const float* x, std::uint8_t* y, std::int64_t begin, std::int64_t end) const;
  void run_rows(const Frame& frame, const float* x, std::uint8_t* y, int threads) const;
  std::int64_t run_line(const float* x, std::uint8_t* y, std::int64_t line) const;
  void run_bordered(const Frame& frame, const float* x, std::uint8_t* y, int threads) const;
  void spread_line(const std::uint8_t* x, std::uint8_t* y, std::int64_t line) const;
  bool words() const { return params_.type == Type::s16 || params_.type == Type::u16; }

  std::int32_t input_;
  std::int32_t counter_;
  TensorId y_;
  Planes planes_;
  std::optional<Border> border_;
  QuantizeParams params_;
  QuantizeKernel kernel_;
};

// Codes -> float32 in the caller's order, by a table of all codes as stored: of bytes, or of s16 from -32768 on.
class DequantizeStep : public Step {
 public:
  DequantizeStep(TensorId x, std::int32_t output, const Planes& planes, std::vector<float> table);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {}; }

 private:
  void look_up(const std::uint8_t* codes, std::int64_t step, std::int64_t count, float* y) const;

  TensorId x_;
  std::int32_t output_;
  Planes planes_;
  std::vector<float> table_;
};

// Elements of `item` bytes (1, 2, 4 or 8) from one place to another along any axes:
// out[sum i_k out_k] = in[sum i_k in_k] ^ flip, strides in bytes.
struct Walk {
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> in;
  std::vector<std::int64_t> out;
  std::int64_t in_offset;
  std::int64_t out_offset;
  std::int64_t item;
  std::uint64_t flip;
};

// A tensor of the plan, or an array of the caller.
struct End {
  bool is_tensor;
  std::int32_t id;
};

class CopyStep : public Step {
 public:
  CopyStep(End from, End to, Walk walk);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override;
  std::vector<TensorId> writes() const override;

 private:
  void copy(const std::uint8_t* x, std::uint8_t* y, std::size_t axis) const;
  void copy_line(const std::uint8_t* x, std::uint8_t* y, std::size_t axis) const;

  End from_;
  End to_;
  Walk walk_;
};

}  // namespace halfeven::native
