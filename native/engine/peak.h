// The integer peak of this machine, measured.
#pragma once

#include "kernels/isa.h"

namespace halfeven::native {

// Multiplications and additions a second of the peak kernel on `threads` threads, about 20 ms a round:
// the best of `rounds`, since what else runs can only take from it; one round is what the machine gives right now.
double peak_operations_per_second(Isa isa, int threads, int rounds);

}  // namespace halfeven::native
