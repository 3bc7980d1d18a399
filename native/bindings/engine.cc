// Plans: built step by step from Python, run with the GIL released.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/tuple.h>

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

#include "bindings/arguments.h"
#include "bindings/plan_handle.h"
#include "engine/cpu.h"
#include "engine/peak.h"
#include "engine/plan/boundary_steps.h"
#include "engine/plan/conv_steps.h"
#include "engine/plan/function_steps.h"
#include "engine/plan/matmul_step.h"
#include "engine/plan/plan.h"
#include "engine/plan/planes_step.h"
#include "engine/plan/row_steps.h"
#include "engine/plan/wide_matmul_step.h"
#include "engine/plan/wide_steps.h"
#include "engine/plan/winograd_step.h"
#include "engine/thread_pool.h"

namespace halfeven::bindings {
namespace {

using native::Plan;
using Offsets = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
// a, b, constant, zero, lo, hi
using Sum = std::tuple<float, float, float, std::int32_t, std::int32_t, std::int32_t>;
using Operand = std::tuple<native::TensorId, std::int64_t, Sum>;

// The number of a step, what it says, whether memory ran out.
using StepFailure = std::tuple<std::int64_t, std::string, bool>;
// The number of NaN at each counter, and the first step that failed.
using Outcome = std::pair<std::vector<std::int64_t>, std::optional<StepFailure>>;

native::SumRule sum_rule(const Sum& sum) {
  const auto& [a, b, constant, zero, lo, hi] = sum;
  return native::with_words({a, b, constant, {zero, lo, hi}});
}

std::span<const std::uint8_t, native::CodeTable::codes> all_codes(const Bytes& entries) {
  check_size("entries", entries.size(), native::CodeTable::codes);
  return std::span<const std::uint8_t, native::CodeTable::codes>(entries.data(), native::CodeTable::codes);
}

std::shared_ptr<const native::Rescale> shared(const native::Rescale& rescale) {
  return std::make_shared<const native::Rescale>(rescale);
}

// What Python builds a plan with: the Plan, and the instruction set of its kernels.
class Builder : public PlanHandle {
 public:
  using PlanHandle::PlanHandle;

  native::TensorId tensor(std::int64_t bytes) { return plan_.tensor(bytes); }
  native::TensorId constant(const Bytes& bytes) { return plan_.constant({bytes.data(), bytes.size()}); }
  std::int32_t input(std::int64_t bytes) { return plan_.input(bytes); }
  std::int32_t output(std::int64_t bytes) { return plan_.output(bytes); }
  void finish() { plan_.finish(); }
  std::int64_t arena_bytes() const { return plan_.arena_bytes(); }
  std::int64_t table_bytes() const { return plan_.table_bytes(); }
  std::int64_t steps() const { return plan_.steps(); }

  // border: nothing, or what Border holds, and perhaps WindowLines. Returns the number of the count of its NaN.
  std::int32_t quantize(std::int32_t input, native::TensorId y, const Sizes& planes, const Sizes& border, float scale,
                        std::int32_t zero_point, std::int64_t qmin, std::int64_t qmax, int scaling,
                        bool zero_point_inside, int rounding, int type_index) {
    const native::Type type = code_type(type_index);
    const native::QuantizeParams params{scale, zero_point,
                                        quantize_rule(scaling, zero_point_inside, rounding, {qmin, qmax}, type), type};
    std::optional<native::Border> edge;
    if (!border.empty()) {
      check_count(border, border.size() > 6 ? 12 : 6);
      const std::int64_t* n = border.data();
      edge = native::Border{n[0], n[1], n[2], n[3], n[4], static_cast<std::uint8_t>(n[5]), {}};
      if (border.size() > 6) edge->windows = native::WindowLines{n[6], n[7], n[8], n[9], n[10], n[11]};
    }
    const std::int32_t counter = plan_.counter();
    add<native::QuantizeStep>(input, counter, y, planes_of(planes), edge, params, isa_);
    return counter;
  }

  void dequantize(native::TensorId x, std::int32_t output, const Sizes& planes, const Parameters<float>& table) {
    add<native::DequantizeStep>(x, output, planes_of(planes), vector_of<float>(table));
  }

  void copy(bool from_tensor, std::int32_t from, bool to_tensor, std::int32_t to, const Sizes& sizes, const Sizes& in,
            const Sizes& out, std::int64_t in_offset, std::int64_t out_offset, std::int64_t item, std::uint64_t flip) {
    if (sizes.empty() || in.size() != sizes.size() || out.size() != sizes.size()) {
      throw nb::value_error("a copy needs a stride in and out for each of its axes, at least one");
    }
    add<native::CopyStep>(native::End{from_tensor, from}, native::End{to_tensor, to},
                          native::Walk{sizes, in, out, in_offset, out_offset, item, flip});
  }

  // place: x, x_bytes, x_offset, y, y_stride, y_offset, rows
  void product(std::shared_ptr<native::PackedWeights> weights, const Sizes& place, const Offsets& table,
               std::int64_t row_stride, native::TensorId padding, const native::Rescale& rescale, bool in_kernel,
               const std::optional<Operand>& sum, const Sizes& image) {
    const native::ProductPlace where = place_of(place);
    native::Gather gather{vector_of<std::int32_t>(table), row_stride, padding};
    if (!image.empty()) {
      check_count(image, 11);
      const std::int64_t* n = image.data();
      gather.image = native::PaddedImage{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10]};
    }
    const std::int64_t entries = table.size() == 0 ? 0 : weights->taps() * (gather.image ? 1 : where.rows);
    check_size("table", table.size(), static_cast<std::size_t>(entries));
    add<native::ProductStep>(std::move(weights), where, std::move(gather), native::Finish{shared(rescale), in_kernel},
                             operand_of(sum), isa_);
  }

  // table: [places][tiles]; image: height, width
  void winograd(std::shared_ptr<native::WinogradWeights> weights, const Sizes& place, const Offsets& table,
                const Sizes& image, native::TensorId padding, const native::Rescale& rescale,
                const std::optional<Operand>& sum) {
    const native::ProductPlace where = place_of(place);
    check_count(image, 2);
    const auto parts = [](std::int64_t n) { return (n + native::winograd_out - 1) / native::winograd_out; };
    const std::int64_t images = where.rows / std::max<std::int64_t>(1, image[0] * image[1]);
    const std::int64_t tiles = images * parts(image[0]) * parts(image[1]);
    check_size("table", table.size(), static_cast<std::size_t>(tiles * native::winograd_places));
    add<native::WinogradStep>(std::move(weights), where, native::ImagePlace{image[0], image[1]},
                              native::Gather{vector_of<std::int32_t>(table), 0, padding}, rescale, operand_of(sum));
  }

  void depthwise(std::shared_ptr<native::DepthwiseWeights> weights, const Sizes& place, const Offsets& table,
                 native::TensorId padding, const Sizes& lines, const native::Rescale& rescale, bool in_kernel) {
    const native::ProductPlace where = place_of(place);
    check_count(lines, 3);
    check_size("table", table.size(), static_cast<std::size_t>(where.rows * weights->taps()));
    add<native::DepthwiseStep>(std::move(weights), where, native::Gather{vector_of<std::int32_t>(table), 0, padding},
                               native::Lines{lines[0], lines[1], lines[2]}, native::Finish{shared(rescale), in_kernel},
                               isa_);
  }

  // place as for product, strides and offsets in bytes
  void wide_product(std::shared_ptr<native::WideWeights> weights, const Sizes& place, const Offsets& table,
                    std::int64_t row_stride, native::TensorId padding, const native::Rescale& rescale,
                    const Parameters<double>& multiplier, int type) {
    const native::ProductPlace where = place_of(place);
    if (table.size() != 0) check_size("table", table.size(), static_cast<std::size_t>(where.rows * weights->taps()));
    if (multiplier.size() != 0)
      check_size("multiplier", multiplier.size(), static_cast<std::size_t>(weights->columns()));
    if (rescale.channels() != 1) {
      check_size("the multipliers", static_cast<std::size_t>(rescale.channels()),
                 static_cast<std::size_t>(weights->columns()));
    }
    add<native::WideProductStep>(
        std::move(weights), where, native::Gather{vector_of<std::int32_t>(table), row_stride, padding},
        native::WideFinish{shared(rescale), vector_of<double>(multiplier), code_type(type)}, isa_);
  }

  // As wide_product, the multipliers those of the weights; bias: one a column.
  void planes_product(std::shared_ptr<native::PackedWeights> weights, const Sizes& place, const Offsets& table,
                      std::int64_t row_stride, native::TensorId padding, const native::Rescale& rescale,
                      const Parameters<double>& bias, int type) {
    const native::ProductPlace where = place_of(place);
    if (table.size() != 0) check_size("table", table.size(), static_cast<std::size_t>(where.rows * weights->taps()));
    const native::Type out = code_type(type);
    if (out != native::Type::u8 && out != native::Type::s16) throw nb::value_error("codes are u8 or s16");
    add<native::PlanesStep>(std::move(weights), where,
                            native::Gather{vector_of<std::int32_t>(table), row_stride, padding},
                            vector_of<double>(bias), native::WideFinish{shared(rescale), {}, out}, isa_);
  }

  // place as for sum, strides in bytes; rule: a, b, constant, zero, lo, hi
  void wide_sum(const Sizes& place, std::int64_t out_stride,
                const std::tuple<double, double, double, std::int32_t, std::int32_t, std::int32_t>& rule, bool bytes) {
    const auto& [a, b, constant, zero, lo, hi] = rule;
    add<native::WideSumStep>(pair_of(place), out_stride, native::WideSumRule{a, b, constant, {zero, lo, hi}, bytes},
                             isa_);
  }

  void look_up(native::TensorId x, native::TensorId y, const Sizes& rows, std::int64_t y_stride, std::int64_t x_item,
               std::int64_t y_item, const Bytes& table) {
    add<native::LookUpStep>(x, y, rows_of(rows), y_stride, x_item, y_item, vector_of<std::uint8_t>(table));
  }

  // place: x, y, out, rows, channels, stride, y_stride, divide, modulo
  void sum(const Sizes& place, const Sum& rule) { add<native::SumStep>(pair_of(place), sum_rule(rule), isa_); }

  void multiply(const Sizes& place, std::int32_t x_zero, std::int32_t y_zero, const native::Rescale& rescale) {
    add<native::MultiplyStep>(pair_of(place), x_zero, y_zero, shared(rescale), isa_);
  }

  void table(native::TensorId x, native::TensorId y, std::int64_t bytes, const Bytes& entries) {
    add<native::TableStep>(x, y, bytes, all_codes(entries), isa_);
  }

  std::vector<std::int64_t> follow_with(native::TensorId made, const Bytes& entries) {
    return plan_.follow_with(made, all_codes(entries));
  }

  void pair_table(const Sizes& place, const Bytes& entries) {
    add<native::PairTableStep>(pair_of(place), vector_of<std::uint8_t>(entries));
  }

  void channel_table(native::TensorId x, native::TensorId y, const Sizes& rows, const Bytes& entries) {
    add<native::ChannelTableStep>(x, y, rows_of(rows), vector_of<std::uint8_t>(entries));
  }

  void max_pool(native::TensorId x, native::TensorId y, const Sizes& rows, const Offsets& table) {
    add<native::MaxPoolStep>(native::Pooling{x, y, rows_of(rows), vector_of<std::int32_t>(table)}, isa_);
  }

  void mean_pool(native::TensorId x, native::TensorId y, const Sizes& rows, const Offsets& table, std::int32_t x_zero,
                 const native::Rescale& rescale) {
    add<native::MeanPoolStep>(native::Pooling{x, y, rows_of(rows), vector_of<std::int32_t>(table)}, x_zero,
                              shared(rescale), isa_);
  }

  // rows: of x; types: of x and y, as stored
  void softmax(native::TensorId x, native::TensorId y, const Sizes& rows, std::int64_t y_stride, const Sizes& types,
               const Parameters<std::uint32_t>& exponentials, std::int64_t m0, int shift, std::int32_t zero,
               std::int32_t lo, std::int32_t hi) {
    check_count(types, 2);
    add<native::SoftmaxStep>(
        x, y, rows_of(rows), y_stride, code_type(types[0]), code_type(types[1]),
        native::SoftmaxRule{vector_of<std::uint32_t>(exponentials), m0, shift, native::CodeRule{zero, lo, hi}}, isa_);
  }

  // fixed: f, E', F, k
  void normalize(native::TensorId x, native::TensorId y, const Sizes& rows, const Sizes& fixed,
                 const Parameters<std::int64_t>& gain, const Parameters<std::int64_t>& offset, std::int32_t zero,
                 std::int32_t lo, std::int32_t hi) {
    check_count(fixed, 4);
    native::NormalizeRule rule{static_cast<int>(fixed[0]),      fixed[1],
                               static_cast<int>(fixed[2]),      vector_of<std::int64_t>(gain),
                               vector_of<std::int64_t>(offset), static_cast<int>(fixed[3]),
                               native::CodeRule{zero, lo, hi}};
    add<native::NormalizeStep>(x, y, rows_of(rows), std::move(rule), isa_);
  }

  // sizes: rows, depth, columns; steps: a_row, b_depth, b_column, y_row
  void matmul(const std::tuple<native::TensorId, native::TensorId, native::TensorId>& tensors, const Sizes& sizes,
              const Sizes& steps, const Sizes& a_offsets, const Sizes& b_offsets, const Sizes& b_of,
              const Sizes& y_offsets, std::int32_t a_zero, std::int32_t b_zero, double multiplier,
              const native::Rescale& rescale, bool in_kernel) {
    add_matmul<native::MatMulStep>(matrices_of(tensors, sizes, steps, a_offsets, b_offsets, b_of, y_offsets), a_zero,
                                   b_zero, multiplier, native::Finish{shared(rescale), in_kernel}, isa_);
  }

  Outcome run(const std::vector<InArray>& inputs, const std::vector<OutArray>& outputs, int threads,
              std::int64_t samples, bool watched, double work_per_thread) {
    const Ends ends = checked(inputs, outputs, threads, samples);
    if (!(work_per_thread > 0)) throw nb::value_error("work_per_thread must be positive");
    const native::Interrupt interrupt{watched ? &signalled : nullptr, nullptr};
    native::RunResult result;
    {
      const nb::gil_scoped_release release;
      result = plan_.run(ends.in, ends.out, {threads, samples, interrupt, work_per_thread});
    }
    if (result.interrupted) throw nb::python_error();
    return {result.nan_counts, failure_of(result)};
  }

  // The same of 16-bit codes, zero points as stored; multiplier: one where one fused multiply-add rounds, or nothing.
  void wide_matmul(const std::tuple<native::TensorId, native::TensorId, native::TensorId>& tensors, const Sizes& sizes,
                   const Sizes& steps, const Sizes& a_offsets, const Sizes& b_offsets, const Sizes& b_of,
                   const Sizes& y_offsets, std::int64_t a_zero, std::int64_t b_zero,
                   const Parameters<double>& multiplier, const native::Rescale& rescale, int type) {
    add_matmul<native::WideMatMulStep>(
        matrices_of(tensors, sizes, steps, a_offsets, b_offsets, b_of, y_offsets), a_zero, b_zero,
        native::WideFinish{shared(rescale), vector_of<double>(multiplier), code_type(type)}, isa_);
  }

  std::vector<double> profile(const std::vector<InArray>& inputs, const std::vector<OutArray>& outputs, int threads) {
    const Ends ends = checked(inputs, outputs, threads, 1);
    const nb::gil_scoped_release release;
    return plan_.profile(ends.in, ends.out, threads);
  }

 private:
  template <class StepType, class... Arguments>
  void add(Arguments&&... arguments) {
    add_step(std::make_unique<StepType>(std::forward<Arguments>(arguments)...));
  }

  static native::MatrixPlace matrices_of(
      const std::tuple<native::TensorId, native::TensorId, native::TensorId>& tensors, const Sizes& sizes,
      const Sizes& steps, const Sizes& a_offsets, const Sizes& b_offsets, const Sizes& b_of, const Sizes& y_offsets) {
    check_count(sizes, 3);
    check_count(steps, 4);
    const auto& [a, b, y] = tensors;
    return {a,        b,        y,        sizes[0],  sizes[1],  sizes[2], steps[0],
            steps[1], steps[2], steps[3], a_offsets, b_offsets, b_of,     y_offsets};
  }

  template <class StepType, class... Arguments>
  void add_matmul(Arguments&&... arguments) {
    auto step = std::make_unique<StepType>(std::forward<Arguments>(arguments)...);
    step->use(plan_.tensor(step->packed_bytes()), plan_.tensor(step->bias_bytes()));
    add_step(std::move(step));
  }

  static void check_count(const Sizes& sizes, std::size_t expected) {
    check_size("the list of sizes", sizes.size(), expected);
  }

  static std::optional<native::SumOperand> operand_of(const std::optional<Operand>& sum) {
    if (!sum) return std::nullopt;
    return native::SumOperand{std::get<0>(*sum), std::get<1>(*sum), sum_rule(std::get<2>(*sum))};
  }

  static native::Planes planes_of(const Sizes& s) {
    check_count(s, 4);
    return {s[0], s[1], s[2], s[3]};
  }

  static native::Rows rows_of(const Sizes& s) {
    check_count(s, 3);
    return {s[0], s[1], s[2]};
  }

  static native::ProductPlace place_of(const Sizes& s) {
    check_count(s, 7);
    return {static_cast<native::TensorId>(s[0]), s[1], s[2], static_cast<native::TensorId>(s[3]), s[4], s[5], s[6]};
  }

  static native::PairPlace pair_of(const Sizes& s) {
    check_count(s, 9);
    return {static_cast<native::TensorId>(s[0]),
            static_cast<native::TensorId>(s[1]),
            static_cast<native::TensorId>(s[2]),
            {s[3], s[4], s[5]},
            s[6],
            {s[7], s[8]}};
  }

  struct Ends {
    std::vector<const void*> in;
    std::vector<void*> out;
  };

  static std::optional<StepFailure> failure_of(const native::RunResult& result) {
    if (!result.error) return std::nullopt;
    try {
      std::rethrow_exception(result.error);
    } catch (const std::bad_alloc&) {
      return StepFailure{result.failed_step, "there is not enough memory", true};
    } catch (const std::exception& error) {
      return StepFailure{result.failed_step, error.what(), false};
    }
  }

  // Python's signal handlers run here; true where one of them raised.
  static bool signalled(void* /*context*/) {
    const nb::gil_scoped_acquire acquire;
    return PyErr_CheckSignals() != 0;
  }

  Ends checked(const std::vector<InArray>& inputs, const std::vector<OutArray>& outputs, int threads,
               std::int64_t samples) const {
    if (!plan_.finished()) throw nb::value_error("the plan is not finished");
    if (threads < 0) throw nb::value_error("threads must be 0 (all processors) or a positive number");
    if (samples < 1) throw nb::value_error("samples must be a positive number");
    check_size("the inputs", inputs.size(), plan_.input_bytes().size());
    check_size("the outputs", outputs.size(), plan_.output_bytes().size());
    Ends ends;
    const std::size_t count = static_cast<std::size_t>(samples);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      check_size("an input, in bytes", inputs[i].nbytes(), static_cast<std::size_t>(plan_.input_bytes()[i]) * count);
      ends.in.push_back(inputs[i].data());
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      check_size("an output, in bytes", outputs[i].nbytes(), static_cast<std::size_t>(plan_.output_bytes()[i]) * count);
      ends.out.push_back(outputs[i].data());
    }
    return ends;
  }
};

}  // namespace

void bind_engine(nb::module_& m) {
  using nb::arg;
  m.attr("LEAST_WORK_PER_THREAD") = native::least_work_per_thread;
  m.def("default_threads", &native::default_threads,
        "The processors that this process may use, or what HALFEVEN_NUM_THREADS says, cut to most_threads().");
  m.def("most_threads", &native::most_threads, "The most threads that a machine of this size has a use for.");
  m.def(
      "peak_operations_per_second",
      [](int isa, int threads, int rounds) {
        const native::Isa chosen = native::isa_from_index(isa);
        if (threads < 0) throw nb::value_error("threads must be 0 (all processors) or a positive number");
        if (rounds < 1) throw nb::value_error("rounds must be positive");
        const int count = threads > 0 ? threads : native::default_threads();
        const nb::gil_scoped_release release;
        return native::peak_operations_per_second(chosen, count, rounds);
      },
      arg("isa") = -1, arg("threads") = 0, arg("rounds") = 12,
      "Multiplications and additions of bytes a second, on registers alone: the best of rounds of about 20 ms.");
  bind_weights(m);
  bind_plan_calls(m);
  nb::class_<Builder, PlanHandle>(m, "Plan", "Steps over tensors of known shapes, in one arena.")
      .def(nb::init<int>(), arg("isa") = -1)
      .def("tensor", &Builder::tensor, arg("bytes"))
      .def("constant", &Builder::constant, arg("bytes"))
      .def("input", &Builder::input, arg("bytes"))
      .def("output", &Builder::output, arg("bytes"))
      .def("finish", &Builder::finish)
      .def_prop_ro("arena_bytes", &Builder::arena_bytes)
      .def_prop_ro("table_bytes", &Builder::table_bytes)
      .def_prop_ro("steps", &Builder::steps)
      .def("quantize", &Builder::quantize, arg("input"), arg("y"), arg("planes"), arg("border"), arg("scale"),
           arg("zero_point"), arg("qmin"), arg("qmax"), arg("scaling"), arg("zero_point_inside"), arg("rounding"),
           arg("type"))
      .def("dequantize", &Builder::dequantize, arg("x"), arg("output"), arg("planes"), arg("table"))
      .def("copy", &Builder::copy, arg("from_tensor"), arg("source"), arg("to_tensor"), arg("target"), arg("sizes"),
           arg("strides_in"), arg("strides_out"), arg("offset_in"), arg("offset_out"), arg("item"), arg("flip"))
      .def("product", &Builder::product, arg("weights"), arg("place"), arg("table"), arg("row_stride"), arg("padding"),
           arg("rescale"), arg("in_kernel"), arg("sum").none(), arg("image") = Sizes())
      .def("winograd", &Builder::winograd, arg("weights"), arg("place"), arg("table"), arg("image"), arg("padding"),
           arg("rescale"), arg("sum").none())
      .def("depthwise", &Builder::depthwise, arg("weights"), arg("place"), arg("table"), arg("padding"), arg("lines"),
           arg("rescale"), arg("in_kernel"))
      .def("wide_product", &Builder::wide_product, arg("weights"), arg("place"), arg("table"), arg("row_stride"),
           arg("padding"), arg("rescale"), arg("multiplier"), arg("type"))
      .def("planes_product", &Builder::planes_product, arg("weights"), arg("place"), arg("table"), arg("row_stride"),
           arg("padding"), arg("rescale"), arg("bias"), arg("type"))
      .def("wide_sum", &Builder::wide_sum, arg("place"), arg("out_stride"), arg("rule"), arg("bytes"))
      .def("look_up", &Builder::look_up, arg("x"), arg("y"), arg("rows"), arg("y_stride"), arg("x_item"), arg("y_item"),
           arg("table"))
      .def("sum", &Builder::sum, arg("place"), arg("rule"))
      .def("multiply", &Builder::multiply, arg("place"), arg("x_zero"), arg("y_zero"), arg("rescale"))
      .def("table", &Builder::table, arg("x"), arg("y"), arg("bytes"), arg("entries"))
      .def("follow_with", &Builder::follow_with, arg("made"), arg("entries"))
      .def("pair_table", &Builder::pair_table, arg("place"), arg("entries"))
      .def("channel_table", &Builder::channel_table, arg("x"), arg("y"), arg("rows"), arg("entries"))
      .def("max_pool", &Builder::max_pool, arg("x"), arg("y"), arg("rows"), arg("table"))
      .def("mean_pool", &Builder::mean_pool, arg("x"), arg("y"), arg("rows"), arg("table"), arg("x_zero"),
           arg("rescale"))
      .def("softmax", &Builder::softmax, arg("x"), arg("y"), arg("rows"), arg("y_stride"), arg("types"),
           arg("exponentials"), arg("m0"), arg("shift"), arg("zero"), arg("lo"), arg("hi"))
      .def("normalize", &Builder::normalize, arg("x"), arg("y"), arg("rows"), arg("fixed"), arg("gain"), arg("offset"),
           arg("zero"), arg("lo"), arg("hi"))
      .def("matmul", &Builder::matmul, arg("tensors"), arg("sizes"), arg("steps"), arg("a_offsets"), arg("b_offsets"),
           arg("b_of"), arg("y_offsets"), arg("a_zero"), arg("b_zero"), arg("multiplier"), arg("rescale"),
           arg("in_kernel"))
      .def("wide_matmul", &Builder::wide_matmul, arg("tensors"), arg("sizes"), arg("steps"), arg("a_offsets"),
           arg("b_offsets"), arg("b_of"), arg("y_offsets"), arg("a_zero"), arg("b_zero"), arg("multiplier"),
           arg("rescale"), arg("type"))
      .def("run", &Builder::run, arg("inputs"), arg("outputs"), arg("threads") = 0, arg("samples") = 1,
           arg("watched") = false, arg("work_per_thread") = native::least_work_per_thread,
           "Run every step, for each of `samples` that follow each other in the arrays; the number of NaN at each "
           "counter, and of the first step that failed its number, its words, and whether memory ran out.")
      .def("profile", &Builder::profile, arg("inputs"), arg("outputs"), arg("threads") = 0,
           "Run every step; the seconds that each took.");
}

}  // namespace halfeven::bindings
