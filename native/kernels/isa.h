// The instruction sets that kernels exist for. A value is an argument of every dispatch, never a hidden global.
#pragma once

namespace halfeven::native {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2, avx512_vnni = 3, neon = 4 };

inline constexpr int isa_count = 5;

// The set whose kernels serve where `isa` has none of its own; portable is the end of every chain.
constexpr Isa fallback(Isa isa) {
  switch (isa) {
    case Isa::avx512_vnni: return Isa::avx512;
    case Isa::avx512: return Isa::avx2;
    default: return Isa::portable;
  }
}

}  // namespace halfeven::native
