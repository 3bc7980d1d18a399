// A kernel's row (types, instruction set, function) and the search for the best row under a given instruction set.
#pragma once

#include <cstddef>

#include "kernels/architecture.h"
#include "kernels/isa.h"

namespace halfeven::native {

enum class Type : int { f32, s8, u8, s16, u16, s32, s64, f64 };

template <class Function>
struct Kernel {
  const char* name;
  Type in;
  Type out;
  Isa isa;
  Function function;
};

// The kernel for (in, out) of `isa`, or of the nearest set it falls back to; nullptr where the pair does not exist.
template <class Function, std::size_t N>
const Kernel<Function>* find_kernel(const Kernel<Function> (&table)[N], Type in, Type out, Isa isa) {
  for (;; isa = fallback(isa)) {
    for (const Kernel<Function>& kernel : table) {
      if (kernel.in == in && kernel.out == out && kernel.isa == isa) return &kernel;
    }
    if (isa == Isa::portable) return nullptr;
  }
}

}  // namespace halfeven::native
