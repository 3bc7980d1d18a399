// Memory for the packed weights of one model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfeven::native {

// Weights are read once a run, from end to end: with large pages their reading does not wait for addresses. So they
// lie behind each other in large pieces, which the system is asked to map so. Pieces double, as a model turns out to
// be larger; what is not taken of the last one costs no memory.
class Pages {
 public:
  Pages() = default;
  ~Pages();
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // Zeroed bytes on a cache line, as long as this object lives. One caller at a time.
  std::uint8_t* take(std::size_t bytes);

 private:
  struct Piece {
    std::uint8_t* data;
    std::size_t size;
  };

  std::vector<Piece> pieces_;
  std::size_t taken_ = 0;  // of the last piece
};

}  // namespace halfeven::native
