#define HALFEVEN_ISA portable
#include "kernels/softmax/plain_loops.inc"
