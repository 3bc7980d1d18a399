#define HALFEVEN_ISA avx2
#include "kernels/difference/loops.inc"
