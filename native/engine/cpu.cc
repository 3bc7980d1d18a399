#include "engine/cpu.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "kernels/architecture.h"

#if HALFEVEN_X86
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace halfeven::native {
namespace {

struct Features {
  bool avx2 = false;
  bool avx_vnni = false;
  bool avx512 = false;
  bool avx512_vnni = false;
  bool avx512_amx = false;
  bool neon = false;
  bool neon_dotprod = false;
};

#if HALFEVEN_X86

struct Registers {
  std::uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
#if defined(_MSC_VER)
  int r[4];
  __cpuidex(r, static_cast<int>(leaf), static_cast<int>(subleaf));
  return {static_cast<std::uint32_t>(r[0]), static_cast<std::uint32_t>(r[1]), static_cast<std::uint32_t>(r[2]),
          static_cast<std::uint32_t>(r[3])};
#else
  Registers r{};
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
#endif
}

// The register states that the operating system saves (XCR0).
std::uint64_t saved_states() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  std::uint32_t lo = 0;
  std::uint32_t hi = 0;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return (static_cast<std::uint64_t>(hi) << 32) | lo;
#endif
}

constexpr bool has(std::uint32_t word, int bit) { return ((word >> bit) & 1u) != 0; }

// Tiles are 8 KiB a thread, which Linux saves only for a process that has asked for them. What it grants stays
// granted, to children too.
bool tiles_granted() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr long request = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;
  return syscall(SYS_arch_prctl, request, tile_data) == 0;
#else
  return false;
#endif
}

Features detect() {
  Features found;
  if (cpuid(0, 0).eax < 7) return found;
  const Registers one = cpuid(1, 0);
  const Registers seven = cpuid(7, 0);
  const bool osxsave = has(one.ecx, 27);
  if (!osxsave) return found;
  const std::uint64_t states = saved_states();
  const bool ymm_saved = (states & 0x06) == 0x06;
  const bool zmm_saved = (states & 0xe6) == 0xe6;
  const bool avx_fma = has(one.ecx, 28) && has(one.ecx, 12);
  const bool avx512_f_dq_bw_vl = has(seven.ebx, 16) && has(seven.ebx, 17) && has(seven.ebx, 30) && has(seven.ebx, 31);
  found.avx2 = ymm_saved && avx_fma && has(seven.ebx, 5);
  found.avx512 = found.avx2 && zmm_saved && avx512_f_dq_bw_vl;
  found.avx512_vnni = found.avx512 && has(seven.ecx, 11);
  if (seven.eax >= 1) found.avx_vnni = found.avx2 && has(cpuid(7, 1).eax, 4);
  const bool tiles_saved = (states & 0x60000) == 0x60000;
  const bool amx_tile_int8 = has(seven.edx, 24) && has(seven.edx, 25);
  const bool vbmi = has(seven.ecx, 1);  // every processor with tiles has it
  found.avx512_amx = found.avx512_vnni && vbmi && tiles_saved && amx_tile_int8 && tiles_granted();
  return found;
}

constexpr bool x86_compiled = true;
constexpr bool neon_compiled = false;

#elif HALFEVEN_AARCH64

Features detect() {
  Features found;
  found.neon = true;  // part of the base architecture
#if defined(__linux__)
  constexpr unsigned long dot_products = 1UL << 20;  // HWCAP_ASIMDDP
  found.neon_dotprod = (getauxval(AT_HWCAP) & dot_products) != 0;
#elif defined(__APPLE__)
  found.neon_dotprod = true;  // every AArch64 processor of theirs since 2019; the first Macs are newer
#endif
  return found;
}

constexpr bool x86_compiled = false;
constexpr bool neon_compiled = true;

#else

Features detect() { return {}; }

constexpr bool x86_compiled = false;
constexpr bool neon_compiled = false;

#endif

std::array<IsaInfo, isa_count> describe(const Features& f) {
  return {{{Isa::portable, "portable", true, true},
           {Isa::avx2, "avx2", x86_compiled, f.avx2},
           {Isa::avx_vnni, "avx_vnni", x86_compiled, f.avx_vnni},
           {Isa::avx512, "avx512", x86_compiled, f.avx512},
           {Isa::avx512_vnni, "avx512_vnni", x86_compiled, f.avx512_vnni},
           {Isa::avx512_amx, "avx512_amx", x86_compiled, f.avx512_amx},
           {Isa::neon, "neon", neon_compiled, f.neon},
           {Isa::neon_dotprod, "neon_dotprod", neon_compiled, f.neon_dotprod}}};
}

std::string supported_names() {
  std::string names;
  for (const IsaInfo& info : isa_infos()) {
    if (info.supported) names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return names;
}

Isa choose() {
  const char* wanted = std::getenv("HALFEVEN_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    Isa best = Isa::portable;
    for (const IsaInfo& info : isa_infos()) {
      if (info.supported) best = info.isa;
    }
    return best;
  }
  for (const IsaInfo& info : isa_infos()) {
    if (info.name == wanted && info.supported) return info.isa;
  }
  throw std::invalid_argument("HALFEVEN_ISA is '" + std::string(wanted) + "', expected one of: " + supported_names() +
                              "; unset it or name an instruction set that runs here");
}

}  // namespace

std::span<const IsaInfo> isa_infos() {
  static const std::array<IsaInfo, isa_count> infos = describe(detect());
  return infos;
}

Isa active_isa() {
  static const Isa active = choose();
  return active;
}

Isa isa_from_index(int index) {
  if (index == -1) return active_isa();
  if (index >= 0 && index < isa_count && isa_infos()[static_cast<std::size_t>(index)].supported) {
    return static_cast<Isa>(index);
  }
  throw std::invalid_argument("isa is " + std::to_string(index) +
                              ", expected -1 or the index of one of: " + supported_names());
}

}  // namespace halfeven::native
