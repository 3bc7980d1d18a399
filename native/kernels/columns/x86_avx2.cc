#include "kernels/vector/x86_avx2.h"

#include "kernels/columns/vector_pack.h"

#define HALFEVEN_ISA avx2
#include "kernels/columns/loops.inc"
