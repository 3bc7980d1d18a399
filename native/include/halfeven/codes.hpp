// Integer codes: their ranges, the C++ types that store them, 4-bit packing. Source: docs/math/affine.md, table 1.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_CODES_HPP_
#define HALFEVEN_CODES_HPP_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace halfeven {

// Codes lie in [qmin, qmax].
struct CodeRange {
  std::int32_t qmin;
  std::int32_t qmax;
};

inline constexpr CodeRange kInt4{-8, 7};  // one to a byte in memory (int8), two to a byte when packed
inline constexpr CodeRange kUint4{0, 15};
inline constexpr CodeRange kInt8{-128, 127};
inline constexpr CodeRange kUint8{0, 255};
inline constexpr CodeRange kInt16{-32768, 32767};
inline constexpr CodeRange kUint16{0, 65535};
inline constexpr CodeRange kInt32{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};

// Whether codes may be stored in that type.
template <class Code>
constexpr bool is_code_type() noexcept {
  return std::is_integral<Code>::value && !std::is_same<Code, bool>::value && sizeof(Code) <= 4 &&
         (sizeof(Code) < 4 || std::is_signed<Code>::value);
}

// All values of the storage type.
template <class Code>
constexpr CodeRange range_of() noexcept {
  static_assert(is_code_type<Code>(), "codes are stored as int8, uint8, int16, uint16 or int32");
  return {static_cast<std::int32_t>(std::numeric_limits<Code>::min()),
          static_cast<std::int32_t>(std::numeric_limits<Code>::max())};
}

constexpr bool contains(CodeRange range, std::int32_t code) noexcept {
  return range.qmin <= code && code <= range.qmax;
}

// What both allow: a range wider than its storage would wrap.
constexpr CodeRange intersection(CodeRange a, CodeRange b) noexcept {
  return {a.qmin > b.qmin ? a.qmin : b.qmin, a.qmax < b.qmax ? a.qmax : b.qmax};
}

// Packs n 4-bit codes two to a byte, the first in the low half (ONNX order); an odd tail is padded with 0.
// `out` has (n + 1) / 2 bytes. The low four bits of each code are taken.
template <class Code>
inline void pack_int4(const Code* codes, std::size_t n, std::uint8_t* out) noexcept {
  static_assert(is_code_type<Code>(), "4-bit codes are stored one to an integer before packing");
  for (std::size_t i = 0; i < n; i += 2) {
    const unsigned low = static_cast<unsigned>(codes[i]) & 0xFu;
    const unsigned high = i + 1 < n ? static_cast<unsigned>(codes[i + 1]) & 0xFu : 0u;
    out[i / 2] = static_cast<std::uint8_t>(low | (high << 4));
  }
}

// Undoes pack_int4: n codes, sign-extended for a signed type (int4), as they are for an unsigned one (uint4).
template <class Code>
inline void unpack_int4(const std::uint8_t* packed, std::size_t n, Code* codes) noexcept {
  static_assert(is_code_type<Code>(), "4-bit codes are stored one to an integer when unpacked");
  for (std::size_t i = 0; i < n; ++i) {
    const int nibble = (packed[i / 2] >> (i % 2 == 0 ? 0 : 4)) & 0xF;
    const bool negative = std::is_signed<Code>::value && nibble > 7;
    codes[i] = static_cast<Code>(negative ? nibble - 16 : nibble);
  }
}

}  // namespace halfeven

#endif  // HALFEVEN_CODES_HPP_
