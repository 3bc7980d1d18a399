#define HALFEVEN_ISA portable
#include "kernels/gemm/dot_tile.inc"
