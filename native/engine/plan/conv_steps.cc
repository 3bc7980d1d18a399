#include "engine/plan/conv_steps.h"

#include <cstring>

#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t row_unit = 24;               // a multiple of every tile's rows but one
constexpr std::int64_t cached_input = 384 << 10;    // of a block of rows, so that the second cache keeps it
constexpr std::int64_t cached_weights = 300 << 10;  // from here on weights are walked once for many rows
constexpr std::int64_t rows_of_small_weights = 96;
constexpr std::int64_t rows_of_widened_weights = 384;  // a panel is widened once for so many
constexpr std::int64_t items_wanted = 8;
constexpr std::int64_t rows_of_tiles = 32;  // of a pair
constexpr std::int64_t columns_above = 8;   // times the input, weights are: then each thread reads its own of them
constexpr std::int64_t sum_rows = 24;

std::int64_t rounded_up(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// Multiply-adds that take about as long as moving a byte.
double macs_a_byte(const IgemmFormat& format) {
  return format.tiles ? 128 : format.wide ? 8 : format.writes_codes ? 32 : 1;
}

// What one item of a step multiplies.
struct Part {
  std::int64_t row_begin;
  std::int64_t row_end;
  std::int64_t panel_begin;
  std::int64_t panel_end;
};

// How a product is cut: blocks of rows by ranges of panels.
struct Cut {
  std::int64_t count;  // of all rows
  std::int64_t rows;   // of a block
  std::int64_t panels;
  std::int64_t ranges;

  std::int64_t items() const { return (count + rows - 1) / rows * ranges; }
  Part part(std::int64_t item) const {
    const std::int64_t row = item / ranges * rows;
    const std::int64_t range = item % ranges;
    return {row, std::min(count, row + rows), panels * range / ranges, panels * (range + 1) / ranges};
  }
};

// Of tiles: blocks of as many rows as a pair of tiles takes, behind each other, equally many for each thread. Where
// that is no whole number, threads share a block, each a range of its panels: the end of one's rows, the head of the
// other's.
class EvenCut {
 public:
  EvenCut(std::int64_t rows, std::int64_t rows_a_block, std::int64_t panels, int threads, std::int64_t most_rows)
      : rows_(rows),
        panels_(panels),
        blocks_((rows + rows_a_block - 1) / rows_a_block),
        rows_a_block_(rows_a_block),
        threads_(threads) {
    const std::int64_t most = std::max<std::int64_t>(1, most_rows / rows_a_block_);
    pieces_ = (blocks_ / threads + most - 1) / most;
  }

  std::int64_t items() const { return threads_ * (pieces_ + 2); }
  Part part(std::int64_t item) const {
    const std::int64_t begin = item / (pieces_ + 2) * blocks_;  // in blocks, times the number of threads
    const std::int64_t end = begin + blocks_;
    const std::int64_t first = (begin + threads_ - 1) / threads_;  // whole ones
    const std::int64_t last = end / threads_;
    const std::int64_t k = item % (pieces_ + 2);
    if (k == 0) return {row(begin / threads_), row(first), panel(begin), panels_};
    if (k == pieces_ + 1) return {row(last), row((end + threads_ - 1) / threads_), 0, panel(end)};
    return {row(first + (last - first) * (k - 1) / pieces_), row(first + (last - first) * k / pieces_), 0, panels_};
  }

 private:
  std::int64_t row(std::int64_t block) const { return std::min(rows_, block * rows_a_block_); }
  std::int64_t panel(std::int64_t place) const { return panels_ * (place % threads_) / threads_; }

  std::int64_t rows_;
  std::int64_t panels_;
  std::int64_t blocks_;
  std::int64_t rows_a_block_;
  std::int64_t threads_;
  std::int64_t pieces_;
};

std::int64_t rows_of_cached_input(const ProductPlace& place) {
  const std::int64_t row_bytes = std::max<std::int64_t>(1, place.x_bytes / std::max<std::int64_t>(place.rows, 1));
  return std::max(row_unit, cached_input / row_bytes / row_unit * row_unit);
}

Cut cut_for(const PackedWeights& w, std::int64_t count, std::int64_t rows, int threads) {
  const std::int64_t panels = w.panels();
  if (w.format().tiles) {  // they walk small weights for each block of rows by themselves
    if (threads == 1) return {count, rows, panels, 1};
    return {count, std::max<std::int64_t>(count, 1), panels, std::min<std::int64_t>(panels, threads)};
  }
  if (w.bytes() < cached_weights) {
    rows = std::min(rows, w.format().wide ? rows_of_widened_weights : rows_of_small_weights);
  }
  if (threads == 1) return {count, rows, panels, 1};
  rows = std::min(rows, std::max(row_unit, rounded_up((count + items_wanted - 1) / items_wanted, row_unit)));
  constexpr std::int64_t few_rows = 400;
  if (count < few_rows && panels >= items_wanted) return {count, count, panels, items_wanted};
  const std::int64_t blocks = (count + rows - 1) / rows;
  const std::int64_t ranges = std::min(panels, blocks >= items_wanted ? 1 : (items_wanted + blocks - 1) / blocks);
  return {count, rows, panels, ranges};
}

}  // namespace

CodeRule code_rule(const Rescale& rescale) {
  const RequantizeRule& rule = rescale.rule();
  return {rule.zero_point, rule.range.qmin, rule.range.qmax};
}

void PaddedImage::copy(const std::uint8_t* x, std::int64_t depth, std::uint8_t fill, std::int64_t first,
                       std::int64_t last, std::uint8_t* out) const {
  const std::int64_t before = std::min(left, padded_width);
  const std::int64_t own = std::min(width, padded_width - before);
  const auto filled = [&](std::int64_t pixels) {
    std::memset(out, fill, static_cast<std::size_t>(pixels * depth));
    out += pixels * depth;
  };
  for (std::int64_t line = first; line < last; ++line) {
    if (line < top || line >= top + height) {
      filled(padded_width);
      continue;
    }
    const std::uint8_t* from = x + (line - top) * width * pixel;
    filled(before);
    if (depth == pixel) {
      std::memcpy(out, from, static_cast<std::size_t>(own * depth));
      out += own * depth;
    } else {
      for (std::int64_t k = 0; k < own; ++k, out += depth) {
        std::memcpy(out, from + k * pixel, static_cast<std::size_t>(depth));
      }
    }
    filled(padded_width - before - own);
  }
}

void Gather::resolve(std::span<const std::int64_t> places, TensorId x) {
  const std::int64_t at = places[static_cast<std::size_t>(padding)] - places[static_cast<std::size_t>(x)];
  for (std::int32_t& offset : table) {
    if (offset == outside) offset = static_cast<std::int32_t>(at);
  }
}

ProductStep::ProductStep(std::shared_ptr<const PackedWeights> weights, const ProductPlace& place, Gather gather,
                         Finish finish, std::optional<SumOperand> sum, Isa isa)
    : weights_(std::move(weights)),
      place_(place),
      gather_(std::move(gather)),
      finish_(std::move(finish)),
      sum_(std::move(sum)),
      then_(isa),
      writer_(*finish_.rescale, Type::s32, Type::u8, isa),
      add_rows_(find_kernel(row_kernels, Type::u8, Type::u8, isa)->function.sum) {
  finish_.in_kernel = finish_.in_kernel && weights_->format().writes_codes;
}

std::vector<TensorId> ProductStep::reads() const {
  std::vector<TensorId> ids{place_.x};
  if (!gather_.table.empty()) ids.push_back(gather_.padding);
  if (sum_) ids.push_back(sum_->y);
  return ids;
}

TensorId ProductStep::written_over() const {
  const bool can = sum_ && finish_.in_kernel && weights_->format().in_place && sum_->stride == place_.y_stride;
  return can ? sum_->y : -1;
}

void ProductStep::place(std::span<const std::int64_t> places) {
  if (!gather_.table.empty()) gather_.resolve(places, place_.x);
}

void ProductStep::run(const Frame& frame) const {
  const double macs = static_cast<double>(place_.rows * weights_->columns()) *
                      static_cast<double>(weights_->taps() * weights_->depth());
  constexpr double weights_share = 0.25;  // few rows: what counts is how fast the weights come
  const double work = macs / macs_a_byte(weights_->format()) + static_cast<double>(weights_->bytes()) * weights_share;
  const int threads = threads_for(frame, work);
  IgemmTask task = weights_->task();
  task.input = frame.at(place_.x) + place_.x_offset;
  task.row_stride = gather_.row_stride;
  task.offsets = gather_.table.empty() ? nullptr : gather_.table.data();
  task.offset_stride = place_.rows;
  task.out = frame.at(place_.y) + place_.y_offset;
  task.out_stride = place_.y_stride;
  task.rule = code_rule(*finish_.rescale);
  SumWith sum{};
  if (sum_) {
    sum = {frame.at(sum_->y) + place_.y_offset, sum_->stride, sum_->rule};
    task.sum = &sum;
  }
  if (looks_up_inside()) task.table = then_.entries();
  const auto run_cut = [&](const auto& cut) {
    auto item = [&](std::int64_t i) {
      const Part part = cut.part(i);
      if (part.row_begin >= part.row_end || part.panel_begin >= part.panel_end) return;
      IgemmTask own = task;
      own.row_begin = part.row_begin;
      own.row_end = part.row_end;
      own.panel_begin = part.panel_begin;
      own.panel_end = part.panel_end;
      if (gather_.image) return run_padded(own, *frame.at(gather_.padding));
      run_part(own);
    };
    parallel_for(cut.items(), threads, item);
  };
  // Blocks of a pair of tiles each, as even as they come; those of an image's lines are given.
  const std::int64_t pairs = std::max<std::int64_t>(1, (place_.rows + rows_of_tiles - 1) / rows_of_tiles);
  const std::int64_t block = gather_.image ? 2 * gather_.image->tile : (place_.rows + pairs - 1) / pairs;
  const std::int64_t rows = rows_of_cached_input(place_);
  // By rows a thread reads what it wrote a layer before, and all weights; by columns all rows, and its own weights.
  const bool by_rows = place_.rows >= threads * block && weights_->bytes() < columns_above * place_.x_bytes;
  if (threads > 1 && weights_->format().tiles && by_rows) {
    return run_cut(EvenCut(place_.rows, block, weights_->panels(), threads, rows));
  }
  run_cut(cut_for(*weights_, place_.rows, gather_.image ? rounded_up(rows, block) : rows, threads));
}

void ProductStep::run_padded(const IgemmTask& part, std::uint8_t fill) const {
  const PaddedImage& image = *gather_.image;
  const std::int64_t line_bytes = image.padded_width * part.depth;
  const std::int64_t first = part.row_begin / image.windows;
  const std::int64_t last = (part.row_end + image.windows - 1) / image.windows;
  const std::int64_t lines = (last - first - 1) * image.line_step + image.lines;
  const std::int64_t places = igemm_line_bytes(part.row_end - part.row_begin, image.tile, part.taps);
  Room room(scratch_of(Room::bytes<std::uint8_t>(lines * line_bytes) + Room::bytes<std::uint8_t>(places)));
  auto* padded = room.take<std::uint8_t>(lines * line_bytes);
  image.copy(part.input, part.depth, fill, first * image.line_step, first * image.line_step + lines, padded);
  IgemmTask block = part;
  block.scratch = room.take<std::uint8_t>(places);
  block.lines = {image.windows, first, image.line_step * line_bytes, image.window_step * part.depth,
                 static_cast<int>(image.tile)};
  block.input = padded;
  weights_->kernel()(block);
}

bool ProductStep::looks_up_inside() const { return finish_.in_kernel && weights_->format().looks_up; }

void ProductStep::run_part(const IgemmTask& part) const {
  run_product(part);
  if (then_.empty() || looks_up_inside() || part.panel_begin == part.panel_end) return;
  const IgemmPanel& last = weights_->panel(part.panel_end - 1);
  const std::int64_t begin = weights_->panel(part.panel_begin).column;
  const std::int64_t end = std::min<std::int64_t>(last.column + last.vectors * igemm_lanes, part.columns);
  std::uint8_t* out = part.out + part.row_begin * part.out_stride + begin;
  then_.apply(out, end - begin, part.row_end - part.row_begin, part.out_stride);
}

void ProductStep::run_product(const IgemmTask& part) const {
  IgemmTask block = part;
  if (weights_->scratch_bytes() > 0) block.scratch = scratch_of(weights_->scratch_bytes());
  if (finish_.in_kernel) return weights_->kernel()(block);
  for (block.panel_begin = part.panel_begin; block.panel_begin < part.panel_end; ++block.panel_begin) {
    block.panel_end = block.panel_begin + 1;
    for (block.row_begin = part.row_begin; block.row_begin < part.row_end; block.row_begin = block.row_end) {
      block.row_end = std::min(part.row_end, block.row_begin + sum_rows);
      run_sums(block);
    }
  }
}

void ProductStep::run_sums(const IgemmTask& part) const {
  alignas(64) std::int32_t sums[sum_rows * igemm_panel_columns];
  IgemmTask block = part;
  block.sums = sums;
  weights_->kernel()(block);
  const IgemmPanel& panel = weights_->panel(part.panel_begin);
  const std::int64_t count = std::min<std::int64_t>(panel.vectors * igemm_lanes, part.columns - panel.column);
  for (std::int64_t row = part.row_begin; row < part.row_end; ++row) {
    std::uint8_t* out = part.out + row * part.out_stride + panel.column;
    writer_.write_channels(sums + (row - part.row_begin) * igemm_panel_columns, count, panel.column, out);
    if (part.sum == nullptr) continue;
    const std::uint8_t* other = part.sum->codes + row * part.sum->stride + panel.column;
    add_rows_({out, other, out, count, part.sum->rule});
  }
}

DepthwiseStep::DepthwiseStep(std::shared_ptr<const DepthwiseWeights> weights, const ProductPlace& place, Gather gather,
                             const Lines& lines, Finish finish, Isa isa)
    : weights_(std::move(weights)),
      place_(place),
      gather_(std::move(gather)),
      lines_(lines),
      finish_(std::move(finish)),
      then_(isa),
      writer_(*finish_.rescale, Type::s32, Type::u8, isa) {
  finish_.in_kernel = finish_.in_kernel && weights_->writes_codes();
}

void DepthwiseStep::run(const Frame& frame) const {
  const double macs = static_cast<double>(place_.rows * weights_->channels() * weights_->taps());
  DepthwiseTask task = weights_->task();
  task.input = frame.at(place_.x) + place_.x_offset;
  task.offsets = gather_.table.data();
  task.offset_stride = place_.rows;
  task.line = lines_.line;
  task.run_begin = lines_.run_begin;
  task.run_end = lines_.run_end;
  task.out = frame.at(place_.y) + place_.y_offset;
  task.out_stride = place_.y_stride;
  task.rule = code_rule(*finish_.rescale);
  const double work = weights_->writes_codes() ? macs / 8 : macs;
  for_each_part(place_.rows, 1, threads_for(frame, work), [&](std::int64_t begin, std::int64_t end) {
    DepthwiseTask part = task;
    part.row_begin = begin;
    part.row_end = end;
    run_part(part);
  });
}

// With a function behind it in whole lines, so few that they are in the first cache when it is their turn.
void DepthwiseStep::run_part(const DepthwiseTask& part) const {
  constexpr std::int64_t cached = 16 << 10;
  const std::int64_t line = std::max<std::int64_t>(1, lines_.line);
  const std::int64_t most = std::max<std::int64_t>(1, cached / (part.out_stride * line)) * line;
  DepthwiseTask block = part;
  for (; block.row_begin < part.row_end; block.row_begin = block.row_end) {
    block.row_end = then_.empty() ? part.row_end : std::min(part.row_end, (block.row_begin / most + 1) * most);
    if (finish_.in_kernel) {
      weights_->kernel()(block);
    } else {
      run_sums(block);
    }
    then_.apply(part.out + block.row_begin * part.out_stride, part.channels, block.row_end - block.row_begin,
                part.out_stride);
  }
}

void DepthwiseStep::run_sums(const DepthwiseTask& part) const {
  std::int32_t* sums = static_cast<std::int32_t*>(scratch_of(weights_->width() * 4));
  DepthwiseTask row = part;
  row.sums = sums;
  for (row.row_begin = part.row_begin; row.row_begin < part.row_end; ++row.row_begin) {
    row.row_end = row.row_begin + 1;
    weights_->kernel()(row);
    writer_.write_channels(sums, part.channels, 0, part.out + row.row_begin * part.out_stride);
  }
}

}  // namespace halfeven::native
