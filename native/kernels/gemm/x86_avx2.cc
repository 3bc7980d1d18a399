#define HALFEVEN_ISA avx2
#include "kernels/gemm/dot_tile.inc"
