// 16 channels and one tap at a time, widened to 16 bits: smlal sums them channel by channel. Where pixels follow each
// other under every tap, 16 bytes are taken whatever pixels they are of.
#include "kernels/depthwise/depthwise.h"
#include "kernels/unroll.h"
#include "kernels/vector/arm_codes_neon.h"

namespace halfeven::native {
namespace {

constexpr int group = 16;
constexpr std::int64_t most_taps = 64;  // of those with pointers kept beside each other

HALFEVEN_INLINE void add_tap(const std::uint8_t* x, const std::int8_t* w, Sixteen& sums) {
  const uint8x16_t codes = vld1q_u8(x);
  const int8x16_t weights = vld1q_s8(w);
  const int16x8_t x_low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
  const int16x8_t x_high = vreinterpretq_s16_u16(vmovl_high_u8(codes));
  const int16x8_t w_low = vmovl_s8(vget_low_s8(weights));
  const int16x8_t w_high = vmovl_high_s8(weights);
  sums.part[0] = vmlal_s16(sums.part[0], vget_low_s16(x_low), vget_low_s16(w_low));
  sums.part[1] = vmlal_high_s16(sums.part[1], x_low, w_low);
  sums.part[2] = vmlal_s16(sums.part[2], vget_low_s16(x_high), vget_low_s16(w_high));
  sums.part[3] = vmlal_high_s16(sums.part[3], x_high, w_high);
}

// `count` pixels from row `row` on that follow each other in memory.
void run_pixels(const DepthwiseTask& task, std::int64_t row, std::int64_t count) {
  const CodeVectors codes(task.rule);
  const std::uint8_t* x[most_taps];
  for (std::int64_t t = 0; t < task.taps; ++t) x[t] = task.input + task.offsets[t * task.offset_stride + row];
  const std::int64_t bytes = count * task.channels;
  const std::int64_t width = (task.channels + depthwise_width - 1) / depthwise_width * depthwise_width;
  std::int64_t vector = 0;
  for (std::int64_t i = 0; i < bytes; i += group) {
    const std::int8_t* w = task.weights + vector * task.taps * group;
    Sixteen sums;
    for (int v = 0; v < 4; ++v) sums.part[v] = vld1q_s32(task.bias + vector * group + 4 * v);
    for (std::int64_t t = 0; t < task.taps; ++t) add_tap(x[t] + i, w + t * group, sums);
    if (task.sums != nullptr) {
      std::int32_t* out = task.sums + (row - task.row_begin) * width + i;
      for (int v = 0; v < 4; ++v) vst1q_s32(out + 4 * v, sums.part[v]);
    } else {
      const uint8x16_t q = codes(rounded(sums, task.multiplier + vector * group));
      write_bytes(task.out + row * task.out_stride + i, q, bytes - i);
    }
    if (++vector == task.period) vector = 0;
  }
}

}  // namespace

void depthwise_u8_u8_neon(const DepthwiseTask& task) {
  for (std::int64_t row = task.row_begin; row < task.row_end;) {
    const std::int64_t count = depthwise_run(task, row);
    run_pixels(task, row, count);
    row += count;
  }
}

}  // namespace halfeven::native
