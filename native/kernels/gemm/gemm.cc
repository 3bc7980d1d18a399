#include "kernels/gemm/gemm.h"

#include <algorithm>

#include "kernels/eltwise/codes.h"
#include "kernels/gemm/operands.h"
#include "kernels/gemm/sums.h"
#include "kernels/scratch.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t tile_rows = 32;
constexpr std::int64_t tile_columns = 128;
constexpr std::int64_t pack_square = 32;

CenteredRange range_of(const Matrices& m) {
  const auto [lo, hi] = std::minmax_element(m.zero_point.begin(), m.zero_point.end());
  return centered_range(m.type, *lo, *hi);
}

std::int64_t zero_point_of(const Matrices& m, std::int64_t column) {
  return m.zero_point[m.zero_point.size() == 1 ? 0 : static_cast<std::size_t>(column)];
}

// T: the type of packed operands. Both sides become rows of `stride` elements, zeros behind the depth.
template <class T>
class Product {
 public:
  Product(const Gemm& task, const Operands& operands, const RowWriter& writer, void* y, Room room)
      : task_(task),
        operands_(operands),
        writer_(writer),
        y_(y),
        stride_(padded_depth(task.depth)),
        left_(room.take<T>(left_size(task))),
        right_(room.take<T>(right_size(task))) {}

  static std::int64_t workspace(const Gemm& task) {
    return Room::bytes<T>(left_size(task)) + Room::bytes<T>(right_size(task));
  }

  void run(const Parallel& parallel) {
    parallel(task_.a.count * task_.rows, [this](std::int64_t row) { pack_left(row); });
    const std::int64_t blocks = ceil_div(task_.columns, pack_square);
    parallel(task_.b.count * blocks,
             [this, blocks](std::int64_t i) { pack_right(i / blocks, i % blocks * pack_square); });
    const std::int64_t across = ceil_div(task_.columns, tile_columns);
    const std::int64_t down = ceil_div(task_.rows, tile_rows);
    parallel(static_cast<std::int64_t>(task_.a_index.size()) * down * across, [=, this](std::int64_t i) {
      multiply(i / across / down, i / across % down * tile_rows, i % across * tile_columns);
    });
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
  static std::int64_t left_size(const Gemm& task) { return task.a.count * task.rows * padded_depth(task.depth); }
  static std::int64_t right_size(const Gemm& task) { return task.b.count * task.columns * padded_depth(task.depth); }

  void pack_left(std::int64_t row) {
    T* out = left_ + row * stride_;
    center(task_.a.type, at(task_.a.codes, task_.a.type, row * task_.depth), 1, task_.depth, zero_point_of(task_.a, 0),
           out);
    std::fill(out + task_.depth, out + stride_, T{0});
  }

  // Transposes the columns from `first` on, in squares that the first cache holds.
  void pack_right(std::int64_t matrix, std::int64_t first) {
    const std::int64_t count = std::min(pack_square, task_.columns - first);
    T* out = right_ + (matrix * task_.columns + first) * stride_;
    const std::int64_t begin = matrix * task_.depth * task_.columns + first;
    for (std::int64_t k = 0; k < task_.depth; k += pack_square) {
      const std::int64_t rows = std::min(pack_square, task_.depth - k);
      const void* in = at(task_.b.codes, task_.b.type, begin + k * task_.columns);
      for (std::int64_t n = 0; n < count; ++n) {
        center(task_.b.type, at(in, task_.b.type, n), task_.columns, rows, zero_point_of(task_.b, first + n),
               out + n * stride_ + k);
      }
    }
    for (std::int64_t n = 0; n < count; ++n) {
      std::fill(out + n * stride_ + task_.depth, out + (n + 1) * stride_, T{0});
    }
  }

  void multiply(std::int64_t matrix, std::int64_t row, std::int64_t column) {
    const std::int64_t rows = std::min(tile_rows, task_.rows - row);
    const std::int64_t columns = std::min(tile_columns, task_.columns - column);
    const void* left[tile_rows];
    const void* right[tile_columns];
    std::int64_t sums[tile_rows * tile_columns];
    const T* a = left_ + (task_.a_index[size(matrix)] * task_.rows + row) * stride_;
    const T* b = right_ + (task_.b_index[size(matrix)] * task_.columns + column) * stride_;
    for (std::int64_t i = 0; i < rows; ++i) left[i] = a + i * stride_;
    for (std::int64_t j = 0; j < columns; ++j) right[j] = b + j * stride_;
    operands_.kernel({left, rows, right, columns, stride_, operands_.block, sums, tile_columns});
    std::int32_t narrow[tile_columns];
    const std::int64_t* bias = task_.bias.empty() ? nullptr : task_.bias.data() + column;
    for (std::int64_t i = 0; i < rows; ++i) {
      const void* acc = add_bias(sums + i * tile_columns, columns, bias, 1, writer_.acc_type(), narrow);
      const std::int64_t first = (matrix * task_.rows + row + i) * task_.columns + column;
      writer_.write_channels(acc, columns, column, at(y_, writer_.out_type(), first));
    }
  }

  const Gemm& task_;
  const Operands& operands_;
  const RowWriter& writer_;
  void* y_;
  std::int64_t stride_;
  T* left_;
  T* right_;
};

Operands operands_of(const Gemm& task) {
  return {range_of(task.a), range_of(task.b), padded_depth(task.depth), task.isa};
}

}  // namespace

std::int64_t gemm_workspace(const Gemm& task) {
  return operands_of(task).type == Type::s16 ? Product<std::int16_t>::workspace(task)
                                             : Product<std::int32_t>::workspace(task);
}

void gemm(const Gemm& task, const RowWriter& writer, void* y, void* workspace, const Parallel& parallel) {
  const Operands operands = operands_of(task);
  if (operands.type == Type::s16) {
    Product<std::int16_t>(task, operands, writer, y, Room(workspace)).run(parallel);
  } else {
    Product<std::int32_t>(task, operands, writer, y, Room(workspace)).run(parallel);
  }
}

}  // namespace halfeven::native
