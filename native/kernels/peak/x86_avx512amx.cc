// tdpbusd on four tiles of sums, as the igemm kernel has: each is 16 x 16 sums of 64 products.
#include <immintrin.h>

#include <cstdint>

#include "kernels/peak/peak.h"

namespace halfeven::native {

std::int64_t peak_u8_s32_avx512_amx(std::int64_t rounds) {
  alignas(64) struct {
    std::uint8_t palette = 1;
    std::uint8_t rest[15] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
#if defined(__GNUC__)
  asm volatile("" : : "r"(&config) : "memory");  // the compiler does not see that the instruction reads it
#endif
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t round = 0; round < rounds; ++round) {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  _tile_release();
  return rounds * 4 * 16 * 16 * 64 * 2;
}

}  // namespace halfeven::native
