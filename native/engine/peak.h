// The integer peak of this machine, measured.
#pragma once

#include "kernels/isa.h"

namespace halfeven::native {

// Multiplications and additions a second of the peak kernel on `threads` threads, in about a quarter of a second:
// the best of several rounds, since what else runs can only take from it.
double peak_operations_per_second(Isa isa, int threads);

}  // namespace halfeven::native
