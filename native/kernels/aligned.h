// Zeroed bytes on cache-line boundaries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace halfeven::native {

class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t size)
      : data_(static_cast<std::uint8_t*>(::operator new(size, std::align_val_t{alignment}))), size_(size) {
    std::memset(data_, 0, size);
  }
  ~AlignedBytes() { ::operator delete(data_, std::align_val_t{alignment}); }
  AlignedBytes(AlignedBytes&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
    other.size_ = 0;
  }
  AlignedBytes& operator=(AlignedBytes&& other) noexcept {
    std::uint8_t* data = data_;
    data_ = other.data_;
    other.data_ = data;
    const std::size_t size = size_;
    size_ = other.size_;
    other.size_ = size;
    return *this;
  }

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t alignment = 64;

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace halfeven::native
