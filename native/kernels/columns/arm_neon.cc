#include "kernels/vector/arm_neon.h"

#include "kernels/columns/vector_pack.h"

#define HALFEVEN_ISA neon
#include "kernels/columns/loops.inc"
