// The families of kernels that kernels_check and products_check leave, without Python: each makes codes of random and
// of extreme data on every instruction set that runs here. Those of a set must be those of the portable path; their
// digest is printed, to be compared with that of another architecture, whose tests against the reference it stands for.
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "engine/columns.h"
#include "engine/cpu.h"
#include "kernels/aligned.h"
#include "kernels/conv/conv.h"
#include "kernels/divide/divide.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/normalize/normalize.h"
#include "kernels/normalize/rows.h"
#include "kernels/pool/pool.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resize/resize.h"
#include "kernels/rows/rows.h"
#include "kernels/select/select.h"
#include "kernels/slopes/slopes.h"
#include "kernels/softmax/rows.h"
#include "kernels/softmax/softmax.h"
#include "kernels/sums/sums.h"
#include "kernels/table/table.h"
#include "kernels/wgemm/weights.h"

namespace halfeven::native {
namespace {

using Longs = std::vector<std::int64_t>;

const auto one_by_one = [](std::int64_t items, ItemBody body) {
  for (std::int64_t i = 0; i < items; ++i) body(i);
};
const Parallel serial(one_by_one);

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// The same numbers everywhere.
class Random {
 public:
  explicit Random(bool extreme) : extreme_(extreme) {}

  std::int64_t between(std::int64_t lo, std::int64_t hi) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t bits = state_ >> 31;
    if (extreme_) return bits % 8 == 0 ? lo : hi;
    return lo + static_cast<std::int64_t>(bits % static_cast<std::uint64_t>(hi - lo + 1));
  }

  template <class T>
  std::vector<T> filled(std::int64_t n, std::int64_t lo, std::int64_t hi) {
    std::vector<T> values(size(n));
    for (T& v : values) v = static_cast<T>(between(lo, hi));
    return values;
  }

  std::vector<std::uint8_t> bytes(std::int64_t n) { return filled<std::uint8_t>(n, 0, 255); }
  std::vector<std::int8_t> codes(std::int64_t n) { return filled<std::int8_t>(n, -128, 127); }
  std::vector<std::int16_t> words(std::int64_t n) { return filled<std::int16_t>(n, -32768, 32767); }

 private:
  bool extreme_;
  std::uint64_t state_ = 7;
};

// Digests by what made them (FNV-1a).
class Digests {
 public:
  template <class T>
  void add(const std::string& what, const std::vector<T>& values) {
    std::uint64_t& digest = found_.try_emplace(what, 14695981039346656037U).first->second;
    for (const T value : values) {
      for (std::size_t k = 0; k < sizeof(T); ++k) {
        const auto byte = static_cast<std::uint8_t>(bits_of(value) >> (8 * k));
        digest = (digest ^ byte) * 1099511628211U;
      }
    }
  }

  const std::map<std::string, std::uint64_t>& found() const { return found_; }

 private:
  template <class T>
  static std::uint64_t bits_of(T value) {
    return static_cast<std::uint64_t>(value);
  }
  static std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value + 0.0); }  // one zero alone

  std::map<std::string, std::uint64_t> found_;
};

// M of about 2^-shift, one a channel.
Rescale rescale(std::int64_t channels, int shift, CodeRange range, Random& random) {
  Longs m0;
  std::vector<std::int32_t> shifts;
  std::vector<float> reals;
  for (std::int64_t c = 0; c < channels; ++c) {
    m0.push_back((std::int64_t{1} << 30) +
                 (c % 2 == 0 ? random.between(0, (1 << 30) - 1) : 0));  // ties every other time
    shifts.push_back(30 + shift);
    reals.push_back(static_cast<float>(std::ldexp(static_cast<double>(m0.back()), -shifts.back())));
  }
  return {m0, shifts, reals, {Requantize::kExactHalfEven, 3, range}};
}

class Families {
 public:
  Families(Isa isa, bool extreme, Digests& digests) : isa_(isa), random_(extreme), digests_(digests) {}

  void run() {
    rows();
    softmax();
    normalization();
    wide_products();
    wide_pointwise();
    products();
    columns();
    convolutions();
    pools();
    pairs();
    choices();
    single();
    resizes();
  }

 private:
  void rows() {
    const RowKernels& kernels = find_kernel(row_kernels, Type::u8, Type::u8, isa_)->function;
    for (const std::int64_t n : {1, 7, 31, 32, 33, 64, 100, 1000}) {
      const auto x = random_.bytes(n), y = random_.bytes(n), table = random_.bytes(256);
      auto out = random_.bytes(n);
      kernels.largest(out.data(), x.data(), n);
      digests_.add("largest", out);
      kernels.look_up(out.data(), x.data(), n, table.data());
      digests_.add("look up", out);
      for (const SumRule& rule : {SumRule{0.75F, 0.5F, -77.5F, {100, 3, 250}}, SumRule{0.5F, 0.5F, 0.0F, {0, 0, 255}},
                                  SumRule{65535.0F, 1.0F, -8388480.0F, {0, 0, 255}}}) {
        kernels.sum({x.data(), y.data(), out.data(), n, rule});
        digests_.add("sum of rows", out);
      }
      auto sums = random_.filled<std::int32_t>(n, -1000000, 1000000);
      kernels.total(sums.data(), x.data(), n);
      digests_.add("total", sums);
      kernels.products(sums.data(), x.data(), y.data(), n, 255, 0);
      digests_.add("products", sums);
    }
  }

  void softmax() {
    std::vector<std::uint32_t> exponentials;
    for (std::uint64_t d = 0; d < 65536; ++d) {
      exponentials.push_back(static_cast<std::uint32_t>((1U << 23) / (1 + d * d / 16)));
    }
    for (const std::int64_t n : {1, 5, 64, 65, 200}) {
      softmax_rows<std::uint8_t, std::uint8_t>(n, exponentials);
      softmax_rows<std::uint8_t, std::int16_t>(n, exponentials);
      softmax_rows<std::int16_t, std::uint8_t>(n, exponentials);
      softmax_rows<std::int16_t, std::int16_t>(n, exponentials);
      const auto x = random_.bytes(4 * n);
      std::vector<std::int16_t> y(size(4 * n));
      native::softmax(
          {x.data(), Type::u8, 2, n, 2, exponentials, (1 << 30) + 12345, 16, -100, -32768, 32767, Type::s16}, y.data(),
          serial);
      digests_.add("softmax", y);
    }
  }

  template <class In, class Out>
  void softmax_rows(std::int64_t n, const std::vector<std::uint32_t>& exponentials) {
    const auto x = random_.filled<In>(4 * n + 64, std::numeric_limits<In>::min(), std::numeric_limits<In>::max());
    std::vector<Out> y(size(4 * n));
    std::vector<std::uint32_t> scratch(size(n + 64));
    const Type in = sizeof(In) == 1 ? Type::u8 : Type::s16;
    const Type out = sizeof(Out) == 1 ? Type::u8 : Type::s16;
    const CodeRule rule = sizeof(Out) == 1 ? CodeRule{0, 0, 255} : CodeRule{-32768, -32768, 32767};
    const int shift = sizeof(Out) == 1 ? 23 : 15;
    find_kernel(softmax_kernels, in, out, isa_)
        ->function({x.data(), y.data(), 4, n, n * std::int64_t{sizeof(In)}, n * std::int64_t{sizeof(Out)},
                    exponentials.data(), (1 << 30) + 12345, shift, rule, scratch.data()});
    digests_.add("softmax of rows", y);
  }

  void normalization() {
    for (const std::int64_t n : {1, 5, 64, 65, 200}) {
      const auto x = random_.bytes(4 * n + 64);
      const auto gain = random_.filled<std::int64_t>(n, -(1 << 20), 1 << 20);
      const auto offset = random_.filled<std::int64_t>(n, -(std::int64_t{1} << 40), std::int64_t{1} << 40);
      std::vector<std::uint8_t> y(size(4 * n));
      find_kernel(normalize_kernels, Type::u8, Type::u8, isa_)
          ->function({x.data(), y.data(), 4, n, n, 4, 100, 20, gain.data(), offset.data(), true, 34, {128, 0, 255}});
      digests_.add("normalize rows", y);
      std::vector<std::int16_t> words(size(4 * n));
      const Normalize task{x.data(), Type::u8, 4,  1, n,      1,     4,         100, 20,
                           gain,     offset,   30, 9, -32768, 32767, Type::s16, isa_};
      normalize(task, words.data(), serial);
      digests_.add("normalize", words);
      const auto codes = random_.filled<std::int16_t>(4 * n, -32768, 32767);
      find_kernel(normalize_kernels, Type::s16, Type::s16, isa_)
          ->function({codes.data(),
                      words.data(),
                      4,
                      n,
                      n,
                      2,
                      100,
                      20,
                      gain.data(),
                      offset.data(),
                      true,
                      30,
                      {0, -32768, 32767}});
      digests_.add("normalize rows of words", words);
    }
  }

  void columns() {
    for (const std::int64_t k : {1, 9, 40, 150}) {
      const Batch batch{2, 19, k}, square{2, k, k};
      const Execution execution{isa_, 1};
      const std::int64_t rows = 2 * k + 1, elements = 2 * k * k, padding = 2 * padded(k) * padded(k);
      const auto x = random_.filled<float>(2 * k * rows, -90, 90),
                 y = random_.filled<float>(2 * k * rows, -30000, 30000);
      std::vector<double> sums(size(elements)), others(size(elements)), panels(size(padding)), w, lost(size(2 * 19));
      add_moments({x.data(), x.data(), sums.data(), 2, k, k, rows, true}, execution);
      add_moments({y.data(), x.data(), others.data(), 2, k, k, rows, false}, execution);
      std::vector<double> v = random_.filled<double>(2 * 19 * k, -700, 700), scale(size(2 * 19)), codes(v), pull(v);
      for (double& one : v) one /= 7;
      for (double& one : scale) one = static_cast<double>(random_.between(2, 40)) / 3;
      std::vector<std::int64_t> order;
      for (std::int64_t n = 0; n < 2 * k; ++n) order.push_back(k - 1 - n % k);
      const std::vector<double> mean(size(2 * k), 0.7), added(2, 333.0);
      to_panels({sums.data(), mean.data(), static_cast<double>(rows), order.data(), added.data(), panels.data()},
                square, execution);
      w = panels;
      if (!factor(w.data(), square, execution)) w.assign(w.size(), 1.0);
      const Grid grid{scale.data(), 1, -8, 7};
      round_columns(v.data(), w.data(), grid, codes.data(), lost.data(), batch, execution);
      digests_.add("columns: codes", codes);
      digests_.add("columns: what is lost", lost);
      multiply_panels(v.data(), panels.data(), pull.data(), batch, execution);
      digests_.add("columns: products", pull);
      improve_columns(v.data(), panels.data(), grid, codes.data(), pull.data(), 3, batch, execution);
      digests_.add("columns: improved", codes);
      digests_.add("columns: pull", pull);
      multiply(v.data(), others.data(), pull.data(), k, batch, execution);
      digests_.add("columns: products", pull);
      solve(w.data(), v.data(), batch, execution);
      digests_.add("columns: solutions", v);
      digests_.add("columns: panels", panels);
      digests_.add("columns: factors", w);
    }
  }

  void wide_products() {
    for (const std::int64_t columns : {1, 16, 40}) {
      for (const std::int64_t channels : {1, 6, 65}) {
        for (const int bits : {32, 64}) wide_product(columns, channels, bits);
      }
    }
  }

  void wide_product(std::int64_t columns, std::int64_t channels, int bits) {
    constexpr std::int64_t taps = 3, rows = 7;
    const std::int64_t most = bits == 32 ? 127 : 32767;
    const auto w = random_.filled<std::int16_t>(columns * taps * channels, -most, most);
    const auto bias = random_.filled<std::int64_t>(columns, -100000, 100000);
    const WideWeights weights({w, columns, taps, channels, bias, bits, false}, isa_);
    const auto x = random_.words((rows + taps) * weights.depth() + 64);
    std::vector<std::int32_t> offsets;
    for (std::int64_t k = 0; k < taps * rows; ++k) {
      offsets.push_back(static_cast<std::int32_t>(random_.between(0, rows) * weights.depth() * 2));
    }
    for (std::int64_t p = 0; p < weights.panels(); ++p) {
      WgemmTask task = weights.task(p);
      task.input = reinterpret_cast<const std::uint8_t*>(x.data());
      task.offsets = offsets.data();
      task.offset_stride = rows;
      task.row_end = rows;
      std::vector<std::int64_t> sums(size(rows * igemm_panel_columns));
      std::vector<std::int32_t> narrow(sums.size());
      task.sums = weights.wide() ? static_cast<void*>(sums.data()) : narrow.data();
      weights.kernels().product(task);
      // How columns are cut into panels is the set's own: what counts is each column's sum.
      const IgemmPanel& panel = weights.panel(p);
      for (std::int64_t j = 0; j < panel.vectors * igemm_lanes && panel.column + j < columns; ++j) {
        Longs column;
        for (std::int64_t row = 0; row < rows; ++row) {
          const std::size_t at = size(row * igemm_panel_columns + j);
          column.push_back(weights.wide() ? sums[at] : narrow[at]);
        }
        digests_.add("wide product", column);
      }
    }
  }

  void wide_pointwise() {
    const WideKernels& kernels = find_kernel(wide_kernels, Type::s16, Type::s64, isa_)->function;
    for (const std::int64_t n : {1, 15, 16, 100}) {
      const auto sums = random_.filled<std::int64_t>(n, -(std::int64_t{1} << 45), std::int64_t{1} << 45);
      std::vector<double> m;
      for (std::int64_t i = 0; i < n; ++i) m.push_back(std::ldexp(1.0 + static_cast<double>(i % 3) / 4, -32));
      std::vector<std::int16_t> words(size(n));
      kernels.rescale({sums.data(), m.data(), n, {5, -32768, 32767}, false, words.data()});
      digests_.add("wide rescale", words);
      const auto high = random_.filled<std::int32_t>(n, -(1 << 30), 1 << 30);
      const auto low = random_.filled<std::int32_t>(n, -(1 << 30), 1 << 30);
      Longs joined = sums;
      kernels.join({high.data(), low.data(), n, true, joined.data()});
      digests_.add("joined halves", joined);
      kernels.join({high.data(), low.data(), n, false, joined.data()});
      digests_.add("joined halves", joined);
      const auto x = random_.words(n), y = random_.words(n);
      kernels.sum({x.data(), y.data(), n, 0.75, -0.5, 12.5, {5, -32768, 32767}, false, words.data()});
      digests_.add("wide sum", words);
      std::vector<std::uint8_t> bytes(size(n));
      kernels.sum({x.data(), y.data(), n, 0.0078125, 0.00390625, 0.5, {128, 0, 255}, true, bytes.data()});
      digests_.add("wide sum", bytes);
    }
  }

  void products() {
    constexpr std::int64_t rows = 5, columns = 19;
    const Longs indices{1, 0}, zeros{-3}, column_zeros = random_.filled<std::int64_t>(columns, -128, 127);
    for (const std::int64_t depth : {1, 8, 70}) {
      const auto a = random_.codes(2 * rows * depth), b = random_.codes(2 * depth * columns);
      const auto words = random_.words(2 * rows * depth);
      const auto bias = random_.filled<std::int64_t>(columns, -1000, 1000);
      const Rescale how = rescale(columns, 14, kInt8, random_);
      std::vector<std::int8_t> y(size(2 * rows * columns));
      const Gemm narrow{{a.data(), Type::s8, 2, zeros},
                        {b.data(), Type::s8, 2, column_zeros},
                        rows,
                        depth,
                        columns,
                        indices,
                        indices,
                        bias,
                        isa_};
      AlignedBytes room(size(gemm_workspace(narrow)));
      gemm(narrow, RowWriter(how, Type::s32, Type::s8, isa_), y.data(), room.data(), serial);
      digests_.add("gemm", y);
      Gemm wide = narrow;
      wide.a = {words.data(), Type::s16, 2, zeros};
      room = AlignedBytes(size(gemm_workspace(wide)));
      gemm(wide, RowWriter(how, Type::s64, Type::s8, isa_), y.data(), room.data(), serial);
      digests_.add("gemm", y);
    }
  }

  void convolutions() {
    const Window window{{1, 7, 9}, {1, 4, 4}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}};
    const auto x = random_.codes(2 * 6 * product(window.in)), w = random_.codes(8 * 3 * product(window.kernel));
    const auto bias = random_.filled<std::int64_t>(8, -1000, 1000);
    const Longs zero{2};
    const Rescale how = rescale(8, 13, kInt8, random_);
    const RowWriter writer(how, Type::s32, Type::s8, isa_);
    std::vector<std::int8_t> y(size(2 * 8 * product(window.out)));
    const Conv task{x.data(), Type::s8, -5, w.data(), Type::s8, zero, bias, 2, 2, 3, 4, window, isa_};
    AlignedBytes room(size(conv_workspace(task)));
    conv(task, writer, y.data(), room.data(), serial);
    digests_.add("conv", y);
    depthwise_conv({x.data(), Type::s8, -5, w.data(), Type::s8, zero, bias, 2, 4, 1, 2, window, isa_}, writer, y.data(),
                   serial);
    digests_.add("depthwise conv", y);
  }

  void pools() {
    const Window window{{1, 9, 11}, {1, 5, 6}, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}, {1, 1, 1}};
    const auto x = random_.codes(3 * product(window.in));
    std::vector<std::int8_t> y(size(3 * product(window.out)));
    max_pool({x.data(), Type::s8, 3, window}, y.data(), serial);
    digests_.add("max pool", y);
    const Rescale how = rescale(product(window.out), 3, kInt8, random_);
    average_pool({x.data(), Type::s8, 3, window}, -7, RowWriter(how, Type::s32, Type::s8, isa_), y.data(), serial);
    digests_.add("average pool", y);
    std::vector<float> reals, counts;
    for (int q = -128; q < 128; ++q) reals.push_back(0.1F * static_cast<float>(q));
    for (std::int64_t k = 0; k < product(window.out); ++k) counts.push_back(static_cast<float>(4 + k % 6));
    float_average_pool({x.data(), Type::s8, 3, window}, {reals, counts, 0.07F, 3.0F, 3, -128, 127, Type::s8}, y.data(),
                       serial);
    digests_.add("float average pool", y);
    const Rescale mean = rescale(1, 5, kInt8, random_);
    y.resize(size(3 * 11));
    reduce_mean({x.data(), Type::s8, 4, 3, 9, 11}, RowWriter(mean, Type::s32, Type::s8, isa_), y.data(), serial);
    digests_.add("reduce mean", y);
  }

  void pairs() {
    const auto a = random_.codes(4 * 50);
    const auto b = random_.words(50);
    const Longs shape{4, 50}, a_strides{50, 1}, b_strides{0, 1};
    const Pairs task{shape, {a.data(), Type::s8, -3, a_strides}, {b.data(), Type::s16, 17, b_strides}};
    std::vector<std::int16_t> y(size(4 * 50));
    add(task, {1 << 20, -(1 << 12), 22, 5, -32768, 32767}, Type::s16, y.data(), serial);
    digests_.add("add", y);
    const Rescale how = rescale(1, 8, kInt16, random_);
    multiply(task, RowWriter(how, product_type(task), Type::s16, isa_), y.data(), serial);
    digests_.add("multiply", y);
    divide(task, {(1 << 30) + 77, 22, 5, -32768, 32767}, Type::s16, y.data(), serial);
    digests_.add("divide", y);
    const auto sums = random_.filled<std::int32_t>(200, -(1 << 28), 1 << 28);
    const Longs m{1 << 30, 77, 1 << 20, 3}, n{5, 1 << 20, 1, 1 << 10}, shift{44, 20, 30, 12};
    add_sums({sums.data(), a.data(), Type::s8, -3, 1, 4, 50, m, n, shift, 5, -32768, 32767, Type::s16}, y.data(),
             serial);
    digests_.add("add sums", y);
  }

  void choices() {
    const auto condition = random_.filled<std::uint8_t>(40, 0, 1), a = random_.bytes(160 * 8),
               b = random_.bytes(160 * 8);
    const Longs shape{4, 40}, repeated{0, 1};
    for (const std::int64_t item : {1, 2, 4, 8}) {
      const Longs a_strides{40 * item, item}, b_strides{0, item};
      std::vector<std::uint8_t> y(size(160 * item));
      choose({shape, condition.data(), repeated, a.data(), a_strides, b.data(), b_strides, item}, y.data(), serial);
      digests_.add("choose", y);
    }
    std::vector<std::uint8_t> y(160);
    const Longs rows{40, 1};
    const Choice task{shape, nullptr, repeated, a.data(), rows, b.data(), repeated, 1};
    extreme(task, true, y.data(), serial);
    digests_.add("extreme", y);
    extreme(task, false, y.data(), serial);
    digests_.add("extreme", y);
    const auto words = random_.words(4 * 9 * 11);
    std::vector<std::int16_t> largest(44);
    reduce_extreme(words.data(), Type::s16, 4, 9, 11, true, largest.data(), serial);
    digests_.add("reduce extreme", largest);
  }

  void single() {
    const auto bytes = random_.bytes(120);
    const auto entries = random_.words(256);
    std::vector<std::int16_t> found(bytes.size());
    look_up({bytes.data(), Type::u8, 120, 0, entries.data(), Type::s16, 256}, found.data(), serial);
    digests_.add("table", found);
    const auto x = random_.codes(3 * 40);
    std::vector<std::int8_t> y(x.size());
    const Rescale how = rescale(1, 1, kInt8, random_);
    rescale_codes(x.data(), Type::s8, 120, -9, RowWriter(how, difference_type(Type::s8, -9), Type::s8, isa_), y.data(),
                  serial);
    digests_.add("rescale codes", y);
    const Rescale above = rescale(3, 0, kInt8, random_), below = rescale(3, 4, kInt8, random_);
    const Longs above_sign{1, 1, -1}, below_sign{-1, 1, 1};
    const Slopes task{x.data(), Type::s8, 4, 1, 3, 40, above_sign, below_sign};
    const Type sums = difference_type(Type::s8, 4);
    slopes(task, RowWriter(above, sums, Type::s8, isa_), RowWriter(below, sums, Type::s8, isa_), y.data(), serial);
    digests_.add("slopes", y);
  }

  void resizes() {
    const auto x = random_.codes(2 * 5 * 6);
    const Longs one{0}, all{16}, none{0};
    const Longs low{0, 1, 3}, high{1, 2, 4}, low_weight{16, 5, 9}, high_weight{0, 11, 7};
    const Rescale how = rescale(1, 12, kInt8, random_);
    std::vector<std::int8_t> y(size(2 * 3 * 3));
    const Resize task{
        x.data(),
        Type::s8,
        -3,
        2,
        {1, 5, 6},
        {{{one, one, all, none}, {low, high, low_weight, high_weight}, {low, high, low_weight, high_weight}}}};
    resize_linear(task, RowWriter(how, Type::s32, Type::s8, isa_), y.data(), serial);
    digests_.add("resize", y);
  }

  Isa isa_;
  Random random_;
  Digests& digests_;
};

std::map<std::string, std::uint64_t> digests_of(Isa isa) {
  Digests digests;
  for (const bool extreme : {false, true}) Families(isa, extreme, digests).run();
  return digests.found();
}

}  // namespace
}  // namespace halfeven::native

int main() {
  using namespace halfeven::native;
  const auto expected = digests_of(Isa::portable);
  std::size_t compared = 0;
  std::size_t differences = 0;
  for (const IsaInfo& info : isa_infos()) {
    if (!info.supported) continue;
    std::printf("%s\n", info.name.data());
    for (const auto& [what, digest] : digests_of(info.isa)) {
      ++compared;
      if (digest == expected.at(what)) continue;
      ++differences;
      std::printf("%s differs\n", what.c_str());
    }
  }
  for (const auto& [what, digest] : expected) {
    std::printf("digest of %s: %016llx\n", what.c_str(), static_cast<unsigned long long>(digest));
  }
  std::printf("%zu comparisons, %zu differences\n", compared, differences);
  return differences == 0 ? 0 : 1;
}
