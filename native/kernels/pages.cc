#include "kernels/pages.h"

#include <algorithm>
#include <cstring>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace halfeven::native {
namespace {

constexpr std::size_t line = 64;
constexpr std::size_t large_page = std::size_t{2} << 20;
constexpr std::size_t least_piece = std::size_t{64} << 10;
constexpr std::size_t most_ahead = std::size_t{32} << 20;  // taken of the system before it is needed

std::size_t rounded(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

std::align_val_t alignment_of(std::size_t size) { return std::align_val_t{size < large_page ? line : large_page}; }

}  // namespace

Pages::~Pages() {
  for (const Piece& piece : pieces_) ::operator delete(piece.data, alignment_of(piece.size));
}

std::uint8_t* Pages::take(std::size_t bytes) {
  const std::size_t wanted = rounded(bytes, line);
  if (pieces_.empty() || pieces_.back().size - taken_ < wanted) {
    const std::size_t before = pieces_.empty() ? 0 : pieces_.back().size;
    std::size_t size = std::max({wanted, least_piece, std::min(2 * before, most_ahead)});
    if (size > large_page / 2) size = rounded(size, large_page);
    pieces_.reserve(pieces_.size() + 1);
    auto* data = static_cast<std::uint8_t*>(::operator new(size, alignment_of(size)));
#if defined(__linux__)
    if (size >= large_page) static_cast<void>(madvise(data, size, MADV_HUGEPAGE));  // a wish: pages stay small without
#endif
    pieces_.push_back({data, size});
    taken_ = 0;
  }
  std::uint8_t* found = pieces_.back().data + taken_;
  taken_ += wanted;
  std::memset(found, 0, wanted);
  return found;
}

}  // namespace halfeven::native
