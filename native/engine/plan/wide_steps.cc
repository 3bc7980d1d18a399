#include "engine/plan/wide_steps.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/eltwise/codes.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t sum_rows = 24;
constexpr std::int64_t cached_input = 256 << 10;  // of a block of rows, so that the second cache keeps it

}  // namespace

WideProductStep::WideProductStep(std::shared_ptr<const WideWeights> weights, const ProductPlace& place, Gather gather,
                                 WideFinish finish, Isa isa)
    : weights_(std::move(weights)),
      place_(place),
      gather_(std::move(gather)),
      finish_(std::move(finish)),
      writer_(*finish_.rescale, weights_->sum_type(), finish_.type, isa),
      item_(static_cast<std::int64_t>(code_size(finish_.type))) {
  if (weights_->depthwise() && gather_.table.empty()) throw std::invalid_argument("a depthwise product needs offsets");
  finish_.multiplier.resize(finish_.multiplier.empty() ? 0 : static_cast<std::size_t>(weights_->columns()));
}

void WideProductStep::place(std::span<const std::int64_t> places) {
  const std::int64_t padding =
      places[static_cast<std::size_t>(gather_.padding)] - places[static_cast<std::size_t>(place_.x)];
  for (std::int32_t& offset : gather_.table) {
    if (offset == outside) offset = static_cast<std::int32_t>(padding);
  }
}

void WideProductStep::write(const void* sums, std::int64_t column, std::int64_t count, std::uint8_t* row) const {
  void* out = row + column * item_;
  if (weights_->wide() && !finish_.multiplier.empty()) {
    return weights_->kernels().rescale({static_cast<const std::int64_t*>(sums), finish_.multiplier.data() + column,
                                        count, code_rule(*finish_.rescale), finish_.type == Type::u8, out});
  }
  writer_.write_channels(sums, count, column, out);
}

void WideProductStep::run_rows(const Frame& frame, std::int64_t begin, std::int64_t end, std::int64_t panel) const {
  alignas(64) std::int64_t sums[sum_rows * igemm_panel_columns];
  WgemmTask task = weights_->task(panel);
  task.input = frame.at(place_.x) + place_.x_offset;
  task.row_stride = gather_.row_stride;
  task.offsets = gather_.table.empty() ? nullptr : gather_.table.data();
  task.offset_stride = place_.rows;
  task.sums = sums;
  const IgemmPanel& columns = weights_->panel(panel);
  const std::int64_t count =
      std::min<std::int64_t>(columns.vectors * igemm_lanes, weights_->columns() - columns.column);
  const std::int64_t line = igemm_panel_columns * (weights_->wide() ? 8 : 4);
  for (task.row_begin = begin; task.row_begin < end; task.row_begin = task.row_end) {
    task.row_end = std::min(end, task.row_begin + sum_rows);
    weights_->kernels().product(task);
    for (std::int64_t row = task.row_begin; row < task.row_end; ++row) {
      const std::uint8_t* of_row = reinterpret_cast<const std::uint8_t*>(sums) + (row - task.row_begin) * line;
      write(of_row, columns.column, count, frame.at(place_.y) + place_.y_offset + row * place_.y_stride);
    }
  }
}

void WideProductStep::run_channels(const Frame& frame, std::int64_t row) const {
  constexpr std::int64_t together = 256;
  alignas(64) std::int64_t sums[together];
  WideDepthwiseTask task = weights_->depthwise_task();
  task.input = frame.at(place_.x) + place_.x_offset;
  task.offsets = gather_.table.data() + row;
  task.offset_stride = place_.rows;
  task.sums = sums;
  for (task.begin = 0; task.begin < task.channels; task.begin = task.end) {
    task.end = std::min(task.channels, task.begin + together);
    weights_->kernels().depthwise(task);
    std::uint8_t* out = frame.at(place_.y) + place_.y_offset + row * place_.y_stride;
    write(sums, task.begin, task.end - task.begin, out);
  }
}

void WideProductStep::run(const Frame& frame) const {
  const double macs = static_cast<double>(place_.rows * weights_->columns()) *
                      static_cast<double>(weights_->taps() * weights_->depth());
  constexpr double macs_a_byte = 8;
  const int threads = threads_for(frame, macs / macs_a_byte);
  if (weights_->depthwise()) {
    return for_each_part(place_.rows, 1, threads, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) run_channels(frame, row);
    });
  }
  const std::int64_t row_bytes = std::max<std::int64_t>(1, place_.x_bytes / std::max<std::int64_t>(place_.rows, 1));
  std::int64_t rows = std::max(sum_rows, cached_input / row_bytes / sum_rows * sum_rows);
  if (threads > 1) rows = std::min(rows, std::max(sum_rows, (place_.rows / 8 + sum_rows - 1) / sum_rows * sum_rows));
  const std::int64_t blocks = (place_.rows + rows - 1) / rows;
  auto item = [&](std::int64_t i) {
    const std::int64_t begin = i / weights_->panels() * rows;
    run_rows(frame, begin, std::min(place_.rows, begin + rows), i % weights_->panels());
  };
  parallel_for(blocks * weights_->panels(), threads, item);
}

WideSumStep::WideSumStep(const PairPlace& place, std::int64_t out_stride, const WideSumRule& rule, Isa isa)
    : place_(place),
      out_stride_(out_stride),
      rule_(rule),
      kernels_(find_kernel(wide_kernels, Type::s16, Type::s64, isa)->function) {}

void WideSumStep::run(const Frame& frame) const {
  const Rows& rows = place_.rows;
  const double bytes = static_cast<double>(rows.count * rows.stride);
  for_each_part(rows.count, 1, threads_for(frame, bytes * 2), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t other = r / place_.repeat.divide % place_.repeat.modulo;
      const auto* x = reinterpret_cast<const std::int16_t*>(frame.at(place_.x) + r * rows.stride);
      const auto* y = reinterpret_cast<const std::int16_t*>(frame.at(place_.y) + other * place_.y_stride);
      kernels_.sum({x, y, rows.channels, rule_.a, rule_.b, rule_.constant, rule_.code, rule_.bytes,
                    frame.at(place_.out) + r * out_stride_});
    }
  });
}

LookUpStep::LookUpStep(TensorId x, TensorId y, const Rows& rows, std::int64_t y_stride, std::int64_t x_item,
                       std::int64_t y_item, std::vector<std::uint8_t> table)
    : x_(x), y_(y), rows_(rows), y_stride_(y_stride), x_item_(x_item), y_item_(y_item), table_(std::move(table)) {
  const bool sized = (x_item == 1 || x_item == 2) && (y_item == 1 || y_item == 2 || y_item == 4);
  if (!sized || std::ssize(table_) != y_item << 8 * x_item) {
    throw std::invalid_argument("a table has an entry for each code");
  }
}

namespace {

template <class Code, class Entry>
void look_up_row(const std::uint8_t* x, std::uint8_t* y, std::int64_t count, const std::uint8_t* table) {
  const auto* codes = reinterpret_cast<const Code*>(x);
  const auto* entries = reinterpret_cast<const Entry*>(table);
  auto* out = reinterpret_cast<Entry*>(y);
  constexpr int first = sizeof(Code) == 1 ? 0 : -32768;
  for (std::int64_t i = 0; i < count; ++i) out[i] = entries[codes[i] - first];
}

template <class Code>
void look_up_codes(const std::uint8_t* x, std::uint8_t* y, std::int64_t count, const std::uint8_t* table,
                   std::int64_t y_item) {
  switch (y_item) {
    case 1: return look_up_row<Code, std::uint8_t>(x, y, count, table);
    case 2: return look_up_row<Code, std::uint16_t>(x, y, count, table);
    default: return look_up_row<Code, std::uint32_t>(x, y, count, table);
  }
}

}  // namespace

void LookUpStep::run(const Frame& frame) const {
  const double bytes = static_cast<double>(rows_.count * rows_.channels * 4);
  for_each_part(rows_.count, 1, threads_for(frame, bytes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::uint8_t* x = frame.at(x_) + r * rows_.stride;
      std::uint8_t* y = frame.at(y_) + r * y_stride_;
      if (x_item_ == 1) {
        look_up_codes<std::uint8_t>(x, y, rows_.channels, table_.data(), y_item_);
      } else {
        look_up_codes<std::int16_t>(x, y, rows_.channels, table_.data(), y_item_);
      }
    }
  });
}

}  // namespace halfeven::native
