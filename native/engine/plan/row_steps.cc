#include "engine/plan/row_steps.h"

#include <cstring>
#include <stdexcept>

namespace halfeven::native {
namespace {

constexpr std::int64_t block_channels = 256;
constexpr std::int64_t block_bytes = 1024;
constexpr std::int64_t cached_bytes = 8 << 10;  // that a function behind the step finds in the first cache

const RowKernels& kernels_for(Isa isa) { return find_kernel(row_kernels, Type::u8, Type::u8, isa)->function; }

double bytes_of(const Rows& rows) { return static_cast<double>(rows.count * rows.stride); }

bool same_rows(const PairPlace& place) {
  return place.repeat.divide == 1 && place.repeat.modulo == place.rows.count && place.y_stride == place.rows.stride;
}

}  // namespace

SumStep::SumStep(const PairPlace& place, const SumRule& rule, Isa isa)
    : place_(place), rule_(rule), then_(isa), kernel_(kernels_for(isa).sum) {}

void SumStep::run(const Frame& frame) const {
  const std::uint8_t* x = frame.at(place_.x);
  const std::uint8_t* y = frame.at(place_.y);
  std::uint8_t* out = frame.at(place_.out);
  const Rows& rows = place_.rows;
  const int threads = threads_for(frame, bytes_of(rows));
  if (same_rows(place_)) {
    return for_each_part(rows.count * rows.stride, 64, threads, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t block = then_.empty() ? end - begin : cached_bytes;
      for (std::int64_t k = begin; k < end; k += block) {
        const std::int64_t count = std::min(block, end - k);
        kernel_({x + k, y + k, out + k, count, rule_});
        then_.apply(out + k, count);
      }
    });
  }
  for_each_part(rows.count, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t other = r / place_.repeat.divide % place_.repeat.modulo;
      kernel_({x + r * rows.stride, y + other * place_.y_stride, out + r * rows.stride, rows.channels, rule_});
      then_.apply(out + r * rows.stride, rows.channels);
    }
  });
}

MultiplyStep::MultiplyStep(const PairPlace& place, std::int32_t x_zero, std::int32_t y_zero,
                           std::shared_ptr<const Rescale> rescale, Isa isa)
    : place_(place),
      x_zero_(x_zero),
      y_zero_(y_zero),
      rescale_(std::move(rescale)),
      then_(isa),
      writer_(*rescale_, Type::s32, Type::u8, isa),
      kernels_(kernels_for(isa)) {}

// Codes of `count` neighbours, what pads pixels among them.
void MultiplyStep::multiply(const std::uint8_t* x, const std::uint8_t* y, std::uint8_t* out, std::int64_t count) const {
  std::int32_t products[block_bytes];
  for (std::int64_t i = 0; i < count; i += block_bytes) {
    const std::int64_t part = std::min(block_bytes, count - i);
    kernels_.products(products, x + i, y + i, part, x_zero_, y_zero_);
    writer_.write(products, part, 0, out + i);
    then_.apply(out + i, part);
  }
}

// Rows [begin, end), which all meet the row at `y`: that is repeated, so that many rows are taken at once.
void MultiplyStep::multiply_rows(const std::uint8_t* x, const std::uint8_t* y, std::uint8_t* out, std::int64_t begin,
                                 std::int64_t end) const {
  const std::int64_t stride = place_.rows.stride;
  const std::int64_t together = std::min(end - begin, block_bytes / stride);
  if (together < 2) {
    for (std::int64_t r = begin; r < end; ++r) multiply(x + r * stride, y, out + r * stride, place_.rows.channels);
    return;
  }
  std::uint8_t repeated[block_bytes];
  for (std::int64_t k = 0; k < together; ++k) std::memcpy(repeated + k * stride, y, static_cast<std::size_t>(stride));
  for (std::int64_t r = begin; r < end; r += together) {
    multiply(x + r * stride, repeated, out + r * stride, std::min(together, end - r) * stride);
  }
}

void MultiplyStep::run(const Frame& frame) const {
  const Rows& rows = place_.rows;
  const std::uint8_t* x = frame.at(place_.x);
  const std::uint8_t* y = frame.at(place_.y);
  std::uint8_t* out = frame.at(place_.out);
  const int threads = threads_for(frame, bytes_of(rows) * 4);
  if (same_rows(place_)) {
    return for_each_part(rows.count * rows.stride, 64, threads, [&](std::int64_t begin, std::int64_t end) {
      multiply(x + begin, y + begin, out + begin, end - begin);
    });
  }
  for_each_part(rows.count, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end;) {
      const std::int64_t alike =
          place_.repeat.modulo == 1 ? end : (r / place_.repeat.divide + 1) * place_.repeat.divide;
      const std::int64_t other = r / place_.repeat.divide % place_.repeat.modulo;
      const std::int64_t last = std::min(end, alike);
      multiply_rows(x, y + other * place_.y_stride, out, r, last);
      r = last;
    }
  });
}

TableStep::TableStep(TensorId x, TensorId y, std::int64_t bytes, std::span<const std::uint8_t, 256> table, Isa isa)
    : x_(x), y_(y), bytes_(bytes), table_(isa) {
  table_.follow_with(table);
}

void TableStep::run(const Frame& frame) const {
  const std::uint8_t* x = frame.at(x_);
  std::uint8_t* y = frame.at(y_);
  for_each_part(bytes_, 64, threads_for(frame, static_cast<double>(bytes_)),
                [&](std::int64_t begin, std::int64_t end) { table_.apply(x + begin, y + begin, end - begin); });
}

PairTableStep::PairTableStep(const PairPlace& place, std::vector<std::uint8_t> table)
    : place_(place), table_(std::move(table)) {
  if (table_.size() != 65536) throw std::invalid_argument("a table of all pairs of codes has 65536 entries");
}

void PairTableStep::run(const Frame& frame) const {
  const Rows& rows = place_.rows;
  const std::uint8_t* table = table_.data();
  for_each_part(rows.count, 1, threads_for(frame, bytes_of(rows) * 4), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::uint8_t* x = frame.at(place_.x) + r * rows.stride;
      const std::uint8_t* y = frame.at(place_.y) + r / place_.repeat.divide % place_.repeat.modulo * place_.y_stride;
      std::uint8_t* out = frame.at(place_.out) + r * rows.stride;
      for (std::int64_t c = 0; c < rows.channels; ++c) out[c] = table[x[c] * 256 + y[c]];
    }
  });
}

ChannelTableStep::ChannelTableStep(TensorId x, TensorId y, const Rows& rows, std::vector<std::uint8_t> table)
    : x_(x), y_(y), rows_(rows), table_(std::move(table)) {
  if (std::ssize(table_) != rows.channels * 256) throw std::invalid_argument("a table a channel has 256 entries each");
}

void ChannelTableStep::run(const Frame& frame) const {
  const std::uint8_t* table = table_.data();
  for_each_part(rows_.count, 1, threads_for(frame, bytes_of(rows_) * 2), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::uint8_t* x = frame.at(x_) + r * rows_.stride;
      std::uint8_t* out = frame.at(y_) + r * rows_.stride;
      for (std::int64_t c = 0; c < rows_.channels; ++c) out[c] = table[c * 256 + x[c]];
    }
  });
}

MaxPoolStep::MaxPoolStep(Pooling pooling, Isa isa) : pooling_(std::move(pooling)), kernels_(kernels_for(isa)) {}

void MaxPoolStep::run(const Frame& frame) const {
  const Rows& rows = pooling_.rows;
  const std::uint8_t* x = frame.at(pooling_.x);
  std::uint8_t* y = frame.at(pooling_.y);
  const std::int64_t taps = std::ssize(pooling_.table) / std::max<std::int64_t>(rows.count, 1);
  const int threads = threads_for(frame, bytes_of(rows) * static_cast<double>(taps));
  for_each_part(rows.count, 1, threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      std::uint8_t* out = y + r * rows.stride;
      std::memset(out, 0, static_cast<std::size_t>(rows.channels));  // the lowest code: padding never wins
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int32_t offset = pooling_.table[static_cast<std::size_t>(tap * rows.count + r)];
        if (offset != outside) kernels_.largest(out, x + offset, rows.channels);
      }
    }
  });
}

MeanPoolStep::MeanPoolStep(Pooling pooling, std::int32_t x_zero, std::shared_ptr<const Rescale> rescale, Isa isa)
    : pooling_(std::move(pooling)),
      x_zero_(x_zero),
      rescale_(std::move(rescale)),
      writer_(*rescale_, Type::s32, Type::u8, isa),
      kernels_(kernels_for(isa)) {}

void MeanPoolStep::run_row(const std::uint8_t* x, std::uint8_t* y, std::int64_t row, std::int64_t first) const {
  const Rows& rows = pooling_.rows;
  const std::int64_t count = std::min(block_channels, rows.channels - first);
  std::int32_t sums[block_channels] = {};
  std::int32_t elements = 0;
  for (std::size_t at = static_cast<std::size_t>(row); at < pooling_.table.size();
       at += static_cast<std::size_t>(rows.count)) {
    if (pooling_.table[at] == outside) continue;
    kernels_.total(sums, x + pooling_.table[at] + first, count);
    ++elements;
  }
  for (std::int64_t c = 0; c < count; ++c) sums[c] -= elements * x_zero_;
  writer_.write(sums, count, row % rescale_->channels(), y + row * rows.stride + first);
}

void MeanPoolStep::run(const Frame& frame) const {
  const std::uint8_t* x = frame.at(pooling_.x);
  std::uint8_t* y = frame.at(pooling_.y);
  const std::int64_t blocks = (pooling_.rows.channels + block_channels - 1) / block_channels;
  const double bytes = static_cast<double>(std::ssize(pooling_.table) * pooling_.rows.stride);
  for_each_part(pooling_.rows.count * blocks, 1, threads_for(frame, bytes), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) run_row(x, y, i / blocks, i % blocks * block_channels);
  });
}

}  // namespace halfeven::native
