#include "engine/plan/wide_matmul_step.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t sum_rows = 24;     // of a block: an item of work
constexpr std::int64_t most_depth = 508;  // products of 2^15 by 2^7 that int32 holds the sum of, a multiple of the step
constexpr std::int64_t no_bias[igemm_panel_columns] = {};

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int16_t high_half(std::int16_t w) { return static_cast<std::int16_t>((w + 128) >> 8); }

// Two rows of the second operand, side by side as the kernels read them. Neighbours along the columns: a plain loop.
void pack_pair(const std::uint8_t* first, const std::uint8_t* second, std::int64_t column, std::int64_t count,
               std::int16_t* high, std::int16_t* low) {
  const auto split = [&](std::int16_t w, std::int64_t at) {
    high[at] = high_half(w);
    low[at] = static_cast<std::int16_t>(w - 256 * high[at]);
  };
  if (column == 2) {
    const auto* a = reinterpret_cast<const std::int16_t*>(first);
    const auto* b = reinterpret_cast<const std::int16_t*>(second);
    for (std::int64_t j = 0; j < count; ++j) {
      split(a[j], 2 * j);
      split(b == nullptr ? std::int16_t{0} : b[j], 2 * j + 1);
    }
    return;
  }
  for (std::int64_t j = 0; j < count; ++j) {
    std::int16_t w[2] = {};
    std::memcpy(w, first + j * column, sizeof(w[0]));
    if (second != nullptr) std::memcpy(w + 1, second + j * column, sizeof(w[1]));
    split(w[0], 2 * j);
    split(w[1], 2 * j + 1);
  }
}

}  // namespace

WideMatMulStep::WideMatMulStep(MatrixPlace place, std::int64_t a_zero, std::int64_t b_zero, WideFinish finish, Isa isa)
    : place_(std::move(place)),
      a_zero_(a_zero),
      b_zero_(b_zero),
      finish_(std::move(finish)),
      writer_(*finish_.rescale, Type::s64, finish_.type, isa),
      item_(static_cast<std::int64_t>(code_size(finish_.type))),
      packed_depth_((place_.depth + wgemm_step - 1) / wgemm_step * wgemm_step),
      padded_columns_((place_.columns + igemm_lanes - 1) / igemm_lanes * igemm_lanes) {
  const std::size_t products = place_.a_offsets.size();
  if (place_.b_of.size() != products || place_.y_offsets.size() != products) {
    throw std::invalid_argument("each product needs a place for both of its operands and its result");
  }
  const auto* found = find_kernel(wide_kernels, Type::s16, Type::s64, isa);
  kernels_ = found->function;
  const std::int64_t most = wgemm_vectors(found->isa) * igemm_lanes;
  for (std::int64_t column = 0; column < padded_columns_; column += most) {
    panels_.push_back({column, static_cast<int>(std::min(most, padded_columns_ - column) / igemm_lanes)});
  }
  if (!finish_.multiplier.empty()) finish_.multiplier.assign(igemm_panel_columns, finish_.multiplier.front());
}

std::int64_t WideMatMulStep::packed_bytes() const { return std::ssize(place_.b_offsets) * plane() * 4; }

std::int64_t WideMatMulStep::bias_bytes() const { return std::ssize(place_.b_offsets) * padded_columns_ * 8; }

void WideMatMulStep::use(TensorId packed, TensorId bias) {
  packed_ = packed;
  bias_ = bias;
}

std::int16_t* WideMatMulStep::packed_at(const Frame& frame, std::int64_t matrix) const {
  return reinterpret_cast<std::int16_t*>(frame.at(packed_)) + matrix * 2 * plane();
}

std::int64_t* WideMatMulStep::bias_at(const Frame& frame, std::int64_t matrix) const {
  return reinterpret_cast<std::int64_t*>(frame.at(bias_)) + matrix * padded_columns_;
}

// One panel of both halves, [depth / 2][columns][2], and the biases of its columns.
void WideMatMulStep::pack(const Frame& frame, std::int64_t matrix, const Panel& panel) const {
  const std::uint8_t* codes = frame.at(place_.b) + place_.b_offsets[size(matrix)] + panel.column * place_.b_column;
  std::int16_t* high = packed_at(frame, matrix) + panel.column * packed_depth_;
  std::int16_t* low = high + plane();
  const std::int64_t count = std::min(panel.width(), place_.columns - panel.column);
  std::int64_t* bias = bias_at(frame, matrix) + panel.column;
  std::fill_n(bias, panel.width(), place_.depth * a_zero_ * b_zero_);
  for (std::int64_t k = 0; k < packed_depth_; k += 2, high += 2 * panel.width(), low += 2 * panel.width()) {
    const std::uint8_t* first = codes + k * place_.b_depth;
    pack_pair(first, k + 1 < place_.depth ? first + place_.b_depth : nullptr, place_.b_column, count, high, low);
    std::fill_n(high + 2 * count, 2 * (panel.width() - count), std::int16_t{0});
    std::fill_n(low + 2 * count, 2 * (panel.width() - count), std::int16_t{0});
    for (std::int64_t j = 0; a_zero_ != 0 && j < count; ++j) {
      const std::int64_t both = 256 * (high[2 * j] + high[2 * j + 1]) + low[2 * j] + low[2 * j + 1];
      bias[j] -= a_zero_ * both;
    }
  }
}

// Sums of up to sum_rows rows, [row][panel columns], without what zero points and biases add.
void WideMatMulStep::sum_panel(const std::uint8_t* a, const std::int16_t* packed, const Panel& panel, std::int64_t rows,
                               std::int64_t* sums) const {
  alignas(64) std::int32_t high[sum_rows * igemm_panel_columns];
  alignas(64) std::int32_t low[sum_rows * igemm_panel_columns];
  for (std::int64_t k = 0; k < packed_depth_; k += most_depth) {
    const std::int64_t depth = std::min(most_depth, packed_depth_ - k);
    const std::int16_t* weights = packed + (panel.column * packed_depth_) + k * panel.width();
    WgemmTask task{a + 2 * k,     place_.a_row, nullptr, 0, 1, depth, weights,
                   panel.vectors, no_bias,      &depth,  1, 0, rows,  high};
    kernels_.product(task);
    task.weights = weights + plane();
    task.sums = low;
    kernels_.product(task);
    kernels_.join({high, low, rows * igemm_panel_columns, k != 0, sums});
  }
}

void WideMatMulStep::write(const std::int64_t* sums, std::int64_t count, std::uint8_t* out) const {
  if (finish_.multiplier.empty()) return writer_.write_channels(sums, count, 0, out);
  const RequantizeRule& rule = finish_.rescale->rule();
  kernels_.rescale({sums,
                    finish_.multiplier.data(),
                    count,
                    {rule.zero_point, rule.range.qmin, rule.range.qmax},
                    finish_.type == Type::u8,
                    out});
}

void WideMatMulStep::run_block(const Frame& frame, std::int64_t product, std::int64_t begin, std::int64_t end) const {
  alignas(64) std::int64_t sums[sum_rows * igemm_panel_columns];
  const std::int64_t matrix = place_.b_of[size(product)];
  const std::uint8_t* a = frame.at(place_.a) + place_.a_offsets[size(product)] + begin * place_.a_row;
  std::uint8_t* y = frame.at(place_.y) + place_.y_offsets[size(product)] + begin * place_.y_row;
  std::int64_t of_row[sum_rows] = {};
  for (std::int64_t r = 0; b_zero_ != 0 && r < end - begin; ++r) {
    const auto* codes = reinterpret_cast<const std::int16_t*>(a + r * place_.a_row);
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < place_.depth; ++k) sum += codes[k];
    of_row[r] = sum * b_zero_;
  }
  for (const Panel& panel : panels_) {
    sum_panel(a, packed_at(frame, matrix), panel, end - begin, sums);
    const std::int64_t* bias = bias_at(frame, matrix) + panel.column;
    const std::int64_t count = std::min(panel.width(), place_.columns - panel.column);
    for (std::int64_t r = 0; r < end - begin; ++r) {
      std::int64_t* line = sums + r * igemm_panel_columns;
      for (std::int64_t j = 0; j < count; ++j) line[j] += bias[j] - of_row[r];
      write(line, count, y + r * place_.y_row + panel.column * item_);
    }
  }
}

void WideMatMulStep::run(const Frame& frame) const {
  const std::int64_t panels = std::ssize(panels_);
  auto pack_one = [&](std::int64_t i) { pack(frame, i / panels, panels_[size(i % panels)]); };
  const double packed = static_cast<double>(packed_bytes());
  parallel_for(std::ssize(place_.b_offsets) * panels, threads_for(frame, packed * 2), pack_one);

  const std::int64_t products = std::ssize(place_.a_offsets);
  const std::int64_t blocks = (place_.rows + sum_rows - 1) / sum_rows;
  auto item = [&](std::int64_t i) {
    const std::int64_t begin = i % blocks * sum_rows;
    run_block(frame, i / blocks, begin, std::min(place_.rows, begin + sum_rows));
  };
  constexpr double macs_a_byte = 4;
  const double macs = static_cast<double>(products * place_.rows) * static_cast<double>(place_.depth * place_.columns);
  parallel_for(products * blocks, threads_for(frame, macs / macs_a_byte), item);
}

}  // namespace halfeven::native
