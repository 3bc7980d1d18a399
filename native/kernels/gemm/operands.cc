#include "kernels/gemm/operands.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace halfeven::native {
namespace {

constexpr std::int64_t highest_s32 = std::numeric_limits<std::int32_t>::max();

DotKernel dot_kernel(Type operand, Type sum, Isa isa) { return find_kernel(dot_kernels, operand, sum, isa)->function; }

}  // namespace

Operands::Operands(const CenteredRange& left, const CenteredRange& right, std::int64_t depth, Isa isa)
    : type(Type::s16), block(std::max(depth, dot_step)) {
  if (!left.fits<std::int32_t>() || !right.fits<std::int32_t>()) {
    throw std::invalid_argument("products of int32 codes are not supported: codes of 8 or 16 bits are");
  }
  if (!left.fits<std::int16_t>() || !right.fits<std::int16_t>()) {
    type = Type::s32;
    kernel = dot_kernel(Type::s32, Type::s64, isa);
    return;
  }
  const std::int64_t largest = std::max<std::int64_t>(left.farthest() * right.farthest(), 1);
  const std::int64_t exact = highest_s32 / largest / dot_step * dot_step;
  kernel = dot_kernel(Type::s16, exact > 0 ? Type::s32 : Type::s64, isa);
  if (exact > 0) block = std::min(block, exact);
}

}  // namespace halfeven::native
