#define HALFEVEN_ISA avx2
#include "kernels/depthwise/plain_loops.inc"
