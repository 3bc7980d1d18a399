// Rows of integer codes of any element type: centered into a wider type, and back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "kernels/kernel_table.h"

namespace halfeven::native {

// Calls body(C{}) with the C++ type C of the codes.
template <class Body>
decltype(auto) visit_codes(Type type, Body&& body) {
  switch (type) {
    case Type::s8: return body(std::int8_t{});
    case Type::u8: return body(std::uint8_t{});
    case Type::s16: return body(std::int16_t{});
    case Type::u16: return body(std::uint16_t{});
    case Type::s32: return body(std::int32_t{});
    default: throw std::invalid_argument("codes are int8, uint8, int16, uint16 or int32");
  }
}

// The same for the types that the engine stores codes as.
template <class Body>
decltype(auto) visit_stored(Type type, Body&& body) {
  switch (type) {
    case Type::u8: return body(std::uint8_t{});
    case Type::s16: return body(std::int16_t{});
    case Type::s32: return body(std::int32_t{});
    default: throw std::invalid_argument("codes are stored as uint8, int16 or int32");
  }
}

inline std::size_t code_size(Type type) {
  return visit_codes(type, [](auto code) { return sizeof(code); });
}

// The code at index i of an array of `type`.
inline const void* at(const void* codes, Type type, std::int64_t i) {
  return static_cast<const char*>(codes) + i * static_cast<std::int64_t>(code_size(type));
}

inline void* at(void* codes, Type type, std::int64_t i) {
  return static_cast<char*>(codes) + i * static_cast<std::int64_t>(code_size(type));
}

// The values of q - Z: what a centered operand can be.
struct CenteredRange {
  std::int64_t lo;
  std::int64_t hi;

  std::int64_t farthest() const { return std::max(-lo, hi); }
  template <class T>
  bool fits() const {
    return lo >= std::numeric_limits<T>::min() && hi <= std::numeric_limits<T>::max();
  }
};

// Over all codes q of the type and zero points Z from zero_lo to zero_hi.
inline CenteredRange centered_range(Type type, std::int64_t zero_lo, std::int64_t zero_hi) {
  return visit_codes(type, [=](auto code) {
    using Limits = std::numeric_limits<decltype(code)>;
    return CenteredRange{std::int64_t{Limits::min()} - zero_hi, std::int64_t{Limits::max()} - zero_lo};
  });
}

inline CenteredRange centered_range(Type type, std::int64_t zero) { return centered_range(type, zero, zero); }

// out[i * out_stride] = codes[i * stride] - zero, which Out must be able to hold.
template <class Out>
void center(Type type, const void* codes, std::int64_t stride, std::int64_t count, std::int64_t zero, Out* out,
            std::int64_t out_stride = 1) {
  visit_codes(type, [=](auto code) {
    const auto* q = static_cast<const decltype(code)*>(codes);
    const Out z = static_cast<Out>(zero);
    if (stride == 1 && out_stride == 1) {
      for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<Out>(static_cast<Out>(q[i]) - z);
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        out[i * out_stride] = static_cast<Out>(static_cast<Out>(q[i * stride]) - z);
      }
    }
  });
}

// Codes that are already inside the range of the type.
inline void store_codes(const std::int32_t* values, std::int64_t count, Type type, void* out) {
  visit_codes(type, [=](auto code) {
    auto* q = static_cast<decltype(code)*>(out);
    for (std::int64_t i = 0; i < count; ++i) q[i] = static_cast<decltype(code)>(values[i]);
  });
}

}  // namespace halfeven::native
