#define HALFEVEN_ISA avx512
#include "kernels/wgemm/avx512.inc"
