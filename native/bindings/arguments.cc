#include "bindings/arguments.h"

namespace halfeven::bindings {
namespace {

using native::Type;

template <class Enum>
Enum choice(int value, int count, const char* name) {
  if (value >= 0 && value < count) return static_cast<Enum>(value);
  const std::string text =
      std::string(name) + " is " + std::to_string(value) + ", expected 0 to " + std::to_string(count - 1);
  throw nb::value_error(text.c_str());
}

CodeRange checked(const Bounds& bounds, Type type) {
  const CodeRange range = range_of(type);
  if (range.qmin <= bounds.qmin && bounds.qmin <= bounds.qmax && bounds.qmax <= range.qmax) {
    return {static_cast<std::int32_t>(bounds.qmin), static_cast<std::int32_t>(bounds.qmax)};
  }
  const std::string text = "[qmin, qmax] is [" + std::to_string(bounds.qmin) + ", " + std::to_string(bounds.qmax) +
                           "], expected a range inside that of the output's type, [" + std::to_string(range.qmin) +
                           ", " + std::to_string(range.qmax) + "]";
  throw nb::value_error(text.c_str());
}

}  // namespace

CodeRange range_of(Type type) {
  switch (type) {
    case Type::s8: return kInt8;
    case Type::u8: return kUint8;
    case Type::s16: return kInt16;
    case Type::u16: return kUint16;
    case Type::s32: return kInt32;
    default: throw nb::type_error("codes are int8, uint8, int16, uint16 or int32");
  }
}

native::QuantizeRule quantize_rule(int scaling, bool zero_point_inside, int rounding, const Bounds& bounds, Type type) {
  return {choice<Scaling>(scaling, 2, "scaling"), zero_point_inside ? ZeroPoint::kInside : ZeroPoint::kOutside,
          choice<Rounding>(rounding, 3, "rounding"), checked(bounds, type)};
}

native::RequantizeRule requantize_rule(int method, std::int64_t zero_point, const Bounds& bounds, Type type) {
  if (zero_point < kInt32.qmin || zero_point > kInt32.qmax) throw nb::value_error("zero_point must be an int32");
  return {choice<Requantize>(method, 4, "method"), static_cast<std::int32_t>(zero_point), checked(bounds, type)};
}

}  // namespace halfeven::bindings
