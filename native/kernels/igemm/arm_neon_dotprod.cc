// sdot: four products a sum at a time.
#include "kernels/igemm/neon_tiles.h"

namespace halfeven::native {
namespace {

class Dot {
 public:
  static constexpr int rows = 6;

  HALFEVEN_INLINE void add(int8x16_t x, const int8x16_t (&w)[4]) {
    HALFEVEN_UNROLL
    for (int v = 0; v < 4; ++v) sums_.part[v] = vdotq_s32(sums_.part[v], x, w[v]);
  }

  HALFEVEN_INLINE Sixteen sums() const { return sums_; }

 private:
  Sixteen sums_ = {};
};

}  // namespace

void igemm_u8_u8_neon_dotprod(const IgemmTask& task) { multiply_panels<Dot>(task); }

}  // namespace halfeven::native
