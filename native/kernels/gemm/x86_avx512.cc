#define HALFEVEN_ISA avx512
#include "kernels/gemm/dot_tile.inc"
