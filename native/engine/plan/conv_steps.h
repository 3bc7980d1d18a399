// Convolutions and matrix products with constants.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/plan/code_table.h"
#include "engine/plan/step.h"
#include "kernels/depthwise/weights.h"
#include "kernels/igemm/weights.h"
#include "kernels/rescale/rescale.h"
#include "kernels/rows/rows.h"

namespace halfeven::native {

// From sums to codes: by the kernel itself where `in_kernel` (the exact half-even rule, |M sum| < 2^31), else by the
// requantize kernels. All in codes as stored: u8.
struct Finish {
  std::shared_ptr<const Rescale> rescale;
  bool in_kernel;
};

// An image that each part of a product copies what it needs of, with its padding: every tile then lies at a stride.
struct PaddedImage {
  std::int64_t height;
  std::int64_t width;
  std::int64_t pixel;  // bytes from one to the next
  std::int64_t top;
  std::int64_t left;
  std::int64_t padded_width;
  std::int64_t windows;      // of a line of results
  std::int64_t line_step;    // lines of the image from one line of results to the next
  std::int64_t lines;        // under a line of results
  std::int64_t window_step;  // pixels from one window to the next
  std::int64_t tile;         // rows of a tile, a divisor of `windows`

  // Padded lines [first, last) under results [begin, end), `depth` bytes a pixel.
  void copy(const std::uint8_t* x, std::int64_t depth, std::uint8_t fill, std::int64_t first, std::int64_t last,
            std::uint8_t* out) const;
};

// Where each row of the product finds its elements: table [taps][rows] of offsets from the input, `outside` standing
// for the tensor of zero points `padding`; or rows that follow each other at a stride, where the table is empty.
struct Gather {
  std::vector<std::int32_t> table;
  std::int64_t row_stride;
  TensorId padding;
  std::optional<PaddedImage> image{};  // then the table has one offset a tap, from a window's first pixel on

  std::int64_t bytes() const { return std::ssize(table) * std::int64_t{sizeof(std::int32_t)}; }
  // From `x`, once every tensor has its place.
  void resolve(std::span<const std::int64_t> places, TensorId x);
};

CodeRule code_rule(const Rescale& rescale);

struct ProductPlace {
  TensorId x;
  std::int64_t x_bytes;   // of the whole input, for the size of blocks
  std::int64_t x_offset;  // of the first channel
  TensorId y;
  std::int64_t y_stride;
  std::int64_t y_offset;
  std::int64_t rows;
};

// Which rows of a depthwise convolution follow each other in memory, see DepthwiseTask.
struct Lines {
  std::int64_t line;
  std::int64_t run_begin;
  std::int64_t run_end;
};

struct SumOperand {
  TensorId y;
  std::int64_t stride;
  SumRule rule;
};

class ProductStep : public Step {
 public:
  ProductStep(std::shared_ptr<const PackedWeights> weights, const ProductPlace& place, Gather gather, Finish finish,
              std::optional<SumOperand> sum, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override;
  std::vector<TensorId> writes() const override { return {place_.y}; }
  TensorId written_over() const override;
  CodeTable* then() override { return &then_; }
  std::int64_t table_bytes() const override { return gather_.bytes(); }
  void place(std::span<const std::int64_t> places) override;

 private:
  void run_part(const IgemmTask& part) const;
  void run_padded(const IgemmTask& part, std::uint8_t fill) const;
  void run_product(const IgemmTask& part) const;
  bool looks_up_inside() const;
  void run_sums(const IgemmTask& part) const;

  std::shared_ptr<const PackedWeights> weights_;
  ProductPlace place_;
  Gather gather_;
  Finish finish_;
  std::optional<SumOperand> sum_;
  CodeTable then_;
  RowWriter writer_;
  SumRowsKernel add_rows_;
};

class DepthwiseStep : public Step {
 public:
  DepthwiseStep(std::shared_ptr<const DepthwiseWeights> weights, const ProductPlace& place, Gather gather,
                const Lines& lines, Finish finish, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, gather_.padding}; }
  std::vector<TensorId> writes() const override { return {place_.y}; }
  CodeTable* then() override { return &then_; }
  std::int64_t table_bytes() const override { return gather_.bytes(); }
  void place(std::span<const std::int64_t> places) override { gather_.resolve(places, place_.x); }

 private:
  void run_part(const DepthwiseTask& part) const;
  void run_sums(const DepthwiseTask& part) const;

  std::shared_ptr<const DepthwiseWeights> weights_;
  ProductPlace place_;
  Gather gather_;
  Lines lines_;
  Finish finish_;
  CodeTable then_;
  RowWriter writer_;
};

}  // namespace halfeven::native
