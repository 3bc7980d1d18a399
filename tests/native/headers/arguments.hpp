// Words of a command line, and what the programs that Python drives make of them.
#ifndef HALFEVEN_TESTS_ARGUMENTS_HPP_
#define HALFEVEN_TESTS_ARGUMENTS_HPP_

#include <cstdlib>
#include <cstring>

#include "check.hpp"
#include "float_modes.hpp"

namespace check {

struct Arguments {
  char** next;
  char** end;
  const char* word() { return next < end ? *next++ : ""; }
  std::int64_t integer() { return std::strtoll(word(), nullptr, 10); }
  std::int32_t int32() { return static_cast<std::int32_t>(integer()); }
  std::uint32_t pattern() { return static_cast<std::uint32_t>(std::strtoull(word(), nullptr, 16)); }
  float real() { return halfeven::float_of(pattern()); }
  halfeven::CodeRange range() {
    const std::int32_t qmin = int32();
    return {qmin, int32()};
  }
};

[[noreturn]] inline void fail(const char* what, const char* word) {
  std::fprintf(stderr, "no %s is named '%s'\n", what, word);
  std::exit(2);
}

inline const halfeven::Profile& profile_of(const char* name) {
  for (const halfeven::Profile& p : halfeven::profiles::all) {
    if (std::strcmp(p.name, name) == 0) return p;
  }
  fail("profile", name);
}

// Calls f with a value of the storage type of that name.
template <class F>
void with_storage(const char* name, F f) {
  if (std::strcmp(name, "int8") == 0) return f(std::int8_t{});
  if (std::strcmp(name, "uint8") == 0) return f(std::uint8_t{});
  if (std::strcmp(name, "int16") == 0) return f(std::int16_t{});
  if (std::strcmp(name, "uint16") == 0) return f(std::uint16_t{});
  if (std::strcmp(name, "int32") == 0) return f(std::int32_t{});
  fail("storage", name);
}

// The rest of a command line, MODE ..., in that floating-point mode.
inline int run_in_mode(int argc, char** argv, void (*run)(Arguments&)) {
  Arguments a{argv + 1, argv + argc};
  const char* mode = a.word();
  for (const FloatMode& m : kFloatModes) {
    if (std::strcmp(m.name, mode) != 0) continue;
    const InFloatMode in_mode(m);
    run(a);
    return 0;
  }
  fail("floating-point mode", mode);
}

}  // namespace check

#endif  // HALFEVEN_TESTS_ARGUMENTS_HPP_
