// Weights as the kernels read them: packed once, shared by every plan of a model.
#include "kernels/depthwise/weights.h"

#include <nanobind/stl/shared_ptr.h>

#include <memory>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/plan_handle.h"
#include "engine/cpu.h"
#include "kernels/igemm/weights.h"
#include "kernels/planes/planes.h"
#include "kernels/wgemm/weights.h"
#include "kernels/winograd/weights.h"

namespace halfeven::bindings {
namespace {

using Codes = nb::ndarray<const std::int8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

native::ProductWeights product_weights(const Codes& codes, std::int64_t taps, std::int64_t channels,
                                       const Parameters<std::int32_t>& bias, const Parameters<double>& multiplier) {
  return {{codes.data(), codes.size()}, static_cast<std::int64_t>(bias.size()), taps, channels, span_of(bias),
          span_of(multiplier)};
}

void new_product_weights(native::PackedWeights* self, const Codes& codes, std::int64_t taps, std::int64_t channels,
                         const Parameters<std::int32_t>& bias, const Parameters<double>& multiplier,
                         std::shared_ptr<native::Pages> pages, int isa) {
  new (self) native::PackedWeights(product_weights(codes, taps, channels, bias, multiplier),
                                   native::isa_from_index(isa), std::move(pages));
}

void new_winograd_weights(native::WinogradWeights* self, const Codes& codes, std::int64_t taps, std::int64_t channels,
                          const Parameters<std::int32_t>& bias, const Parameters<double>& multiplier, int isa) {
  new (self)
      native::WinogradWeights(product_weights(codes, taps, channels, bias, multiplier), native::isa_from_index(isa));
}

using WideCodes = nb::ndarray<const std::int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void new_wide_weights(native::WideWeights* self, const WideCodes& codes, std::int64_t taps, std::int64_t channels,
                      const Parameters<std::int64_t>& bias, int bits, bool depthwise, int isa) {
  const native::WideProductWeights weights{{codes.data(), codes.size()},
                                           static_cast<std::int64_t>(bias.size()),
                                           taps,
                                           channels,
                                           span_of(bias),
                                           bits,
                                           depthwise};
  new (self) native::WideWeights(weights, native::isa_from_index(isa));
}

void new_depthwise_weights(native::DepthwiseWeights* self, const Codes& codes, std::int64_t taps,
                           const Parameters<std::int32_t>& bias, const Parameters<double>& multiplier, int isa) {
  new (self) native::DepthwiseWeights({codes.data(), codes.size()}, span_of(bias), span_of(multiplier), taps,
                                      native::isa_from_index(isa));
}

}  // namespace

void bind_weights(nb::module_& m) {
  using nb::arg;
  nb::class_<native::Pages>(m, "Pages", "Memory for packed weights: large pages, where the system has them.")
      .def(nb::init<>());
  nb::class_<native::PackedWeights>(m, "ProductWeights", "Weights of a product, packed for an instruction set.")
      .def("__init__", &new_product_weights, arg("codes"), arg("taps"), arg("channels"), arg("bias"), arg("multiplier"),
           arg("pages"), arg("isa") = -1)
      .def_static(
          "tiles", [](int isa) { return native::igemm_format(native::isa_from_index(isa)).tiles; }, arg("isa") = -1)
      .def_static(
          "by_planes", [](int isa) { return native::planes_kernel(native::isa_from_index(isa)) != nullptr; },
          arg("isa") = -1, "Whether the instruction set multiplies words by these weights, as two planes of bytes.")
      .def_prop_ro("nbytes", &native::PackedWeights::bytes);
  nb::class_<native::WinogradWeights>(m, "WinogradWeights", "Weights of a 3x3 convolution, transformed for tiles.")
      .def("__init__", &new_winograd_weights, arg("codes"), arg("taps"), arg("channels"), arg("bias"),
           arg("multiplier"), arg("isa") = -1)
      .def_static(
          "fit",
          [](const Codes& codes, std::int64_t columns, int isa) {
            return native::winograd_kernel(native::isa_from_index(isa)) != nullptr &&
                   native::winograd_fits({codes.data(), codes.size()}, columns);
          },
          arg("codes"), arg("columns"), arg("isa") = -1,
          "Whether the instruction set has a kernel for tiles, and sums stay where it is exact.")
      .def_prop_ro("nbytes", &native::WinogradWeights::bytes);
  nb::class_<native::DepthwiseWeights>(m, "DepthwiseWeights", "Weights of a depthwise convolution, packed.")
      .def("__init__", &new_depthwise_weights, arg("codes"), arg("taps"), arg("bias"), arg("multiplier"),
           arg("isa") = -1)
      .def_prop_ro("nbytes", &native::DepthwiseWeights::bytes);
  nb::class_<native::WideWeights>(m, "WideWeights", "Weights of a product of 16-bit codes, packed.")
      .def("__init__", &new_wide_weights, arg("codes"), arg("taps"), arg("channels"), arg("bias"), arg("bits"),
           arg("depthwise"), arg("isa") = -1)
      .def_prop_ro("nbytes", &native::WideWeights::bytes);
}

}  // namespace halfeven::bindings
