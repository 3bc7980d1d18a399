// Weights of a product, packed for the kernel that will read them: once, and shared by every plan of a model; or at
// each run, where they are activations themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/aligned.h"
#include "kernels/igemm/igemm.h"
#include "kernels/pages.h"

namespace halfeven::native {

// How weights of one size lie in memory: panels of columns, each [depth][columns] in groups of the kernel's step.
class WeightLayout {
 public:
  // Throws std::invalid_argument where there is no column.
  WeightLayout(std::int64_t columns, std::int64_t taps, std::int64_t channels, Isa isa);

  std::int64_t columns() const { return columns_; }
  std::int64_t padded_columns() const { return rounded_columns_; }
  std::int64_t taps() const { return taps_; }
  std::int64_t channels() const { return channels_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t panels() const { return static_cast<std::int64_t>(panels_.size()); }
  std::int64_t column_bytes() const;  // packed, with what belongs to it
  std::int64_t packed_depth() const { return igemm_packed_depth(format_, taps_ * depth_); }
  std::int64_t bytes() const;  // with room for a whole vector behind the end
  const IgemmPanel& panel(std::int64_t p) const { return panels_[static_cast<std::size_t>(p)]; }
  const IgemmFormat& format() const { return format_; }
  // What each call of the kernel needs beside its task.
  std::int64_t scratch_bytes() const { return igemm_scratch_bytes(format_, taps_, depth_); }
  IgemmKernel kernel() const { return kernel_; }

  // A task with what it knows of weights filled in: no weights, bias or multipliers yet.
  IgemmTask task() const;

 private:
  std::int64_t columns_;
  std::int64_t rounded_columns_;
  std::int64_t taps_;
  std::int64_t channels_;
  std::int64_t depth_;
  IgemmFormat format_;
  IgemmKernel kernel_;
  std::vector<IgemmPanel> panels_;
};

// Signed codes of weights at any strides, in bytes; `flip` (0 or 0x80) makes signed codes of stored ones.
struct WeightCodes {
  const std::uint8_t* codes;
  std::int64_t column;
  std::int64_t tap;
  std::int64_t channel;
  std::uint8_t flip;
};

// Writes panel `p` of the codes, what pads it included, to its place in `packed`.
void pack_panel(const WeightLayout& layout, const WeightCodes& codes, std::int64_t p, std::uint8_t* packed);

// `codes` [columns][taps][channels], centered; `bias` and `multiplier` one a column, zero points folded into the bias.
struct ProductWeights {
  std::span<const std::int8_t> codes;
  std::int64_t columns;
  std::int64_t taps;
  std::int64_t channels;
  std::span<const std::int32_t> bias;
  std::span<const double> multiplier;
};

class PackedWeights {
 public:
  // Packed into memory of the pages, which it keeps alive.
  PackedWeights(const ProductWeights& weights, Isa isa, std::shared_ptr<Pages> pages);

  std::int64_t columns() const { return layout_.columns(); }
  std::int64_t taps() const { return layout_.taps(); }
  std::int64_t depth() const { return layout_.depth(); }
  std::int64_t panels() const { return layout_.panels(); }
  std::int64_t bytes() const { return layout_.bytes(); }
  const IgemmPanel& panel(std::int64_t p) const { return layout_.panel(p); }
  const IgemmFormat& format() const { return layout_.format(); }
  std::int64_t scratch_bytes() const { return layout_.scratch_bytes(); }
  IgemmKernel kernel() const { return layout_.kernel(); }

  // A task with what it has of weights filled in.
  IgemmTask task() const;

 private:
  WeightLayout layout_;
  std::shared_ptr<Pages> pages_;
  std::uint8_t* codes_;
  AlignedBytes bias_;        // int32: a tile of it that crosses cache lines is loaded six times as slowly
  AlignedBytes multiplier_;  // double
};

}  // namespace halfeven::native
