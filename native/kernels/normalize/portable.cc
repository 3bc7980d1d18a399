#define HALFEVEN_ISA portable
#include "kernels/normalize/plain_loops.inc"
