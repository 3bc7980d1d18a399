#define HALFEVEN_ISA portable
#include "kernels/depthwise/plain_loops.inc"
