#include "bindings/arrays.h"

#include "engine/cpu.h"

namespace halfeven::bindings {
namespace {

std::string dtype_text(const nb::dlpack::dtype& dtype) {
  const auto code = static_cast<nb::dlpack::dtype_code>(dtype.code);
  const char* kind = code == nb::dlpack::dtype_code::Float  ? "float"
                     : code == nb::dlpack::dtype_code::Int  ? "int"
                     : code == nb::dlpack::dtype_code::UInt ? "uint"
                                                            : "type";
  return kind + std::to_string(dtype.bits);
}

}  // namespace

native::Type type_of(const nb::dlpack::dtype& dtype, const char* name) {
  if (dtype == nb::dtype<float>()) return native::Type::f32;
  if (dtype == nb::dtype<std::int8_t>()) return native::Type::s8;
  if (dtype == nb::dtype<std::uint8_t>()) return native::Type::u8;
  if (dtype == nb::dtype<std::int16_t>()) return native::Type::s16;
  if (dtype == nb::dtype<std::uint16_t>()) return native::Type::u16;
  if (dtype == nb::dtype<std::int32_t>()) return native::Type::s32;
  if (dtype == nb::dtype<std::int64_t>()) return native::Type::s64;
  const std::string text = std::string(name) + " has the element type " + dtype_text(dtype) +
                           ", expected float32, int8, uint8, int16, uint16, int32 or int64; convert it first";
  throw nb::type_error(text.c_str());
}

void check_size(const char* name, std::size_t size, std::size_t expected) {
  if (size == expected) return;
  const std::string text = std::string(name) + " holds " + std::to_string(size) + " elements, expected " +
                           std::to_string(expected) + "; pass arrays that match (outer, channels, inner)";
  throw nb::value_error(text.c_str());
}

native::Layout layout_of(std::int64_t outer, std::size_t channels, std::int64_t inner, std::size_t in_size,
                         std::size_t out_size) {
  if (outer < 0 || inner < 0 || channels == 0) {
    throw nb::value_error("outer and inner must be at least 0 and channels at least 1");
  }
  const native::Layout layout{outer, static_cast<std::int64_t>(channels), inner};
  check_size("the input", in_size, static_cast<std::size_t>(layout.count()));
  check_size("the output", out_size, in_size);
  return layout;
}

native::Execution execution_of(int isa, int threads) {
  if (threads < 0) throw nb::value_error("threads must be 0 (all processors) or a positive number");
  return {native::isa_from_index(isa), threads};
}

}  // namespace halfeven::bindings
