// replay: reads the flattened corpus (golden/flatten.py) from stdin and runs every line through the board headers, by
// the integer definition and by the array functions. Prints the lines that differ; exit status 1 if any does, or if
// none came.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <halfeven/halfeven.hpp>
#include <iostream>
#include <sstream>
#include <string>

namespace {

using halfeven::AffineParams;
using halfeven::CodeRange;
using halfeven::Multiplier;
using halfeven::Profile;

struct Line {
  std::istringstream words;

  std::uint32_t pattern() {
    std::uint32_t value = 0;
    words >> std::hex >> value >> std::dec;
    return value;
  }

  std::uint64_t pattern64() {
    std::uint64_t value = 0;
    words >> std::hex >> value >> std::dec;
    return value;
  }

  float real() { return halfeven::float_of(pattern()); }

  std::int64_t integer() {
    std::int64_t value = 0;
    words >> value;
    return value;
  }

  std::int32_t int32() { return static_cast<std::int32_t>(integer()); }

  CodeRange range() {
    const std::int32_t qmin = int32();
    return {qmin, int32()};
  }

  const Profile* profile() {
    std::string name;
    words >> name;
    for (const Profile& p : halfeven::profiles::all) {
      if (name == p.name) return &p;
    }
    words.setstate(std::ios::failbit);
    return &halfeven::profiles::journey6;
  }
};

bool quantize(Line& line) {
  const Profile& profile = *line.profile();
  const std::uint32_t scale = line.pattern();
  const std::int32_t zero_point = line.int32();
  const CodeRange range = line.range();
  const std::uint32_t x = line.pattern();
  const std::int32_t expected = line.int32();
  const AffineParams params{halfeven::float_of(scale), zero_point, range};
  const float real = halfeven::float_of(x);
  std::int32_t code = 0;
  halfeven::quantize(&real, 1, &code, params, profile);
  return halfeven::Quantizer(scale, zero_point, range, profile)(x) == expected && code == expected;
}

bool dequantize(Line& line) {
  const std::uint32_t scale = line.pattern();
  const std::int32_t zero_point = line.int32(), code = line.int32();
  const std::uint32_t expected = line.pattern();
  float real = 0;
  halfeven::dequantize(&code, 1, &real, AffineParams{halfeven::float_of(scale), zero_point, halfeven::kInt32});
  return halfeven::dequantize_bits(code, zero_point, scale) == expected && halfeven::bits_of(real) == expected;
}

bool requantize(Line& line) {
  const auto method = static_cast<halfeven::Requantize>(line.int32());
  const std::int64_t m0 = line.integer();
  const std::int32_t shift = line.int32();
  const Multiplier m{m0, shift, line.int32()};
  const std::int32_t zero_point = line.int32();
  const CodeRange range = line.range();
  const std::int64_t acc = line.integer();
  const std::int32_t expected = line.int32();
  std::int32_t code = 0;
  halfeven::requantize(&acc, 1, &code, m, zero_point, range, method);
  return halfeven::requantize(acc, m, zero_point, range, method) == expected && code == expected;
}

bool is_next(Line& line, const Multiplier& m) {
  const std::int64_t m0 = line.integer();
  return m.m0 == m0 && m.shift == line.integer();
}

bool multiplier(Line& line) {
  const int bits = line.int32();
  const bool half_away = line.integer() != 0;
  const std::uint64_t pattern = line.pattern64();
  double value = 0;
  std::memcpy(&value, &pattern, sizeof value);
  return is_next(line, Multiplier::from_real(value, bits, half_away));
}

bool multiplier_from_scales(Line& line) {
  const Profile& profile = *line.profile();
  const float s1 = line.real(), s2 = line.real(), s3 = line.real();
  return is_next(line, Multiplier::from_scales(s1, s2, s3, profile));
}

bool binary(Line& line) {
  const std::uint32_t scale = line.pattern();
  const std::int8_t code = halfeven::quantize_binary_bits(line.pattern());
  return code == line.integer() && halfeven::dequantize_binary_bits(code, scale) == line.pattern();
}

bool log2(Line& line) {
  const int bits = line.int32();
  const std::uint32_t scale = line.pattern();
  const std::int8_t code = halfeven::quantize_log2_bits(line.pattern(), scale, bits);
  return code == line.integer() && halfeven::dequantize_log2_bits(code, scale) == line.pattern();
}

const struct {
  const char* name;
  bool (*agrees)(Line&);
} kOperations[] = {
    {"quantize", quantize},
    {"dequantize", dequantize},
    {"requantize", requantize},
    {"multiplier", multiplier},
    {"binary", binary},
    {"multiplier_from_scales", multiplier_from_scales},
    {"log2", log2},
};

bool agrees(const std::string& text) {
  Line line{std::istringstream(text)};
  std::string operation;
  line.words >> operation;
  for (const auto& o : kOperations) {
    if (operation == o.name) return o.agrees(line) && !line.words.fail();
  }
  return false;
}

}  // namespace

int main() {
  long long lines = 0, wrong = 0;
  for (std::string text; std::getline(std::cin, text); ++lines) {
    if (!agrees(text) && ++wrong <= 20) std::printf("differs: %s\n", text.c_str());
  }
  std::printf("%lld lines, %lld differences\n", lines, wrong);
  return lines > 0 && wrong == 0 ? 0 : 1;
}
