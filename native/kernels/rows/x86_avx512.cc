#define HALFEVEN_ISA avx512
#include "kernels/rows/avx512.inc"
