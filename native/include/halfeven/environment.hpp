// Whether this thread's floating-point hardware computes f32(e) of docs/math right now.
//
// The array functions use it for speed only when the compiler keeps IEEE 754 semantics (checked here, at compile
// time) and the thread's mode is the default one (checked at each call); otherwise they compute in integers. Define
// HALFEVEN_SOFT_ONLY to leave the hardware path out.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_ENVIRONMENT_HPP_
#define HALFEVEN_ENVIRONMENT_HPP_

#include <cstdint>

#if defined(__SSE2__) && defined(__x86_64__)
#include <xmmintrin.h>
#define HALFEVEN_KNOWN_PROCESSOR 1
#elif defined(__aarch64__)
#define HALFEVEN_KNOWN_PROCESSOR 1
#else
#define HALFEVEN_KNOWN_PROCESSOR 0
#endif

// GCC withdraws __GCC_IEC_559 == 2 for any of the flags that -ffast-math is made of; Clang is told in the kernels
// themselves (HALFEVEN_PRECISE_BEGIN), save for the flags that let it forget NaN and infinity.
#if defined(HALFEVEN_SOFT_ONLY) || !HALFEVEN_KNOWN_PROCESSOR || !defined(__GNUC__) || defined(__FAST_MATH__)
#define HALFEVEN_HARDWARE_FLOAT 0
#elif defined(__clang__) && (!defined(__FINITE_MATH_ONLY__) || __FINITE_MATH_ONLY__ == 0)
#define HALFEVEN_HARDWARE_FLOAT 1
#elif !defined(__clang__) && defined(__GCC_IEC_559) && __GCC_IEC_559 >= 2 && __FLT_EVAL_METHOD__ % 16 == 0
#define HALFEVEN_HARDWARE_FLOAT 1
#else
#define HALFEVEN_HARDWARE_FLOAT 0
#endif

#if defined(__clang__)
#define HALFEVEN_PRECISE_BEGIN _Pragma("float_control(precise, on, push)")
#define HALFEVEN_PRECISE_END _Pragma("float_control(pop)")
#else
#define HALFEVEN_PRECISE_BEGIN
#define HALFEVEN_PRECISE_END
#endif

namespace halfeven {

// True when rounding is to nearest even, subnormals are kept and no floating-point trap is armed.
inline bool hardware_is_exact() noexcept {
#if !HALFEVEN_HARDWARE_FLOAT
  return false;
#elif defined(__aarch64__)
  std::uint64_t fpcr = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  // RMode, FZ, FIZ, AH, NEP and the trap enables; DN, AHP and FZ16 do not touch float32 results other than NaN bits.
  return (fpcr & 0x01C09F07u) == 0;
#else
  // Flush-to-zero, rounding control and the trap masks as at program start, denormals-are-zero off; the low six bits
  // are sticky flags.
  return (_mm_getcsr() & 0xFFC0u) == 0x1F80u;
#endif
}

}  // namespace halfeven

#endif  // HALFEVEN_ENVIRONMENT_HPP_
