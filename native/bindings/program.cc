#include "bindings/program.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>

#include "engine/cpu.h"
#include "engine/thread_pool.h"
#include "kernels/eltwise/codes.h"

namespace halfeven::bindings {
namespace {

using native::Sizes;

// Left to itself, a call wakes another thread for this much work each.
constexpr double work_per_thread = 1 << 17;

// The first exception of a parallel run; items after it are skipped.
class FirstError {
 public:
  bool occurred() const { return occurred_.load(std::memory_order_relaxed); }

  void keep() {
    if (!occurred_.exchange(true)) error_ = std::current_exception();
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> occurred_{false};
  std::exception_ptr error_;
};

void run_items(std::int64_t items, int threads, const std::function<void(std::int64_t)>& body) {
  FirstError error;
  auto guarded = [&](std::int64_t item) {
    if (error.occurred()) return;
    try {
      body(item);
    } catch (...) {
      error.keep();
    }
  };
  native::parallel_for(items, threads, guarded);
  error.rethrow();
}

int threads_for(int threads, double work) {
  if (threads < 0) throw nb::value_error("threads must be 0 (all processors) or a positive number");
  if (threads > 0) return threads;
  const double most = native::default_threads();
  return static_cast<int>(std::clamp(work / work_per_thread, 1.0, most));
}

void new_rescale(native::Rescale* self, const Parameters<std::int64_t>& m0, const Parameters<std::int32_t>& shift,
                 const Parameters<float>& multiplier_f32, int method, std::int32_t zero_point, std::int32_t qmin,
                 std::int32_t qmax) {
  if (method < 0 || method > 3) throw nb::value_error("method must be 0 to 3");
  if (qmin > qmax) throw nb::value_error("qmin must not exceed qmax");
  const native::RequantizeRule rule{static_cast<Requantize>(method), zero_point, {qmin, qmax}};
  new (self) native::Rescale(span_of(m0), span_of(shift), span_of(multiplier_f32), rule);
}

bool all_at_least(const Sizes& sizes, std::int64_t lowest) {
  return std::all_of(sizes.begin(), sizes.end(), [=](std::int64_t n) { return n >= lowest; });
}

void new_window(native::Window* self, const Sizes& in, const Sizes& out, const Sizes& kernel, const Sizes& strides,
                const Sizes& begins, const Sizes& dilations) {
  const bool positive =
      all_at_least(out, 1) && all_at_least(kernel, 1) && all_at_least(strides, 1) && all_at_least(dilations, 1);
  if (!positive || !all_at_least(in, 0) || !all_at_least(begins, 0)) {
    throw nb::value_error("a window's sizes, strides and dilations must be at least 1 and its padding at least 0");
  }
  new (self) native::Window{in, out, kernel, strides, begins, dilations};
}

}  // namespace

Run::Run(int isa_index, int threads, double work) : isa(native::isa_from_index(isa_index)) {
  const int count = threads_for(threads, work);
  parallel = [count](std::int64_t items, const std::function<void(std::int64_t)>& body) {
    run_items(items, count, body);
  };
}

native::Type accumulator_of(int bits) {
  if (bits == 32) return native::Type::s32;
  if (bits == 64) return native::Type::s64;
  throw nb::value_error("an accumulator has 32 or 64 bits");
}

void check_clamp(std::int64_t qmin, std::int64_t qmax, native::Type type) {
  const bool inside = native::visit_codes(type, [=](auto code) {
    using Limits = std::numeric_limits<decltype(code)>;
    return Limits::min() <= qmin && qmin <= qmax && qmax <= Limits::max();
  });
  if (!inside) throw nb::value_error("[qmin, qmax] must be a range inside that of the output's type");
}

native::RowWriter writer_for(const native::Rescale& rescale, native::Type acc, native::Type out, native::Isa isa,
                             std::int64_t channels) {
  check_clamp(rescale.rule().range.qmin, rescale.rule().range.qmax, out);
  if (rescale.channels() != 1 && rescale.channels() != channels) {
    const std::string text = "the rescale has " + std::to_string(rescale.channels()) + " multipliers, expected 1 or " +
                             std::to_string(channels);
    throw nb::value_error(text.c_str());
  }
  return {rescale, acc, out, isa};
}

void bind_program(nb::module_& m) {
  using nb::arg;
  nb::class_<native::Rescale>(m, "Rescale", "q = clamp(round(M * acc) + Z), M one or one a channel.")
      .def("__init__", &new_rescale, arg("m0").noconvert(), arg("shift").noconvert(), arg("multiplier_f32").noconvert(),
           arg("method"), arg("zero_point"), arg("qmin"), arg("qmax"));
  nb::class_<native::Window>(m, "Window", "A sliding window over three spatial axes.")
      .def("__init__", &new_window, arg("input"), arg("output"), arg("kernel"), arg("strides"), arg("begins"),
           arg("dilations"));
  bind_products(m);
  bind_windows(m);
  bind_pointwise(m);
  bind_rows(m);
  bind_resize(m);
}

}  // namespace halfeven::bindings
