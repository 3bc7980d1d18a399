#include "kernels/igemm/weights.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace halfeven::native {
namespace {

constexpr std::int64_t vector_bytes = 64;

std::int64_t rounded_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// Six vectors left make two panels of three: both keep more registers busy than four and two.
std::int32_t next_vectors(std::int64_t left, int most) {
  if (most == 4 && left == 6) return 3;
  return static_cast<std::int32_t>(std::min<std::int64_t>(left, most));
}

// Groups of four neighbours stay together: whole words are moved.
void pack_words(const std::uint8_t* from, std::int64_t column, std::int64_t columns, std::int64_t groups,
                std::int64_t width, std::uint32_t flip, std::uint8_t* out) {
  constexpr std::int64_t square = 16;  // whose lines of both sides the first cache holds
  for (std::int64_t first = 0; first < groups; first += square) {
    const std::int64_t last = std::min(groups, first + square);
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t g = first; g < last; ++g) {
        std::uint32_t word;
        std::memcpy(&word, from + j * column + 4 * g, sizeof(word));
        word ^= flip;
        std::memcpy(out + (g * width + j) * 4, &word, sizeof(word));
      }
    }
  }
}

// Four rows of neighbouring columns become columns of four.
void pack_rows(const std::uint8_t* from, std::int64_t channel, std::int64_t columns, std::int64_t groups,
               std::int64_t width, std::uint8_t flip, std::uint8_t* out) {
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::uint8_t* rows = from + 4 * g * channel;
    std::uint8_t* to = out + g * width * 4;
    for (std::int64_t j = 0; j < columns; ++j) {
      for (std::int64_t i = 0; i < 4; ++i) to[4 * j + i] = static_cast<std::uint8_t>(rows[i * channel + j] ^ flip);
    }
  }
}

// Channels [first, last) under one tap of one panel, one after the other.
void pack_each(const WeightCodes& codes, const std::uint8_t* from, std::int64_t columns, std::int64_t first,
               std::int64_t last, std::int64_t width, std::uint8_t* out) {
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t k = first; k < last; ++k) {
      const std::uint8_t code = from[j * codes.column + k * codes.channel];
      out[(k / 4 * width + j) * 4 + k % 4] = static_cast<std::uint8_t>(code ^ codes.flip);
    }
  }
}

}  // namespace

WeightLayout::WeightLayout(std::int64_t columns, std::int64_t taps, std::int64_t channels, Isa isa)
    : columns_(columns),
      rounded_columns_(rounded_up(columns, igemm_lanes)),
      taps_(taps),
      channels_(channels),
      depth_(rounded_up(channels, igemm_step)) {
  if (columns < 1) throw std::invalid_argument("a product has at least one column");
  const Kernel<IgemmKernel>* found = find_kernel(igemm_kernels, Type::u8, Type::u8, isa);
  format_ = igemm_format(found->isa);
  kernel_ = found->function;
  const std::int64_t column_bytes = this->column_bytes();
  for (std::int64_t column = 0; column < rounded_columns_;) {
    const std::int32_t vectors = next_vectors((rounded_columns_ - column) / igemm_lanes, format_.vectors);
    panels_.push_back({static_cast<std::int32_t>(column), vectors, column * column_bytes});
    column += vectors * igemm_lanes;
  }
}

std::int64_t WeightLayout::bytes() const { return rounded_columns_ * column_bytes() + vector_bytes; }

std::int64_t WeightLayout::column_bytes() const { return packed_depth() + (format_.made_signed ? 4 : 0); }

IgemmTask WeightLayout::task() const {
  IgemmTask task{};
  task.taps = taps_;
  task.depth = depth_;
  task.panels = panels_.data();
  task.columns = columns_;
  return task;
}

namespace {

// Columns [first, first + width) behind each other, those that there are; the rest is 0.
void pack_columns(const WeightLayout& layout, const WeightCodes& codes, std::int64_t first, std::int64_t width,
                  std::uint8_t* packed) {
  const std::int64_t columns = std::min(width, layout.columns() - first);
  const std::int64_t channels = layout.channels();
  const std::int64_t tap_bytes = layout.depth() * width;
  const std::int64_t beyond = layout.packed_depth() * width - layout.taps() * tap_bytes;
  std::memset(packed + layout.taps() * tap_bytes, 0, static_cast<std::size_t>(beyond));
  const std::int64_t groups = channels / 4;
  const std::uint32_t flips = 0x01010101U * codes.flip;
  for (std::int64_t tap = 0; tap < layout.taps(); ++tap) {
    const std::uint8_t* from = codes.codes + first * codes.column + tap * codes.tap;
    std::uint8_t* out = packed + tap * tap_bytes;
    if (columns < width || channels < layout.depth()) std::memset(out, 0, static_cast<std::size_t>(tap_bytes));
    if (codes.channel == 1) {
      pack_words(from, codes.column, columns, groups, width, flips, out);
    } else if (codes.column == 1) {
      pack_rows(from, codes.channel, columns, groups, width, codes.flip, out);
    } else {
      pack_each(codes, from, columns, 0, 4 * groups, width, out);
    }
    pack_each(codes, from, columns, 4 * groups, channels, width, out);
  }
}

// 128 sum(w) of each of 16 columns, behind their codes.
void append_sums(std::int64_t depth, std::uint8_t* packed) {
  std::int32_t sums[igemm_lanes] = {};
  for (std::int64_t k = 0; k < depth * igemm_lanes; ++k) {
    sums[k / igemm_step % igemm_lanes] += 128 * static_cast<std::int8_t>(packed[k]);
  }
  std::memcpy(packed + depth * igemm_lanes, sums, sizeof(sums));
}

// The values and zeros, `count` together.
template <class T>
AlignedBytes padded(std::span<const T> values, std::int64_t count) {
  AlignedBytes bytes(static_cast<std::size_t>(count) * sizeof(T));
  std::memcpy(bytes.data(), values.data(), values.size_bytes());
  return bytes;
}

}  // namespace

void pack_panel(const WeightLayout& layout, const WeightCodes& codes, std::int64_t p, std::uint8_t* packed) {
  const IgemmPanel& panel = layout.panel(p);
  const std::int64_t width = panel.vectors * igemm_lanes;
  if (!layout.format().tiles) {
    pack_columns(layout, codes, panel.column, width, packed + panel.offset);
    if (layout.format().made_signed) append_sums(layout.packed_depth(), packed + panel.offset);
    return;
  }
  // Each vector by itself: a tile is read from one place to the next, which the processor foresees.
  for (std::int64_t j = 0; j < width; j += igemm_lanes) {
    pack_columns(layout, codes, panel.column + j, igemm_lanes, packed + panel.offset + j * layout.packed_depth());
  }
}

PackedWeights::PackedWeights(const ProductWeights& weights, Isa isa, std::shared_ptr<Pages> pages)
    : layout_(weights.columns, weights.taps, weights.channels, isa), pages_(std::move(pages)) {
  const std::int64_t columns = layout_.columns();
  const bool fits = std::ssize(weights.codes) == columns * weights.taps * weights.channels &&
                    std::ssize(weights.bias) == columns && std::ssize(weights.multiplier) == columns;
  if (!fits) throw std::invalid_argument("weights, bias and multipliers do not fit together");
  bias_ = padded(weights.bias, layout_.padded_columns());
  multiplier_ = padded(weights.multiplier, layout_.padded_columns());
  codes_ = pages_->take(static_cast<std::size_t>(layout_.bytes()));
  const WeightCodes codes{reinterpret_cast<const std::uint8_t*>(weights.codes.data()), weights.taps * weights.channels,
                          weights.channels, 1, 0};
  for (std::int64_t p = 0; p < layout_.panels(); ++p) pack_panel(layout_, codes, p, codes_);
}

IgemmTask PackedWeights::task() const {
  IgemmTask task = layout_.task();
  task.weights = codes_;
  task.bias = reinterpret_cast<const std::int32_t*>(bias_.data());
  task.multiplier = reinterpret_cast<const double*>(multiplier_.data());
  return task;
}

}  // namespace halfeven::native
