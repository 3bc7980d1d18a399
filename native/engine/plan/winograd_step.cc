#include "engine/plan/winograd_step.h"

#include <algorithm>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t most_tiles = 60;  // a block, whose weights are transformed once
constexpr std::int64_t least_tiles = 6;
constexpr std::int64_t cached_tiles = 512 << 10;  // bytes of a block, so that the second cache keeps it
constexpr std::int64_t items_wanted = 8;
constexpr double macs_a_byte = 8;

std::int64_t parts_of(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }

// How tiles and panels are cut: every range of panels transforms its block of tiles again.
struct Cut {
  std::int64_t tiles;
  std::int64_t blocks;
  std::int64_t ranges;
};

Cut cut_for(const WinogradWeights& w, std::int64_t tiles, int threads) {
  const std::int64_t tile_bytes = winograd_places * w.depth() * 2;
  const std::int64_t most = std::clamp(cached_tiles / tile_bytes, least_tiles, most_tiles);
  const std::int64_t part = parts_of(tiles, parts_of(tiles, most));
  const std::int64_t blocks = parts_of(tiles, part);
  if (threads == 1 || blocks >= items_wanted) return {part, blocks, 1};
  return {part, blocks, std::min(w.panels(), parts_of(items_wanted, blocks))};
}

}  // namespace

WinogradStep::WinogradStep(std::shared_ptr<const WinogradWeights> weights, const ProductPlace& place,
                           const ImagePlace& image, Gather gather, const Rescale& rescale,
                           std::optional<SumOperand> sum)
    : weights_(std::move(weights)),
      place_(place),
      image_(image),
      gather_(std::move(gather)),
      rule_(code_rule(rescale)),
      sum_(std::move(sum)) {}

std::vector<TensorId> WinogradStep::reads() const {
  std::vector<TensorId> ids{place_.x, gather_.padding};
  if (sum_) ids.push_back(sum_->y);
  return ids;
}

void WinogradStep::run(const Frame& frame) const {
  const double macs =
      static_cast<double>(tiles() * winograd_places) * static_cast<double>(weights_->columns() * weights_->depth());
  const int threads = threads_for(frame, macs / macs_a_byte);
  WinogradTask task = weights_->task();
  task.input = frame.at(place_.x) + place_.x_offset;
  task.offsets = gather_.table.data();
  task.tiles = tiles();
  task.height = image_.height;
  task.width = image_.width;
  task.out = frame.at(place_.y) + place_.y_offset;
  task.out_stride = place_.y_stride;
  task.rule = rule_;
  SumWith sum{};
  if (sum_) {
    sum = {frame.at(sum_->y) + place_.y_offset, sum_->stride, sum_->rule};
    task.sum = &sum;
  }
  const Cut cut = cut_for(*weights_, tiles(), threads);
  auto item = [&](std::int64_t i) {
    WinogradTask part = task;
    part.tile_begin = i / cut.ranges * cut.tiles;
    part.tile_end = std::min(tiles(), part.tile_begin + cut.tiles);
    part.panel_begin = weights_->panels() * (i % cut.ranges) / cut.ranges;
    part.panel_end = weights_->panels() * (i % cut.ranges + 1) / cut.ranges;
    part.scratch = scratch_of(winograd_scratch_bytes(part.depth, cut.tiles));
    weights_->kernel()(part);
  };
  parallel_for(cut.blocks * cut.ranges, threads, item);
}

}  // namespace halfeven::native
