// Tiles of AMX: their configuration, and where the rows of one are. In an unnamed namespace, see vector/.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/igemm/igemm.h"
#include "kernels/unroll.h"

namespace halfeven::native {
namespace {

constexpr int tile_rows = 16;                                   // at most
constexpr int block_rows = 2 * tile_rows;                       // at most
constexpr int block_columns = 2 * igemm_lanes;                  // at most, as in a panel
constexpr std::int64_t sums_stride = block_columns * 4;         // bytes
constexpr int sums_tiles = 0, row_tiles = 4, weight_tiles = 6;  // their first numbers

// The compiler sees what the tile instructions read neither of the configuration nor of memory.
HALFEVEN_INLINE void memory_as_written(const void* p) {
#if defined(__GNUC__)
  asm volatile("" : : "r"(p) : "memory");
#else
  static_cast<void>(p);
#endif
}

// Tiles of so many rows and bytes of depth, for a scope.
class Tiles {
 public:
  Tiles(int rows, std::int64_t depth) {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    static_assert(sizeof(config) == 64);
    for (int t = sums_tiles; t < weight_tiles; ++t) {
      config.row_bytes[t] = static_cast<std::uint16_t>(t < row_tiles ? 64 : depth);
      config.rows[t] = static_cast<std::uint8_t>(rows);
    }
    for (int t = weight_tiles; t < weight_tiles + 2; ++t) {
      config.row_bytes[t] = 64;
      config.rows[t] = static_cast<std::uint8_t>(depth / igemm_step);
    }
    memory_as_written(&config);
    _tile_loadconfig(&config);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// A tile of rows of the input: its first, and the bytes from one to the next.
struct TileRows {
  const std::uint8_t* x;
  std::int64_t stride;
};

// How `count` rows are cut into tiles of the same size, two to a block where there are more than a tile holds. The
// last begin earlier rather than reach beyond: some rows are multiplied twice, and written once.
struct TileCut {
  explicit TileCut(std::int64_t rows)
      : count(rows),
        blocks((rows + block_rows - 1) / block_rows),
        halves(rows > tile_rows ? 2 : 1),
        half(static_cast<int>((rows + blocks * halves - 1) / (blocks * halves))) {}
  // Tiles of so many rows, a multiple of which there are.
  TileCut(std::int64_t rows, int tile)
      : count(rows), blocks((rows + 2 * tile - 1) / (2 * tile)), halves(rows > tile ? 2 : 1), half(tile) {}

  std::int64_t tiles() const { return blocks * halves; }
  std::int64_t first(std::int64_t tile) const { return tile * half < count - half ? tile * half : count - half; }

  // Rows of a tile that the one before has written.
  int skipped(std::int64_t tile) const {
    const std::int64_t rows = tile * half - first(tile);
    return rows < half ? static_cast<int>(rows) : half;
  }

  std::int64_t count;
  std::int64_t blocks;
  int halves;  // of a block
  int half;    // rows
};

}  // namespace
}  // namespace halfeven::native
