#define HALFEVEN_ISA avx512_amx
#include "kernels/rows/avx512.inc"
