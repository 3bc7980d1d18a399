// header_tests [SAMPLES]: every suite once; SAMPLES random patterns a comparison. Exit status 1 if anything differs.
#include <cstdlib>

#include "check.hpp"
#include "suites.hpp"

int main(int argc, char** argv) {
  const long long samples = argc > 1 ? std::atoll(argv[1]) : 2000;
  test_soft_float(100 * samples);
  test_wide_products(100 * samples);
  test_affine(samples);
  test_requantize(100 * samples);
  test_tensor();
  test_tensor_errors();
  test_nonlinear(100 * samples);
  const check::Counts& c = check::counts();
  std::printf("%lld checks, %lld failed, hardware path %s\n", c.passed + c.failed, c.failed,
              HALFEVEN_HARDWARE_FLOAT != 0 ? "on" : "off");
  return c.failed == 0 ? 0 : 1;
}
