// codes MODE OPERATION ...: applies one function of the headers to binary numbers from stdin, results to stdout.
//
//   quantize PROFILE STORAGE SCALE Z QMIN QMAX           float32 -> codes          SCALE and reals are bit patterns in
//   hex quantize_range PROFILE STORAGE SCALE Z QMIN QMAX FROM TO   the patterns FROM..TO-1 instead of stdin dequantize
//   STORAGE SCALE Z                           codes -> float32 requantize METHOD ACC STORAGE M0 SHIFT BITS Z QMIN QMAX
//   sums -> codes from_real BITS HALF_AWAY                             float64 -> pairs of int64 (m0, shift)
//   from_scales PROFILE                                  triples of float32 -> pairs of int64
//   binary | log2 SCALE BITS                             float32 -> int8
//   dequantize_binary SCALE | dequantize_log2 SCALE      int8 -> float32
//
// MODE is one of check::kFloatModes: the thread's floating-point mode while it computes.
#include "arguments.hpp"

using check::Arguments;
using check::profile_of;
using check::with_storage;
using halfeven::AffineParams;
using halfeven::Multiplier;
using halfeven::Profile;

namespace {

constexpr std::size_t kBlock = 1 << 16;

// stdin -> f(block, n, result) -> stdout, `per` results a number.
template <class In, class Out, class F>
void stream(std::size_t take, std::size_t give, F f) {
  std::vector<In> in(kBlock * take);
  std::vector<Out> out(kBlock * give);
  for (std::size_t n = 0; (n = std::fread(in.data(), sizeof(In) * take, kBlock, stdin)) > 0;) {
    f(in.data(), n, out.data());
    std::fwrite(out.data(), sizeof(Out) * give, n, stdout);
  }
}

AffineParams affine(Arguments& a, bool with_range) {
  const float scale = a.real();
  const std::int32_t z = a.int32();
  return {scale, z, with_range ? a.range() : halfeven::kInt32};
}

void quantize(Arguments& a) {
  const Profile& profile = profile_of(a.word());
  const char* storage = a.word();
  const AffineParams p = affine(a, true);
  with_storage(storage, [&](auto code) {
    using Code = decltype(code);
    stream<float, Code>(1, 1, [&](const float* x, std::size_t n, Code* q) { halfeven::quantize(x, n, q, p, profile); });
  });
}

void quantize_range(Arguments& a) {
  const Profile& profile = profile_of(a.word());
  const char* storage = a.word();
  const AffineParams p = affine(a, true);
  const std::int64_t from = a.integer(), to = a.integer();
  with_storage(storage, [&](auto code) {
    using Code = decltype(code);
    std::vector<float> x(kBlock);
    std::vector<Code> q(kBlock);
    for (std::int64_t i = from; i < to; i += static_cast<std::int64_t>(kBlock)) {
      const std::size_t n = to - i < static_cast<std::int64_t>(kBlock) ? static_cast<std::size_t>(to - i) : kBlock;
      for (std::size_t k = 0; k < n; ++k)
        halfeven::store_bits(&x[k], static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(k));
      halfeven::quantize(x.data(), n, q.data(), p, profile);
      std::fwrite(q.data(), sizeof(Code), n, stdout);
    }
  });
}

void dequantize(Arguments& a) {
  const char* storage = a.word();
  const AffineParams p = affine(a, false);
  with_storage(storage, [&](auto code) {
    using Code = decltype(code);
    stream<Code, float>(1, 1, [&](const Code* q, std::size_t n, float* r) { halfeven::dequantize(q, n, r, p); });
  });
}

template <class Acc>
void requantize_sums(Arguments& a, halfeven::Requantize method) {
  const char* storage = a.word();
  const std::int64_t m0 = a.integer();
  const std::int32_t shift = a.int32(), bits = a.int32();
  const Multiplier m{m0, shift, bits};
  const std::int32_t z = a.int32();
  const halfeven::CodeRange range = a.range();
  with_storage(storage, [&](auto code) {
    using Code = decltype(code);
    stream<Acc, Code>(
        1, 1, [&](const Acc* acc, std::size_t n, Code* q) { halfeven::requantize(acc, n, q, m, z, range, method); });
  });
}

void requantize(Arguments& a) {
  const auto method = static_cast<halfeven::Requantize>(a.int32());
  const char* acc = a.word();
  if (std::strcmp(acc, "int64") == 0) return requantize_sums<std::int64_t>(a, method);
  requantize_sums<std::int32_t>(a, method);
}

void from_real(Arguments& a) {
  const int bits = a.int32();
  const bool half_away = a.int32() != 0;
  stream<double, std::int64_t>(1, 2, [&](const double* v, std::size_t n, std::int64_t* out) {
    for (std::size_t i = 0; i < n; ++i) {
      const Multiplier m = Multiplier::from_real(v[i], bits, half_away);
      out[2 * i] = m.m0;
      out[2 * i + 1] = m.shift;
    }
  });
}

void from_scales(Arguments& a) {
  const Profile& profile = profile_of(a.word());
  stream<float, std::int64_t>(3, 2, [&](const float* s, std::size_t n, std::int64_t* out) {
    for (std::size_t i = 0; i < n; ++i) {
      const Multiplier m = Multiplier::from_scales(s[3 * i], s[3 * i + 1], s[3 * i + 2], profile);
      out[2 * i] = m.m0;
      out[2 * i + 1] = m.shift;
    }
  });
}

void nonlinear(Arguments& a, const char* operation) {
  const bool log2 = std::strstr(operation, "log2") != nullptr;
  if (std::strcmp(operation, "binary") == 0) return stream<float, std::int8_t>(1, 1, halfeven::quantize_binary);
  const float scale = a.real();
  if (std::strcmp(operation, "log2") == 0) {
    const int bits = a.int32();
    return stream<float, std::int8_t>(
        1, 1, [&](const float* x, std::size_t n, std::int8_t* q) { halfeven::quantize_log2(x, n, q, scale, bits); });
  }
  stream<std::int8_t, float>(1, 1, [&](const std::int8_t* q, std::size_t n, float* r) {
    log2 ? halfeven::dequantize_log2(q, n, r, scale) : halfeven::dequantize_binary(q, n, r, scale);
  });
}

void run(Arguments& a) {
  const char* operation = a.word();
  const struct {
    const char* name;
    void (*function)(Arguments&);
  } operations[] = {{"quantize", quantize},     {"quantize_range", quantize_range}, {"dequantize", dequantize},
                    {"requantize", requantize}, {"from_real", from_real},           {"from_scales", from_scales}};
  for (const auto& o : operations) {
    if (std::strcmp(o.name, operation) == 0) return o.function(a);
  }
  nonlinear(a, operation);
}

}  // namespace

int main(int argc, char** argv) { return check::run_in_mode(argc, argv, run); }
