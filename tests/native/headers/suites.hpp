// The suites of header_tests; main.cpp runs them all.
#ifndef HALFEVEN_TESTS_SUITES_HPP_
#define HALFEVEN_TESTS_SUITES_HPP_

void test_soft_float(long long samples);
void test_wide_products(long long samples);
void test_affine(long long samples);
void test_requantize(long long samples);
void test_tensor();
void test_tensor_errors();
void test_nonlinear(long long samples);

#endif  // HALFEVEN_TESTS_SUITES_HPP_
