#define HALFEVEN_ISA avx2
#include "kernels/normalize/plain_loops.inc"
