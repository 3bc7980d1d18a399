#include "engine/plan/planes_step.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t unit = 16;  // rows of a tile
constexpr std::int64_t items_wanted = 8;
constexpr double macs_a_byte = 64;

std::int64_t parts_of(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

}  // namespace

PlanesStep::PlanesStep(std::shared_ptr<const PackedWeights> weights, const ProductPlace& place, Gather gather,
                       std::vector<double> bias, WideFinish finish, Isa isa)
    : weights_(std::move(weights)),
      place_(place),
      gather_(std::move(gather)),
      bias_(std::move(bias)),
      finish_(std::move(finish)),
      kernel_(planes_kernel(isa)) {
  if (kernel_ == nullptr || !weights_->format().tiles) {
    throw std::invalid_argument("products of planes of bytes have no kernel for this instruction set");
  }
  const std::size_t padded = static_cast<std::size_t>(parts_of(weights_->columns(), igemm_lanes) * igemm_lanes);
  if (std::ssize(bias_) != weights_->columns()) throw std::invalid_argument("a product needs a bias for each column");
  bias_.resize(padded);
}

void PlanesStep::run(const Frame& frame) const {
  const double macs = static_cast<double>(place_.rows * weights_->columns()) *
                      static_cast<double>(weights_->taps() * weights_->depth());
  const int threads = threads_for(frame, macs / macs_a_byte);
  const IgemmTask packed = weights_->task();
  PlanesTask task{};
  task.input = frame.at(place_.x) + place_.x_offset;
  task.row_stride = gather_.row_stride;
  task.offsets = gather_.table.empty() ? nullptr : gather_.table.data();
  task.offset_stride = place_.rows;
  task.taps = weights_->taps();
  task.depth = weights_->depth();
  task.weights = static_cast<const std::int8_t*>(packed.weights);
  task.panels = packed.panels;
  task.bias = bias_.data();
  task.multiplier = packed.multiplier;
  task.columns = weights_->columns();
  task.out = frame.at(place_.y) + place_.y_offset;
  task.out_stride = place_.y_stride;
  task.rule = code_rule(*finish_.rescale);
  task.bytes = finish_.type == Type::u8;
  // Blocks of rows, or ranges of columns where there are few: each of those cuts the rows anew.
  std::int64_t rows = place_.rows;
  if (threads > 1) rows = std::max(unit, parts_of(parts_of(rows, items_wanted), unit) * unit);
  const std::int64_t blocks = parts_of(place_.rows, rows);
  const std::int64_t ranges = threads == 1 ? 1 : std::min(weights_->panels(), parts_of(items_wanted, blocks));
  auto item = [&](std::int64_t i) {
    PlanesTask part = task;
    part.row_begin = i / ranges * rows;
    part.row_end = std::min(place_.rows, part.row_begin + rows);
    part.panel_begin = weights_->panels() * (i % ranges) / ranges;
    part.panel_end = weights_->panels() * (i % ranges + 1) / ranges;
    part.scratch = scratch_of(planes_scratch_bytes(part.taps, part.depth));
    kernel_(part);
  };
  parallel_for(blocks * ranges, threads, item);
}

}  // namespace halfeven::native
