#include "engine/plan/matmul_step.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t block_rows = 96;  // of a product: an item of work
constexpr std::int64_t sum_rows = 24;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int64_t whole_lines(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

MatMulStep::MatMulStep(MatrixPlace place, std::int32_t a_zero, std::int32_t b_zero, double multiplier, Finish finish,
                       Isa isa)
    : place_(std::move(place)),
      a_zero_(a_zero),
      b_zero_(b_zero),
      layout_(place_.columns, 1, place_.depth, isa),
      finish_(std::move(finish)),
      writer_(*finish_.rescale, Type::s32, Type::u8, isa) {
  const std::size_t products = place_.a_offsets.size();
  if (place_.b_of.size() != products || place_.y_offsets.size() != products) {
    throw std::invalid_argument("each product needs a place for both of its operands and its result");
  }
  multiplier_.assign(size(layout_.padded_columns()), multiplier);
  no_bias_.assign(size(layout_.padded_columns()), 0);
  ones_ = AlignedBytes(size(layout_.packed_depth() + igemm_slack));
  std::fill_n(ones_.data(), ones_.size(), std::uint8_t{1});
  finish_.in_kernel = finish_.in_kernel && layout_.format().writes_codes && b_zero == 0;
}

std::int64_t MatMulStep::packed_bytes() const { return std::ssize(place_.b_offsets) * whole_lines(layout_.bytes()); }

std::int64_t MatMulStep::bias_bytes() const { return std::ssize(place_.b_offsets) * layout_.padded_columns() * 4; }

void MatMulStep::use(TensorId packed, TensorId bias) {
  packed_ = packed;
  bias_ = bias;
}

std::uint8_t* MatMulStep::packed_at(const Frame& frame, std::int64_t matrix) const {
  return frame.at(packed_) + matrix * whole_lines(layout_.bytes());
}

std::int32_t* MatMulStep::bias_at(const Frame& frame, std::int64_t matrix) const {
  return reinterpret_cast<std::int32_t*>(frame.at(bias_)) + matrix * layout_.padded_columns();
}

// One panel of one matrix, and its columns' biases: K Za Zw - Za sum w, the sums by a product with ones.
void MatMulStep::pack(const Frame& frame, std::int64_t matrix, std::int64_t panel) const {
  const std::uint8_t* codes = frame.at(place_.b) + place_.b_offsets[size(matrix)];
  pack_panel(layout_, {codes, place_.b_column, 0, place_.b_depth, 0x80}, panel, packed_at(frame, matrix));
  std::int32_t sums[igemm_panel_columns];
  IgemmTask task = layout_.task();
  task.input = ones_.data();
  task.weights = packed_at(frame, matrix);
  task.bias = no_bias_.data();
  task.multiplier = multiplier_.data();
  task.row_end = 1;
  task.panel_begin = panel;
  task.panel_end = panel + 1;
  task.sums = sums;
  if (layout_.scratch_bytes() > 0) task.scratch = scratch_of(layout_.scratch_bytes());
  layout_.kernel()(task);
  const IgemmPanel& columns = layout_.panel(panel);
  std::int32_t* bias = bias_at(frame, matrix) + columns.column;
  const std::int64_t zeros = place_.depth * a_zero_ * b_zero_;
  for (std::int64_t j = 0; j < columns.vectors * igemm_lanes; ++j) {
    const std::int64_t exact = zeros - std::int64_t{a_zero_} * sums[j];
    bias[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(exact));  // what it is part of fits int32
  }
}

void MatMulStep::run(const Frame& frame) const {
  const std::int64_t products = std::ssize(place_.a_offsets);
  const double packed = static_cast<double>(packed_bytes());
  const std::int64_t panels = layout_.panels();
  auto pack_one = [&](std::int64_t i) { pack(frame, i / panels, i % panels); };
  parallel_for(std::ssize(place_.b_offsets) * panels, threads_for(frame, packed * 2), pack_one);

  IgemmTask task = layout_.task();
  task.row_stride = place_.a_row;
  task.multiplier = multiplier_.data();
  task.panel_end = panels;
  task.out_stride = place_.y_row;
  const RequantizeRule& rule = finish_.rescale->rule();
  task.rule = {rule.zero_point, rule.range.qmin, rule.range.qmax};
  const std::int64_t blocks = (place_.rows + block_rows - 1) / block_rows;
  auto item = [&](std::int64_t i) {
    const std::int64_t product = i / blocks;
    const std::int64_t matrix = place_.b_of[size(product)];
    IgemmTask part = task;
    part.input = frame.at(place_.a) + place_.a_offsets[size(product)];
    part.weights = packed_at(frame, matrix);
    part.bias = bias_at(frame, matrix);
    part.out = frame.at(place_.y) + place_.y_offsets[size(product)];
    part.row_begin = i % blocks * block_rows;
    part.row_end = std::min(place_.rows, part.row_begin + block_rows);
    run_part(part);
  };
  constexpr double macs_a_byte = 8;
  const double macs = static_cast<double>(products * place_.rows) * static_cast<double>(place_.depth * place_.columns);
  parallel_for(products * blocks, threads_for(frame, macs / macs_a_byte), item);
}

void MatMulStep::run_part(const IgemmTask& part) const {
  IgemmTask block = part;
  if (layout_.scratch_bytes() > 0) block.scratch = scratch_of(layout_.scratch_bytes());
  if (finish_.in_kernel) return layout_.kernel()(block);
  for (block.row_begin = part.row_begin; block.row_begin < part.row_end; block.row_begin = block.row_end) {
    block.row_end = std::min(part.row_end, block.row_begin + sum_rows);
    std::int32_t row_sums[sum_rows] = {};
    for (std::int64_t r = 0; b_zero_ != 0 && r < block.row_end - block.row_begin; ++r) {
      const std::uint8_t* row = part.input + (block.row_begin + r) * part.row_stride;
      for (std::int64_t k = 0; k < place_.depth; ++k) row_sums[r] += row[k];
    }
    for (block.panel_begin = part.panel_begin; block.panel_begin < part.panel_end; ++block.panel_begin) {
      block.panel_end = block.panel_begin + 1;
      run_sums(block, row_sums);
    }
  }
}

void MatMulStep::run_sums(const IgemmTask& part, const std::int32_t* row_sums) const {
  alignas(64) std::int32_t sums[sum_rows * igemm_panel_columns];
  IgemmTask block = part;
  block.sums = sums;
  layout_.kernel()(block);
  const IgemmPanel& panel = layout_.panel(part.panel_begin);
  const std::int64_t count = std::min<std::int64_t>(panel.vectors * igemm_lanes, part.columns - panel.column);
  for (std::int64_t row = part.row_begin; row < part.row_end; ++row) {
    std::int32_t* line = sums + (row - part.row_begin) * igemm_panel_columns;
    const auto of_row =
        static_cast<std::uint32_t>(b_zero_) * static_cast<std::uint32_t>(row_sums[row - part.row_begin]);
    for (std::int64_t j = 0; j < count; ++j) {
      line[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(line[j]) - of_row);
    }
    writer_.write_channels(line, count, panel.column, part.out + row * part.out_stride + panel.column);
  }
}

}  // namespace halfeven::native
