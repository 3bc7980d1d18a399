// Loops of a constant length whose variables are to live in registers.
#pragma once

#if defined(__clang__)
#define HALFEVEN_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define HALFEVEN_UNROLL _Pragma("GCC unroll 16")
#else
#define HALFEVEN_UNROLL
#endif
