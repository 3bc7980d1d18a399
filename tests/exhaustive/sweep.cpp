// sweep MODE FROM TO OPERATION ...: the board headers on the inputs FROM..TO-1 against a table of steps from stdin.
//
//   quantize PROFILE STORAGE SCALE Z QMIN QMAX                  inputs are float32 bit patterns
//   requantize METHOD STORAGE M0 SHIFT BITS Z QMIN QMAX         inputs are acc + 2^31
//
// The table is int64: how many steps, where each starts, the code of each (step_table.py). Prints the number of
// differences, and of the first its input, its code and the one expected.
#include <algorithm>
#include <cinttypes>

#include "arguments.hpp"

using check::Arguments;
using halfeven::CodeRange;

namespace {

constexpr std::int64_t kBlock = 1 << 14;

struct Steps {
  std::vector<std::int64_t> starts, codes;

  static std::vector<std::int64_t> read(std::size_t n) {
    std::vector<std::int64_t> v(n);
    if (std::fread(v.data(), sizeof(std::int64_t), n, stdin) != n) check::fail("table", "stdin");
    return v;
  }

  static Steps from_stdin() {
    const auto n = static_cast<std::size_t>(read(1)[0]);
    Steps s{read(n), {}};
    s.codes = read(n);
    return s;
  }

  // The step that holds an input.
  std::size_t at(std::int64_t input) const {
    return static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), input) - starts.begin()) - 1;
  }

  std::int64_t end(std::size_t step, std::int64_t limit) const {
    return step + 1 < starts.size() && starts[step + 1] < limit ? starts[step + 1] : limit;
  }
};

struct Result {
  std::int64_t differences = 0, input = 0, got = 0, expected = 0;
};

template <class Code>
void compare(const Steps& steps, std::int64_t from, const std::vector<Code>& codes, std::int64_t size, Result& result) {
  std::size_t step = steps.at(from);
  for (std::int64_t i = from; i < from + size; ++step) {
    const auto expected = static_cast<Code>(steps.codes[step]);
    for (const std::int64_t end = steps.end(step, from + size); i < end; ++i) {
      const Code got = codes[static_cast<std::size_t>(i - from)];
      if (got == expected) continue;
      if (result.differences++ == 0) result = {1, i, got, expected};
    }
  }
}

// Calls apply(first input, how many, codes) for blocks of [from, to).
template <class Code, class Apply>
void sweep(std::int64_t from, std::int64_t to, const Apply& apply) {
  const Steps steps = Steps::from_stdin();
  std::vector<Code> codes(kBlock);
  Result r;
  for (std::int64_t i = from; i < to; i += kBlock) {
    const std::int64_t size = std::min(kBlock, to - i);
    apply(i, static_cast<std::size_t>(size), codes.data());
    compare(steps, i, codes, size, r);
  }
  std::printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", r.differences, r.input, r.got, r.expected);
}

void quantize(Arguments& a, std::int64_t from, std::int64_t to) {
  const halfeven::Profile& profile = check::profile_of(a.word());
  const char* storage = a.word();
  const float scale = a.real();
  const std::int32_t zero_point = a.int32();
  const halfeven::AffineParams p{scale, zero_point, a.range()};
  check::with_storage(storage, [&](auto code) {
    std::vector<float> x(kBlock);
    sweep<decltype(code)>(from, to, [&](std::int64_t first, std::size_t n, auto* out) {
      for (std::size_t k = 0; k < n; ++k)
        halfeven::store_bits(&x[k], static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(k));
      halfeven::quantize(x.data(), n, out, p, profile);
    });
  });
}

void requantize(Arguments& a, std::int64_t from, std::int64_t to) {
  const auto method = static_cast<halfeven::Requantize>(a.int32());
  const char* storage = a.word();
  const std::int64_t m0 = a.integer();
  const std::int32_t shift = a.int32(), bits = a.int32(), zero_point = a.int32();
  const halfeven::Multiplier m{m0, shift, bits};
  const CodeRange range = a.range();
  check::with_storage(storage, [&](auto code) {
    std::vector<std::int32_t> acc(kBlock);
    sweep<decltype(code)>(from, to, [&](std::int64_t first, std::size_t n, auto* out) {
      for (std::size_t k = 0; k < n; ++k)
        acc[k] = static_cast<std::int32_t>(first + static_cast<std::int64_t>(k) - (std::int64_t{1} << 31));
      halfeven::requantize(acc.data(), n, out, m, zero_point, range, method);
    });
  });
}

void run(Arguments& a) {
  const std::int64_t from = a.integer(), to = a.integer();
  const char* operation = a.word();
  if (std::strcmp(operation, "quantize") == 0) return quantize(a, from, to);
  if (std::strcmp(operation, "requantize") == 0) return requantize(a, from, to);
  check::fail("operation", operation);
}

}  // namespace

int main(int argc, char** argv) { return check::run_in_mode(argc, argv, run); }
