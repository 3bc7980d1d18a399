#include "kernels/vector/x86_avx512.h"

#include "kernels/columns/vector_pack.h"

#define HALFEVEN_ISA avx512
#include "kernels/columns/loops.inc"
