#define HALFEVEN_ISA avx512_vnni
#include "kernels/wgemm/avx512.inc"
