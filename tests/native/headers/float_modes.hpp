// The floating-point modes a thread can be in: four roundings, and flush-to-zero where the processor has it.
#ifndef HALFEVEN_TESTS_FLOAT_MODES_HPP_
#define HALFEVEN_TESTS_FLOAT_MODES_HPP_

#include <cfenv>
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace check {

struct FloatMode {
  const char* name;
  int rounding;
  bool flush;
};

constexpr FloatMode kFloatModes[] = {{"nearest", FE_TONEAREST, false}, {"up", FE_UPWARD, false},
                                     {"down", FE_DOWNWARD, false},     {"zero", FE_TOWARDZERO, false},
                                     {"flush", FE_TONEAREST, true},    {"up+flush", FE_UPWARD, true}};

// In that mode for a scope; the mode before comes back.
class InFloatMode {
 public:
  explicit InFloatMode(const FloatMode& mode) {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);  // a program linked with -ffast-math starts in flush-to-zero
    std::fesetround(mode.rounding);
    if (!mode.flush) return;
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040u);  // FTZ and DAZ
#elif defined(__aarch64__)
    std::uint64_t fpcr = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1u << 24)));  // FZ
#endif
  }
  ~InFloatMode() { std::fesetenv(&saved_); }
  InFloatMode(const InFloatMode&) = delete;
  InFloatMode& operator=(const InFloatMode&) = delete;

 private:
  std::fenv_t saved_;
};

}  // namespace check

#endif  // HALFEVEN_TESTS_FLOAT_MODES_HPP_
