// Steps that work on rows: all the channels of one pixel.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "engine/plan/code_table.h"
#include "engine/plan/step.h"
#include "kernels/rescale/rescale.h"
#include "kernels/rows/rows.h"

namespace halfeven::native {

// Rows of `channels` codes, `stride` apart.
struct Rows {
  std::int64_t count;
  std::int64_t channels;
  std::int64_t stride;
};

// Row r of the second operand is (r / divide) % modulo.
struct Repeat {
  std::int64_t divide;
  std::int64_t modulo;
};

struct PairPlace {
  TensorId x;
  TensorId y;
  TensorId out;
  Rows rows;
  std::int64_t y_stride;
  Repeat repeat;
};

// q = clamp(rhe(a x + b y + constant) + Z).
class SumStep : public Step {
 public:
  SumStep(const PairPlace& place, const SumRule& rule, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, place_.y}; }
  std::vector<TensorId> writes() const override { return {place_.out}; }
  CodeTable* then() override { return &then_; }

 private:
  PairPlace place_;
  SumRule rule_;
  CodeTable then_;
  SumRowsKernel kernel_;
};

// q = clamp(round(M (x - Zx)(y - Zy)) + Z).
class MultiplyStep : public Step {
 public:
  MultiplyStep(const PairPlace& place, std::int32_t x_zero, std::int32_t y_zero, std::shared_ptr<const Rescale> rescale,
               Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, place_.y}; }
  std::vector<TensorId> writes() const override { return {place_.out}; }
  CodeTable* then() override { return &then_; }

 private:
  void multiply(const std::uint8_t* x, const std::uint8_t* y, std::uint8_t* out, std::int64_t count) const;
  void multiply_rows(const std::uint8_t* x, const std::uint8_t* y, std::uint8_t* out, std::int64_t begin,
                     std::int64_t end) const;

  PairPlace place_;
  std::int32_t x_zero_;
  std::int32_t y_zero_;
  std::shared_ptr<const Rescale> rescale_;
  CodeTable then_;
  RowWriter writer_;
  RowKernels kernels_;
};

// y = table[x], over codes as stored.
class TableStep : public Step {
 public:
  TableStep(TensorId x, TensorId y, std::int64_t bytes, std::span<const std::uint8_t, 256> table, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }
  CodeTable* then() override { return &table_; }

 private:
  TensorId x_;
  TensorId y_;
  std::int64_t bytes_;
  CodeTable table_;
};

// out = table[x][y], 256 entries a code of x.
class PairTableStep : public Step {
 public:
  PairTableStep(const PairPlace& place, std::vector<std::uint8_t> table);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {place_.x, place_.y}; }
  std::vector<TensorId> writes() const override { return {place_.out}; }

 private:
  PairPlace place_;
  std::vector<std::uint8_t> table_;
};

// y = table[channel][x].
class ChannelTableStep : public Step {
 public:
  ChannelTableStep(TensorId x, TensorId y, const Rows& rows, std::vector<std::uint8_t> table);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {x_}; }
  std::vector<TensorId> writes() const override { return {y_}; }

 private:
  TensorId x_;
  TensorId y_;
  Rows rows_;
  std::vector<std::uint8_t> table_;
};

// Windows over rows: table [taps][rows] of offsets, `outside` where a tap has no element.
struct Pooling {
  TensorId x;
  TensorId y;
  Rows rows;  // of y
  std::vector<std::int32_t> table;

  std::int64_t bytes() const { return std::ssize(table) * std::int64_t{sizeof(std::int32_t)}; }
};

class MaxPoolStep : public Step {
 public:
  MaxPoolStep(Pooling pooling, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {pooling_.x}; }
  std::vector<TensorId> writes() const override { return {pooling_.y}; }
  std::int64_t table_bytes() const override { return pooling_.bytes(); }

 private:
  Pooling pooling_;
  RowKernels kernels_;
};

// clamp(round(M sum (x - Zx)) + Z) of each window; M one, or one for each of `windows` of them in turn.
class MeanPoolStep : public Step {
 public:
  MeanPoolStep(Pooling pooling, std::int32_t x_zero, std::shared_ptr<const Rescale> rescale, Isa isa);
  void run(const Frame& frame) const override;
  std::vector<TensorId> reads() const override { return {pooling_.x}; }
  std::vector<TensorId> writes() const override { return {pooling_.y}; }
  std::int64_t table_bytes() const override { return pooling_.bytes(); }

 private:
  void run_row(const std::uint8_t* x, std::uint8_t* y, std::int64_t row, std::int64_t first) const;

  Pooling pooling_;
  std::int32_t x_zero_;
  std::shared_ptr<const Rescale> rescale_;
  RowWriter writer_;
  RowKernels kernels_;
};

}  // namespace halfeven::native
