// The processor family that this build is for.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define HALFEVEN_X86 1
#else
#define HALFEVEN_X86 0
#endif

#if defined(__aarch64__) || defined(_M_ARM64)
#define HALFEVEN_AARCH64 1
#else
#define HALFEVEN_AARCH64 0
#endif
