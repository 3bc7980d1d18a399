#define HALFEVEN_ISA avx512
#include "kernels/difference/loops.inc"
