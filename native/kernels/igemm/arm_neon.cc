// smull, whose products of 8 bits 16 bits hold, and sadalp, which adds pairs of them: two parts of each sum.
#include "kernels/igemm/neon_tiles.h"

namespace halfeven::native {
namespace {

class Dot {
 public:
  static constexpr int rows = 2;

  HALFEVEN_INLINE void add(int8x16_t x, const int8x16_t (&w)[4]) {
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) {
      parts_[2 * v] = vpadalq_s16(parts_[2 * v], vmull_s8(vget_low_s8(x), vget_low_s8(w[v])));
      parts_[2 * v + 1] = vpadalq_s16(parts_[2 * v + 1], vmull_high_s8(x, w[v]));
    }
  }

  HALFEVEN_INLINE Sixteen sums() const {
    return {{vpaddq_s32(parts_[0], parts_[1]), vpaddq_s32(parts_[2], parts_[3]), vpaddq_s32(parts_[4], parts_[5]),
             vpaddq_s32(parts_[6], parts_[7])}};
  }

 private:
  int32x4_t parts_[8] = {};
};

}  // namespace

void igemm_u8_u8_neon(const IgemmTask& task) { multiply_panels<Dot>(task); }

}  // namespace halfeven::native
