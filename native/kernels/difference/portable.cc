#define HALFEVEN_ISA portable
#include "kernels/difference/loops.inc"
