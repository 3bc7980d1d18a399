// Loops of a constant length, and functions, whose variables are to live in registers.
#pragma once

#if defined(__clang__)
#define HALFEVEN_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define HALFEVEN_UNROLL _Pragma("GCC unroll 16")
#else
#define HALFEVEN_UNROLL
#endif

#if defined(_MSC_VER)
#define HALFEVEN_INLINE __forceinline
#define HALFEVEN_APART __declspec(noinline)
#else
#define HALFEVEN_INLINE inline __attribute__((always_inline))
#define HALFEVEN_APART __attribute__((noinline))
#endif
