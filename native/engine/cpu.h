// Which instruction sets this build has kernels for, which of them this machine runs, and which one is in use.
#pragma once

#include <span>
#include <string_view>

#include "kernels/isa.h"

namespace halfeven::native {

struct IsaInfo {
  Isa isa;
  std::string_view name;
  bool compiled;   // this build holds kernels for it
  bool supported;  // compiled, and the processor and the operating system run it
};

// In the order of Isa's values.
std::span<const IsaInfo> isa_infos();

// The best supported set, or the one that HALFEVEN_ISA names.
// Throws std::invalid_argument where that name is unknown or its set does not run here.
Isa active_isa();

// The set of `index`, the active one for -1. Throws std::invalid_argument as above.
Isa isa_from_index(int index);

}  // namespace halfeven::native
