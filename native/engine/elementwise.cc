#include "engine/elementwise.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

#include "engine/runs.h"
#include "engine/thread_pool.h"

namespace halfeven::native {
namespace {

// Elements that one task item covers: large enough to pay for taking it, small enough to share out evenly.
constexpr std::int64_t item_elements = 1 << 14;
// Left to itself, a call wakes another thread for this many elements each.
constexpr std::int64_t elements_per_thread = 1 << 17;
// Outputs from this size on would only push everything else out of the caches.
constexpr std::int64_t stream_bytes = 8 << 20;

constexpr std::int64_t size_of(Type type) {
  switch (type) {
    case Type::s8:
    case Type::u8: return 1;
    case Type::s16:
    case Type::u16: return 2;
    case Type::s64: return 8;
    default: return 4;
  }
}

template <class T>
T* at(T* base, std::int64_t element, Type type) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return static_cast<Byte*>(base) + element * size_of(type);
}

bool streams(const Layout& layout, const Runs& runs, Type out) {
  return runs.streamable() && layout.count() * size_of(out) >= stream_bytes;
}

// Makes streamed stores visible to other threads.
void finish_streams() {
#if HALFEVEN_X86
  _mm_sfence();
#endif
}

int threads_for(std::int64_t count, int threads) {
  if (threads > 0) return threads;
  const std::int64_t useful = count / elements_per_thread;
  return useful <= 1 ? 1 : static_cast<int>(std::min<std::int64_t>(useful, default_threads()));
}

// Calls body(Run) for every run of the tensor, on the threads of `execution`.
template <class Body>
void for_each_run(const Layout& layout, const Runs& runs, const Execution& execution, const Body& body) {
  const std::int64_t count = layout.count();
  auto item = [&](std::int64_t i) {
    runs.for_each(i * item_elements, std::min(count, (i + 1) * item_elements), body);
    finish_streams();
  };
  parallel_for((count + item_elements - 1) / item_elements, threads_for(count, execution.threads), item);
}

template <class Function, std::size_t N>
Function kernel_for(const Kernel<Function> (&table)[N], Type in, Type out, Isa isa) {
  const Kernel<Function>* kernel = find_kernel(table, in, out, isa);
  if (kernel == nullptr) throw std::invalid_argument("no kernel for this pair of element types");
  return kernel->function;
}

// Small enough for the vector kernels, and for the float arithmetic of the portable ones.
bool are_small(std::span<const std::int32_t> zero_points) {
  return std::all_of(zero_points.begin(), zero_points.end(), small_zero_point);
}

}  // namespace

std::int64_t quantize(const float* x, void* out, Type out_type, const Affine& affine, const QuantizeRule& rule,
                      const Layout& layout, const Execution& execution) {
  const bool small = are_small(affine.zero_point);
  const Isa isa = small ? execution.isa : Isa::portable;
  const QuantizeKernel kernel = kernel_for(quantize_kernels, Type::f32, out_type, isa);
  const Runs runs(layout);
  std::vector<float> scale_storage;
  std::vector<std::int32_t> zero_point_storage;
  const float* scale = runs.lay_out(affine.scale, scale_storage);
  const std::int32_t* zero_point = runs.lay_out(affine.zero_point, zero_point_storage);
  const bool stream = streams(layout, runs, out_type);
  std::atomic<std::int64_t> nan_count{0};
  for_each_run(layout, runs, execution, [&](const Run& run) {
    const std::int64_t found = kernel({x + run.begin, at(out, run.begin, out_type), run.count, scale + run.parameter,
                                       zero_point + run.parameter, runs.per_element(), small, stream},
                                      rule);
    if (found != 0) nan_count.fetch_add(found, std::memory_order_relaxed);
  });
  return nan_count.load();
}

void dequantize(const void* q, Type in_type, float* out, const Affine& affine, const Layout& layout,
                const Execution& execution) {
  const bool small = are_small(affine.zero_point);
  const Isa isa = small || in_type == Type::s32 ? execution.isa : Isa::portable;
  const DequantizeKernel kernel = kernel_for(dequantize_kernels, in_type, Type::f32, isa);
  const Runs runs(layout);
  std::vector<float> scale_storage;
  std::vector<std::int32_t> zero_point_storage;
  const float* scale = runs.lay_out(affine.scale, scale_storage);
  const std::int32_t* zero_point = runs.lay_out(affine.zero_point, zero_point_storage);
  const bool stream = streams(layout, runs, Type::f32);
  for_each_run(layout, runs, execution, [&](const Run& run) {
    kernel({at(q, run.begin, in_type), out + run.begin, run.count, scale + run.parameter, zero_point + run.parameter,
            runs.per_element(), small, stream});
  });
}

void requantize(const void* acc, Type acc_type, void* out, Type out_type, const Multipliers& multipliers,
                const RequantizeRule& rule, const Layout& layout, const Execution& execution) {
  const RequantizeKernel kernel = kernel_for(requantize_kernels, acc_type, out_type, execution.isa);
  // Far beyond where every result is 0 or saturated; within, m0 * 2^-shift is a finite, normal double.
  constexpr std::int32_t far = 200;
  std::vector<std::int32_t> m0s;
  std::vector<std::int32_t> shifts;
  std::vector<double> reals;
  for (std::size_t c = 0; c < multipliers.m0.size(); ++c) {
    m0s.push_back(static_cast<std::int32_t>(multipliers.m0[c]));
    shifts.push_back(std::clamp(multipliers.shift[c], -far, far));
    reals.push_back(std::ldexp(static_cast<double>(m0s.back()), -shifts.back()));
  }
  const Runs runs(layout);
  std::vector<std::int32_t> m0_storage;
  std::vector<std::int32_t> shift_storage;
  std::vector<double> real_storage;
  std::vector<float> real_f32_storage;
  const std::int32_t* m0 = runs.lay_out(std::span<const std::int32_t>(m0s), m0_storage);
  const std::int32_t* shift = runs.lay_out(std::span<const std::int32_t>(shifts), shift_storage);
  const double* real = runs.lay_out(std::span<const double>(reals), real_storage);
  const float* real_f32 = runs.lay_out(multipliers.real_f32, real_f32_storage);
  const bool stream = streams(layout, runs, out_type);
  for_each_run(layout, runs, execution, [&](const Run& run) {
    const std::int64_t p = run.parameter;
    kernel({at(acc, run.begin, acc_type), at(out, run.begin, out_type), run.count, m0 + p, shift + p, real + p,
            real_f32 + p, runs.per_element(), stream},
           rule);
  });
}

}  // namespace halfeven::native
