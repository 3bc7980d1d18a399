// Every product kernel, by tiles too, and every depthwise kernel that this build holds and this machine runs, without
// Python: sums and codes of random and of extreme operands against plain loops. Prints how many comparisons differed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "engine/cpu.h"
#include "halfeven/requantize.hpp"
#include "kernels/depthwise/weights.h"
#include "kernels/igemm/weights.h"
#include "kernels/winograd/weights.h"

namespace halfeven::native {
namespace {

std::int64_t compared = 0;
std::int64_t differences = 0;
std::mt19937 random_bits(7);

std::int64_t between(std::int64_t lo, std::int64_t hi) {
  return std::uniform_int_distribution<std::int64_t>(lo, hi)(random_bits);
}

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

template <class T>
std::vector<T> filled(std::int64_t n, std::int64_t lo, std::int64_t hi, bool extreme) {
  std::vector<T> values(size(n));
  for (T& v : values) v = static_cast<T>(extreme ? (between(0, 7) == 0 ? lo : hi) : between(lo, hi));
  return values;
}

void compare(const char* what, const char* isa, std::int64_t found, std::int64_t expected) {
  ++compared;
  if (found == expected) return;
  if (++differences <= 10) {
    std::printf("%s, %s: %lld instead of %lld\n", what, isa, static_cast<long long>(found),
                static_cast<long long>(expected));
  }
}

std::int64_t limited(std::int64_t q, const CodeRule& rule) {
  return std::clamp<std::int64_t>(q + rule.zero, rule.lo, rule.hi);
}

std::int64_t added_code(const SumWith& sum, std::int64_t row, std::int64_t column, std::int64_t code) {
  const SumRule& rule = sum.rule;
  const double other = sum.codes[row * sum.stride + column];
  const double v = rule.a * static_cast<double>(code) + rule.b * other + rule.constant;
  return limited(static_cast<std::int64_t>(std::nearbyint(v)), rule.code);
}

struct Scales {
  std::vector<std::int32_t> m0;
  std::vector<std::int32_t> shift;
  std::vector<double> real;

  // So that sums of `bound` become a few hundred steps.
  Scales(std::int64_t columns, double bound) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double wanted = 300.0 / bound * static_cast<double>(between(60, 140)) / 100;
      int exponent = 0;
      const double significand = std::frexp(wanted, &exponent);  // in [1/2, 1)
      // Few bits every other time, so that ties are met.
      const int bits = c % 2 == 0 ? 31 : 2;
      m0.push_back(static_cast<std::int32_t>(std::floor(std::ldexp(significand, bits))) << (31 - bits));
      shift.push_back(31 - exponent);
      real.push_back(std::ldexp(static_cast<double>(m0.back()), -shift.back()));
    }
  }

  std::int64_t code(std::int64_t sum, std::int64_t c, const CodeRule& rule) const {
    const Multiplier m{m0[size(c)], shift[size(c)], 31};
    return limited(scale_accumulator(sum, m, Requantize::kExactHalfEven), rule);
  }
};

struct Shape {
  std::int64_t rows, columns, taps, channels;
  bool extreme;
};

struct Data {
  std::int64_t stride;
  std::vector<std::uint8_t> x;
  std::vector<std::int32_t> offsets;  // [taps][rows]

  Data(const Shape& s, std::int64_t depth) : stride(depth + 4 * between(0, 3)) {
    const std::int64_t pixels = s.rows + 20;
    x = filled<std::uint8_t>(pixels * stride + 64, 0, 255, s.extreme);
    for (std::int64_t i = 0; i < s.taps * s.rows; ++i) {
      offsets.push_back(static_cast<std::int32_t>(between(0, pixels - 1) * stride));
    }
  }
};

class Product {
 public:
  Product(const Shape& s, Isa isa, const char* name)
      : shape_(s),
        name_(name),
        codes_(filled<std::int8_t>(s.columns * s.taps * s.channels, -128, 127, s.extreme)),
        bias_(filled<std::int32_t>(s.columns, -100000, 100000, s.extreme)),
        scales_(s.columns, static_cast<double>(s.taps * s.channels) * (s.extreme ? 32000 : 9000)),
        weights_({codes_, s.columns, s.taps, s.channels, bias_, scales_.real}, isa, std::make_shared<Pages>()),
        data_(s, weights_.depth()),
        other_(filled<std::uint8_t>(s.rows * other_stride() + igemm_slack, 0, 255, false)),
        scratch_(size(weights_.scratch_bytes())) {}

  void check(bool direct) {
    IgemmTask task = weights_.task();
    task.input = data_.x.data();
    task.row_stride = data_.stride;
    task.offsets = direct ? nullptr : data_.offsets.data();
    task.offset_stride = shape_.rows;
    task.row_begin = between(0, shape_.rows - 1) / 2;
    task.row_end = shape_.rows;
    task.panel_end = weights_.panels();
    task.rule = {static_cast<std::int32_t>(between(0, 255)), 3, 250};
    task.scratch = scratch_.data();
    check_sums(task);
    if (!weights_.format().writes_codes) return;
    check_codes(task);
    for (const float a : {0.75F, 1.25F}) {  // the second in more than 15 bits where the first is not
      const SumRule rule = with_words({a, 20000.0F / 32768, -77.5F, {100, 0, 255}});
      const SumWith sum{other_.data(), other_stride(), rule};
      task.sum = &sum;
      check_codes(task);
      if (weights_.format().in_place) check_in_place(task, sum);
    }
  }

 private:
  std::int64_t other_stride() const { return shape_.columns + 5; }

  std::int64_t sum(const IgemmTask& task, std::int64_t row, std::int64_t column) const {
    std::int64_t total = bias_[size(column)];
    for (std::int64_t tap = 0; tap < shape_.taps; ++tap) {
      const std::int64_t at =
          task.offsets == nullptr ? row * task.row_stride : task.offsets[tap * task.offset_stride + row];
      const std::int8_t* w = codes_.data() + (column * shape_.taps + tap) * shape_.channels;
      for (std::int64_t c = 0; c < shape_.channels; ++c) total += data_.x[size(at + c)] * w[c];
    }
    return total;
  }

  void check_sums(IgemmTask task) {
    std::vector<std::int32_t> sums(size((task.row_end - task.row_begin) * igemm_panel_columns));
    task.sums = sums.data();
    for (task.panel_begin = 0; task.panel_begin < weights_.panels(); ++task.panel_begin) {
      task.panel_end = task.panel_begin + 1;
      weights_.kernel()(task);
      const IgemmPanel& panel = weights_.panel(task.panel_begin);
      for (std::int64_t row = task.row_begin; row < task.row_end; ++row) {
        for (int j = 0; j < panel.vectors * igemm_lanes && panel.column + j < shape_.columns; ++j) {
          const std::int64_t found = sums[size((row - task.row_begin) * igemm_panel_columns + j)];
          compare("sums", name_, found, sum(task, row, panel.column + j));
        }
      }
    }
  }

  void check_codes(IgemmTask task) {
    task.out_stride = shape_.columns + 3;
    check_codes(task, std::vector<std::uint8_t>(size(shape_.rows * task.out_stride), 0xa5));
  }

  // Over the other tensor itself.
  void check_in_place(IgemmTask task, SumWith sum) {
    std::vector<std::uint8_t> out = other_;
    sum.codes = out.data();
    task.sum = &sum;
    task.out_stride = sum.stride;
    check_codes(task, std::move(out));
  }

  void check_codes(IgemmTask task, std::vector<std::uint8_t> out) {
    const std::vector<std::uint8_t> before = out;
    task.out = out.data();
    weights_.kernel()(task);
    for (std::int64_t row = 0; row < shape_.rows; ++row) {
      for (std::int64_t c = 0; c < task.out_stride; ++c) {
        std::int64_t expected = before[size(row * task.out_stride + c)];
        if (row >= task.row_begin && c < shape_.columns) {
          expected = scales_.code(sum(task, row, c), c, task.rule);
          if (task.sum != nullptr) {
            expected = added_code({other_.data(), task.sum->stride, task.sum->rule}, row, c, expected);
          }
        }
        compare(task.sum == nullptr ? "codes" : "added codes", name_, out[size(row * task.out_stride + c)], expected);
      }
    }
  }

  Shape shape_;
  const char* name_;
  std::vector<std::int8_t> codes_;
  std::vector<std::int32_t> bias_;
  Scales scales_;
  PackedWeights weights_;
  Data data_;
  std::vector<std::uint8_t> other_;
  AlignedBytes scratch_;
};

void check_depthwise(const Shape& s, Isa isa, const char* name) {
  const auto codes = filled<std::int8_t>(s.channels * s.taps, -128, 127, s.extreme);
  const auto bias = filled<std::int32_t>(s.channels, -9999, 9999, s.extreme);
  const Scales scales(s.channels, static_cast<double>(s.taps) * (s.extreme ? 32000 : 9000));
  const DepthwiseWeights weights(codes, bias, scales.real, s.taps, isa);
  const Data data(s, s.channels);
  DepthwiseTask task = weights.task();
  task.input = data.x.data();
  task.offsets = data.offsets.data();
  task.offset_stride = s.rows;
  task.line = 1;
  task.row_end = s.rows;
  task.rule = {static_cast<std::int32_t>(between(0, 255)), 3, 250};
  std::vector<std::int32_t> sums(size(s.rows * weights.width()));
  std::vector<std::uint8_t> out(size(s.rows * s.channels));
  task.out = out.data();
  task.out_stride = s.channels;
  if (weights.writes_codes()) weights.kernel()(task);
  task.sums = sums.data();
  weights.kernel()(task);
  for (std::int64_t row = 0; row < s.rows; ++row) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      std::int64_t sum = bias[size(c)];
      for (std::int64_t t = 0; t < s.taps; ++t) {
        sum += data.x[size(data.offsets[size(t * s.rows + row)] + c)] * codes[size(c * s.taps + t)];
      }
      compare("depthwise sums", name, sums[size(row * weights.width() + c)], sum);
      if (!weights.writes_codes()) continue;
      compare("depthwise codes", name, out[size(row * s.channels + c)], scales.code(sum, c, task.rule));
    }
  }
}

// Images whose border is pixels of zero points, and a 3x3 convolution of them by tiles.
struct Images {
  std::int64_t count, height, width, channels, columns;
  bool extreme;
};

class Tiled {
 public:
  Tiled(const Images& s, Isa isa, const char* name)
      : shape_(s),
        name_(name),
        codes_(filled<std::int8_t>(s.columns * winograd_taps * s.channels, -128, 127, s.extreme)),
        bias_(filled<std::int32_t>(s.columns, -100000, 100000, s.extreme)),
        scales_(s.columns, static_cast<double>(winograd_taps * s.channels) * (s.extreme ? 32000 : 9000)),
        weights_({codes_, s.columns, winograd_taps, s.channels, bias_, scales_.real}, isa),
        stride_(s.channels + 4 * between(0, 3)),
        x_(filled<std::uint8_t>((s.count * s.height * s.width + 1) * stride_ + 64, 0, 255, s.extreme)),
        other_(filled<std::uint8_t>(rows() * other_stride() + igemm_slack, 0, 255, false)) {
    for (int y = 0; y < winograd_in; ++y) {
      for (int x = 0; x < winograd_in; ++x) {
        for (std::int64_t tile = 0; tile < tiles(); ++tile) {
          const std::int64_t top = tile / across() % down() * winograd_out - 1;
          const std::int64_t left = tile % across() * winograd_out - 1;
          offsets_.push_back(static_cast<std::int32_t>(pixel(tile / (across() * down()), top + y, left + x)));
        }
      }
    }
  }

  void check() {
    WinogradTask task = weights_.task();
    task.input = x_.data();
    task.offsets = offsets_.data();
    task.tiles = tiles();
    task.height = shape_.height;
    task.width = shape_.width;
    task.tile_begin = between(0, tiles() - 1) / 2;
    task.tile_end = tiles();
    task.panel_end = weights_.panels();
    task.rule = {static_cast<std::int32_t>(between(0, 255)), 3, 250};
    AlignedBytes scratch(size(winograd_scratch_bytes(weights_.depth(), task.tile_end - task.tile_begin)));
    task.scratch = scratch.data();
    check_codes(task);
    const SumWith sum{other_.data(), other_stride(), {0.75F, 20000.0F / 32768, -77.5F, {100, 0, 255}}};
    task.sum = &sum;
    check_codes(task);
  }

 private:
  std::int64_t rows() const { return shape_.count * shape_.height * shape_.width; }
  std::int64_t other_stride() const { return shape_.columns + 5; }
  std::int64_t down() const { return (shape_.height + winograd_out - 1) / winograd_out; }
  std::int64_t across() const { return (shape_.width + winograd_out - 1) / winograd_out; }
  std::int64_t tiles() const { return shape_.count * down() * across(); }

  // Byte of a pixel; what is outside is behind the last image.
  std::int64_t pixel(std::int64_t image, std::int64_t y, std::int64_t x) const {
    const bool inside = y >= 0 && y < shape_.height && x >= 0 && x < shape_.width;
    return (inside ? (image * shape_.height + y) * shape_.width + x : rows()) * stride_;
  }

  std::int64_t sum(std::int64_t row, std::int64_t column) const {
    const std::int64_t plane = shape_.height * shape_.width;
    std::int64_t total = bias_[size(column)];
    for (std::int64_t tap = 0; tap < winograd_taps; ++tap) {
      const std::int64_t y = row % plane / shape_.width + tap / 3 - 1;
      const std::int64_t at = pixel(row / plane, y, row % shape_.width + tap % 3 - 1);
      const std::int8_t* w = codes_.data() + (column * winograd_taps + tap) * shape_.channels;
      for (std::int64_t c = 0; c < shape_.channels; ++c) total += x_[size(at + c)] * w[c];
    }
    return total;
  }

  bool written(const WinogradTask& task, std::int64_t row) const {
    const std::int64_t plane = shape_.height * shape_.width;
    const std::int64_t line = row / plane * down() + row % plane / shape_.width / winograd_out;
    return line * across() + row % shape_.width / winograd_out >= task.tile_begin;
  }

  void check_codes(WinogradTask task) {
    constexpr std::uint8_t untouched = 0xa5;
    task.out_stride = shape_.columns + 3;
    std::vector<std::uint8_t> out(size(rows() * task.out_stride), untouched);
    task.out = out.data();
    weights_.kernel()(task);
    for (std::int64_t row = 0; row < rows(); ++row) {
      for (std::int64_t c = 0; c < task.out_stride; ++c) {
        std::int64_t expected = untouched;
        if (c < shape_.columns && written(task, row)) {
          expected = scales_.code(sum(row, c), c, task.rule);
          if (task.sum != nullptr) expected = added_code(*task.sum, row, c, expected);
        }
        compare("codes by tiles", name_, out[size(row * task.out_stride + c)], expected);
      }
    }
  }

  Images shape_;
  const char* name_;
  std::vector<std::int8_t> codes_;
  std::vector<std::int32_t> bias_;
  Scales scales_;
  WinogradWeights weights_;
  std::int64_t stride_;
  std::vector<std::uint8_t> x_;
  std::vector<std::uint8_t> other_;
  std::vector<std::int32_t> offsets_;
};

void check_tiles(Isa isa, const char* name) {
  if (winograd_kernel(isa) == nullptr) return;
  for (const std::int64_t channels : {1, 16, 37, 130, 200}) {
    for (const std::int64_t columns : {1, 16, 40}) {
      const Images images{between(1, 2), between(1, 9), between(1, 9), channels, columns, between(0, 1) == 1};
      Tiled(images, isa, name).check();
    }
  }
  Tiled({1, 8, 12, 205, 32, true}, isa, name).check();  // the largest sums of codes of -128 that fit
}

void check(const IsaInfo& info) {
  for (const std::int64_t columns : {1, 15, 16, 20, 33, 64, 100}) {
    for (const std::int64_t channels : {1, 4, 30, 64, 65, 200}) {
      for (const std::int64_t taps : {1, 3, 9}) {
        const std::int64_t rows = between(1, 2) == 1 ? between(1, 18) : between(19, 80);
        const Shape shape{rows, columns, taps, channels, between(0, 1) == 1};
        Product product(shape, info.isa, info.name.data());
        if (taps == 1) product.check(true);
        product.check(false);
      }
    }
  }
  Product({35, 40, 16, 700, true}, info.isa, info.name.data()).check(false);   // more than one block of gathered rows
  Product({150, 110, 9, 130, true}, info.isa, info.name.data()).check(false);  // more than two of rows whose sums wait
  check_tiles(info.isa, info.name.data());
  for (const std::int64_t channels : {1, 7, 8, 32, 40, 64, 72, 130}) {
    for (const std::int64_t taps : {1, 3, 9, 25}) {
      for (const bool extreme : {false, true}) {
        check_depthwise({between(1, 9), 1, taps, channels, extreme}, info.isa, info.name.data());
      }
    }
  }
}

}  // namespace
}  // namespace halfeven::native

int main() {
  using namespace halfeven::native;
  for (const IsaInfo& info : isa_infos()) {
    if (!info.supported) continue;
    std::printf("%.*s\n", static_cast<int>(info.name.size()), info.name.data());
    check(info);
  }
  std::printf("%lld comparisons, %lld differences\n", static_cast<long long>(compared),
              static_cast<long long>(differences));
  return differences == 0 ? 0 : 1;
}
