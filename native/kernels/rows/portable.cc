#define HALFEVEN_ISA portable
#include "kernels/rows/plain_loops.inc"
