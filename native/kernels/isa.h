// The instruction sets that kernels exist for. A value is an argument of every dispatch, never a hidden global.
#pragma once

namespace halfeven::native {

// Of the sets that run, the last is the best.
enum class Isa : int { portable, avx2, avx_vnni, avx512, avx512_vnni, avx512_amx, neon, neon_dotprod };

inline constexpr int isa_count = 8;

// The set whose kernels serve where `isa` has none of its own; portable is the end of every chain.
constexpr Isa fallback(Isa isa) {
  switch (isa) {
    case Isa::avx512_amx: return Isa::avx512_vnni;
    case Isa::avx512_vnni: return Isa::avx512;
    case Isa::avx512: return Isa::avx2;
    case Isa::avx_vnni: return Isa::avx2;
    case Isa::neon_dotprod: return Isa::neon;
    default: return Isa::portable;
  }
}

}  // namespace halfeven::native
