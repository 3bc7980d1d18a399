#define HALFEVEN_ISA avx2
#include "kernels/rows/plain_loops.inc"
