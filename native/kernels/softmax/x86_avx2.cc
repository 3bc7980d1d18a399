#define HALFEVEN_ISA avx2
#include "kernels/softmax/plain_loops.inc"
