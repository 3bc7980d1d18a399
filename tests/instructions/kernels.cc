// Runs key kernels on fixed data, each between two marks for callgrind: run.py counts the instructions between them.
#include <valgrind/callgrind.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/cpu.h"
#include "kernels/columns/columns.h"
#include "kernels/depthwise/weights.h"
#include "kernels/igemm/weights.h"
#include "kernels/quantize/quantize.h"
#include "kernels/requantize/requantize.h"
#include "kernels/rows/rows.h"
#include "kernels/winograd/weights.h"

namespace halfeven::native {
namespace {

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

template <class T>
std::vector<T> filled(std::int64_t n) {
  std::vector<T> values(size(n));
  std::uint32_t state = 1;
  for (T& v : values) v = static_cast<T>((state = state * 1664525U + 1013904223U) >> 24);
  return values;
}

template <class Body>
void counted(const std::string& name, const Body& body) {
  body();  // once for what is done but once
  CALLGRIND_TOGGLE_COLLECT;
  body();
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_DUMP_STATS_AT(name.c_str());
}

struct Product {
  std::int64_t rows, columns, taps, channels;
};

void count_igemm(const std::string& isa_name, Isa isa, const Product& p) {
  const std::vector<std::int8_t> codes = filled<std::int8_t>(p.columns * p.taps * p.channels);
  const std::vector<std::int32_t> bias(size(p.columns), 7);
  const std::vector<double> multiplier(size(p.columns), 1e-4);
  const PackedWeights weights({codes, p.columns, p.taps, p.channels, bias, multiplier}, isa, std::make_shared<Pages>());
  const std::vector<std::uint8_t> x = filled<std::uint8_t>((p.rows + p.taps) * weights.depth() + 64);
  std::vector<std::int32_t> offsets;
  for (std::int64_t tap = 0; tap < p.taps; ++tap) {
    for (std::int64_t row = 0; row < p.rows; ++row) {
      offsets.push_back(static_cast<std::int32_t>((row + tap) * weights.depth()));
    }
  }
  std::vector<std::uint8_t> out(size(p.rows * p.columns));
  std::vector<std::int32_t> sums(size(p.rows * igemm_panel_columns));
  std::vector<std::uint8_t> scratch(size(weights.scratch_bytes()) + 64);
  IgemmTask task = weights.task();
  task.input = x.data();
  task.offsets = offsets.data();
  task.offset_stride = p.rows;
  task.row_end = p.rows;
  task.panel_end = weights.panels();
  task.out = out.data();
  task.out_stride = p.columns;
  task.rule = {128, 0, 255};
  task.scratch = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
  const std::string shape = std::to_string(p.rows) + "x" + std::to_string(p.columns) + "x" + std::to_string(p.taps) +
                            "x" + std::to_string(p.channels);
  counted("igemm " + shape + " " + isa_name, [&] {
    if (weights.format().writes_codes) return weights.kernel()(task);
    IgemmTask part = task;  // sums of one panel at a time
    part.sums = sums.data();
    for (part.panel_begin = 0; part.panel_begin < weights.panels(); ++part.panel_begin) {
      part.panel_end = part.panel_begin + 1;
      weights.kernel()(part);
    }
  });
}

// One line of tiles: 4x24 results.
void count_tiles(const std::string& isa_name, Isa isa) {
  if (winograd_kernel(isa) == nullptr) return;
  constexpr std::int64_t channels = 64, columns = 64, tiles = 6, width = tiles * winograd_out;
  const std::vector<std::int8_t> codes = filled<std::int8_t>(columns * winograd_taps * channels);
  const std::vector<std::int32_t> bias(columns, 7);
  const std::vector<double> multiplier(columns, 1e-4);
  const WinogradWeights weights({codes, columns, winograd_taps, channels, bias, multiplier}, isa);
  const std::vector<std::uint8_t> x = filled<std::uint8_t>(winograd_in * (width + 2) * channels + 64);
  std::vector<std::int32_t> offsets;
  for (std::int64_t place = 0; place < winograd_places; ++place) {
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t pixel = place / winograd_in * (width + 2) + tile * winograd_out + place % winograd_in;
      offsets.push_back(static_cast<std::int32_t>(pixel * channels));
    }
  }
  std::vector<std::uint8_t> out(size(winograd_out * width * columns));
  AlignedBytes scratch(size(winograd_scratch_bytes(weights.depth(), tiles)));
  WinogradTask task = weights.task();
  task.input = x.data();
  task.offsets = offsets.data();
  task.tiles = tiles;
  task.height = winograd_out;
  task.width = width;
  task.tile_end = tiles;
  task.panel_end = weights.panels();
  task.out = out.data();
  task.out_stride = columns;
  task.rule = {128, 0, 255};
  task.scratch = scratch.data();
  counted("3x3 by tiles, 4x24x64x64 " + isa_name, [&] { weights.kernel()(task); });
}

void count_depthwise(const std::string& isa_name, Isa isa) {
  constexpr std::int64_t channels = 96, taps = 9, rows = 112;
  const std::vector<std::int8_t> codes = filled<std::int8_t>(channels * taps);
  const std::vector<std::int32_t> bias(channels, 7);
  const std::vector<double> multiplier(channels, 1e-2);
  const DepthwiseWeights weights(codes, bias, multiplier, taps, isa);
  const std::vector<std::uint8_t> x = filled<std::uint8_t>((rows + taps) * channels + 256);
  std::vector<std::int32_t> offsets;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t row = 0; row < rows; ++row) offsets.push_back(static_cast<std::int32_t>((row + tap) * channels));
  }
  std::vector<std::uint8_t> out(size(rows * channels + 256));
  std::vector<std::int32_t> sums(size(rows * weights.width()));
  DepthwiseTask task = weights.task();
  task.input = x.data();
  task.offsets = offsets.data();
  task.offset_stride = rows;
  task.line = rows;
  task.row_end = rows;
  task.out = out.data();
  task.out_stride = channels;
  task.rule = {128, 0, 255};
  task.sums = weights.writes_codes() ? nullptr : sums.data();
  counted("depthwise 112x96 3x3 " + isa_name, [&] { weights.kernel()(task); });
}

void count_rows(const std::string& isa_name, Isa isa) {
  constexpr std::int64_t count = 4096;
  const RowKernels& kernels = find_kernel(row_kernels, Type::u8, Type::u8, isa)->function;
  const std::vector<std::uint8_t> x = filled<std::uint8_t>(count);
  const std::vector<std::uint8_t> table = filled<std::uint8_t>(256);
  std::vector<std::uint8_t> y(size(count));
  std::vector<std::int32_t> sums(size(count));
  const SumRule rule{0.75F, 0.5F, -20.0F, {100, 0, 255}};
  counted("sum of rows, 4096 " + isa_name, [&] { kernels.sum({x.data(), x.data(), y.data(), count, rule}); });
  counted("table, 4096 " + isa_name, [&] { kernels.look_up(y.data(), x.data(), count, table.data()); });
  counted("largest, 4096 " + isa_name, [&] { kernels.largest(y.data(), x.data(), count); });
  counted("total, 4096 " + isa_name, [&] { kernels.total(sums.data(), x.data(), count); });
}

void count_columns(const std::string& isa_name, Isa isa) {
  constexpr std::int64_t count = 256;
  const ColumnKernels& kernels = find_kernel(column_kernels, Type::f64, Type::f64, isa)->function;
  const std::vector<std::int8_t> bytes = filled<std::int8_t>(count * tile_side);
  const std::vector<double> x(bytes.begin(), bytes.end());
  std::vector<double> corner(size(tile_size)), errors(corner), codes(corner), lost(size(tile_side));
  for (std::int64_t k = 0; k < tile_side; ++k) {
    for (std::int64_t c = 0; c <= k; ++c) corner[size(k * tile_side + c)] = c == k ? 40.0 : x[size(k + c)] / 9;
  }
  std::vector<std::int32_t> index(size(tile_side));
  const std::vector<double> scale(size(tile_side), 1.5);
  const auto fresh = [&] { return std::vector<double>(x.begin(), x.begin() + tile_size); };
  std::vector<double> tile = fresh();
  counted("tile of products, 256 " + isa_name,
          [&] { kernels.subtract({tile.data(), x.data(), tile_side, x.data(), tile_side, count}); });
  tile = fresh();
  counted("tile of solutions " + isa_name, [&] { kernels.solve(tile.data(), corner.data(), true); });
  const GridTask grid{x.data(), scale.data(), 0, -128, 127, codes.data()};
  counted("tile of codes " + isa_name, [&] {
    std::copy_n(x.data(), tile_size, tile.data());
    kernels.round(grid, tile.data(), corner.data(), errors.data(), lost.data());
  });
  counted("tile of better codes " + isa_name, [&] {
    std::fill(codes.begin(), codes.end(), 0.0);
    std::copy_n(x.data(), tile_size, tile.data());
    kernels.improve(grid, tile.data(), corner.data(), errors.data(), index.data());
  });
}

void count_rounding(const std::string& isa_name, Isa isa) {
  constexpr std::int64_t count = 4096;
  const std::vector<std::int8_t> bytes = filled<std::int8_t>(count);
  std::vector<float> real;
  std::vector<std::int32_t> acc;
  for (const std::int8_t b : bytes) {
    real.push_back(static_cast<float>(b) * 0.37F);
    acc.push_back(b * 1000);
  }
  std::vector<std::int8_t> out(size(count));
  const float scale = 0.21F;
  const std::int32_t zero = 3;
  const QuantizeRule quantize{Scaling::kDivide, ZeroPoint::kInside, Rounding::kHalfEven, {-128, 127}};
  counted("quantize, 4096 " + isa_name, [&] {
    find_kernel(quantize_kernels, Type::f32, Type::s8, isa)
        ->function({real.data(), out.data(), count, &scale, &zero, false, true, false}, quantize);
  });
  const std::int32_t m0 = 1690499128;
  const std::int32_t shift = 41;
  const double multiplier = 1690499128.0 / 2199023255552.0;
  const float multiplier_f32 = static_cast<float>(multiplier);
  const RequantizeRule requantize{Requantize::kExactHalfEven, 3, {-128, 127}};
  counted("requantize, 4096 " + isa_name, [&] {
    find_kernel(requantize_kernels, Type::s32, Type::s8, isa)
        ->function({acc.data(), out.data(), count, &m0, &shift, &multiplier, &multiplier_f32, false, false},
                   requantize);
  });
}

}  // namespace
}  // namespace halfeven::native

int main() {
  using namespace halfeven::native;
  for (const IsaInfo& info : isa_infos()) {
    if (!info.supported) continue;
    const std::string name(info.name);
    count_igemm(name, info.isa, {24, 64, 9, 64});
    count_igemm(name, info.isa, {48, 64, 1, 64});
    count_tiles(name, info.isa);
    count_depthwise(name, info.isa);
    count_rows(name, info.isa);
    count_rounding(name, info.isa);
    count_columns(name, info.isa);
    std::printf("%s\n", name.c_str());
  }
  return 0;
}
