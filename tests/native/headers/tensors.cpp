// tensors MODE OPERATION ...: quantize and dequantize of a whole tensor, padded in memory as boards do.
//
//   quantize PROFILE STORAGE QMIN QMAX AXIS COUNT SHAPE...   COUNT scales, COUNT zero points, float32 -> codes
//   dequantize STORAGE QMIN QMAX AXIS COUNT SHAPE...         COUNT scales, COUNT zero points, codes -> float32
//   pack                                                     4-bit codes in int8 -> bytes
//
// Numbers come from stdin and go to stdout, dense and in C order; in between they lie in buffers with padded rows.
#include "arguments.hpp"

using check::Arguments;
using halfeven::Status;
using halfeven::TensorParams;
using halfeven::TensorView;

namespace {

template <class T>
std::vector<T> read_numbers(std::size_t n) {
  std::vector<T> v(n);
  if (std::fread(v.data(), sizeof(T), n, stdin) != n) check::fail("number", "end of input");
  return v;
}

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  TensorParams params;
  std::size_t elements = 1;
};

Tensor read_tensor(Arguments& a) {
  Tensor t;
  t.params.range = a.range();
  t.params.axis = a.int32();
  t.params.scale_count = t.params.zero_point_count = a.integer();
  while (a.next < a.end) {
    t.shape.push_back(a.integer());
    t.elements *= static_cast<std::size_t>(t.shape.back());
  }
  t.scale = read_numbers<float>(static_cast<std::size_t>(t.params.scale_count));
  t.zero_point = read_numbers<std::int32_t>(t.scale.size());
  t.params.scale = t.scale.data();
  t.params.zero_point = t.zero_point.data();
  return t;
}

// A buffer whose rows are padded to a multiple of 16 elements and one more.
template <class T>
struct Padded {
  std::vector<T> storage;
  TensorView<T> view;

  explicit Padded(const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> stride(shape.size());
    std::int64_t step = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
      stride[d] = step * static_cast<std::int64_t>(sizeof(T));
      step *= shape[d];
      if (d + 1 == shape.size()) step = (step + 15) / 16 * 16 + 1;
    }
    storage.resize(static_cast<std::size_t>(step));
    view = halfeven::view(storage.data(), static_cast<int>(shape.size()), shape.data(), stride.data(),
                          storage.size() * sizeof(T));
  }

  // Calls f(element) in C order.
  template <class F>
  void each(F f) {
    std::int64_t index[halfeven::kMaxRank] = {};
    for (int d = 0; d >= 0;) {
      std::int64_t bytes = 0;
      for (int k = 0; k < view.rank; ++k) bytes += index[k] * view.stride[k];
      f(storage[static_cast<std::size_t>(bytes) / sizeof(T)]);
      for (d = view.rank - 1; d >= 0 && ++index[d] == view.shape[d]; --d) index[d] = 0;
    }
  }
};

// Reads In, applies f(in, out), writes Out.
template <class In, class Out, class F>
void apply(const Tensor& t, F f) {
  Padded<In> in(t.shape);
  Padded<Out> out(t.shape);
  const std::vector<In> numbers = read_numbers<In>(t.elements);
  std::size_t i = 0;
  in.each([&](In& v) { std::memcpy(&v, &numbers[i++], sizeof v); });
  const Status status = f(in.view, out.view);
  if (status != Status::kOk) check::fail("answer but", halfeven::message(status));
  out.each([](const Out& v) { std::fwrite(&v, sizeof v, 1, stdout); });
}

void quantize(Arguments& a) {
  const halfeven::Profile& profile = check::profile_of(a.word());
  check::with_storage(a.word(), [&](auto code) {
    const Tensor t = read_tensor(a);
    apply<float, decltype(code)>(t,
                                 [&](auto& in, auto& out) { return halfeven::quantize(in, out, t.params, profile); });
  });
}

void dequantize(Arguments& a) {
  check::with_storage(a.word(), [&](auto code) {
    const Tensor t = read_tensor(a);
    apply<decltype(code), float>(t, [&](auto& in, auto& out) { return halfeven::dequantize(in, out, t.params); });
  });
}

void pack() {
  std::vector<std::int8_t> codes;
  for (int c = 0; (c = std::getchar()) != EOF;) codes.push_back(static_cast<std::int8_t>(c));
  std::vector<std::uint8_t> packed((codes.size() + 1) / 2);
  halfeven::pack_int4(codes.data(), codes.size(), packed.data());
  std::fwrite(packed.data(), 1, packed.size(), stdout);
}

void run(Arguments& a) {
  const char* operation = a.word();
  if (std::strcmp(operation, "quantize") == 0) return quantize(a);
  if (std::strcmp(operation, "dequantize") == 0) return dequantize(a);
  if (std::strcmp(operation, "pack") == 0) return pack();
  check::fail("operation", operation);
}

}  // namespace

int main(int argc, char** argv) { return check::run_in_mode(argc, argv, run); }
