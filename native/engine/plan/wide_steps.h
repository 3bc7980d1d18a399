// Steps on codes of 16 bits, stored as s16 (u16 with the top bit flipped), and between them and bytes.
#pragma once

#include <memory>
#include <vector>

#include "engine/plan/conv_steps.h"
#include "engine/plan/row_steps.h"
#include "kernels/wgemm/weights.h"

namespace halfeven::native {

// How sums become codes as stored: u8 or s16, or stay (s32); `multiplier` not empty: one a column, where one fused
// multiply-add rounds int64 sums.
struct WideFinish {
  std::shared_ptr<const Rescale> rescale;
  std::vector<double> multiplier;
  Type type;
};

class WideProductStep : public Step {
 public:
  // Strides and offsets of the place are bytes.
  WideProductStep(std::shared_ptr<const WideWeights> weights, const ProductPlace& place, Gather gather,
                  WideFinish finish, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, gather_.padding}; }
  std::vector<TensorId> writes() const override { return {place_.y}; }
  std::int64_t table_bytes() const override { return gather_.bytes(); }
  void place(std::span<const std::int64_t> places) override;

 private:
  void run_rows(const Frame& frame, std::int64_t begin, std::int64_t end, std::int64_t panel) const;
  void run_channels(const Frame& frame, std::int64_t row) const;
  void write(const void* sums, std::int64_t column, std::int64_t count, std::uint8_t* row) const;

  std::shared_ptr<const WideWeights> weights_;
  ProductPlace place_;
  Gather gather_;
  WideFinish finish_;
  RowWriter writer_;
  std::int64_t item_;
};

// q = clamp(rhe(a x + b y + constant) + Z), exact in double.
struct WideSumRule {
  double a;
  double b;
  double constant;
  CodeRule code;
  bool bytes;
};

class WideSumStep : public Step {
 public:
  // Strides of the place are bytes; `out_stride` between rows of the result.
  WideSumStep(const PairPlace& place, std::int64_t out_stride, const WideSumRule& rule, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, place_.y}; }
  std::vector<TensorId> writes() const override { return {place_.out}; }

 private:
  PairPlace place_;
  std::int64_t out_stride_;
  WideSumRule rule_;
  WideKernels kernels_;
};

// y = table[x], over all codes as stored (s16 codes begin at -32768); elements of 1 or 2 bytes in, 1, 2 or 4 out.
class LookUpStep : public Step {
 public:
  LookUpStep(TensorId x, TensorId y, const Rows& rows, std::int64_t y_stride, std::int64_t x_item, std::int64_t y_item,
             std::vector<std::uint8_t> table);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }
  std::int64_t table_bytes() const override { return std::ssize(table_); }

 private:
  TensorId x_;
  TensorId y_;
  Rows rows_;
  std::int64_t y_stride_;
  std::int64_t x_item_;
  std::int64_t y_item_;
  std::vector<std::uint8_t> table_;
};

}  // namespace halfeven::native
