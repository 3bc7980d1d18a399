// Asks the caller, now and then, whether to give a run up.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace halfeven::native {

// Asked by the calling thread alone, between steps.
struct Interrupt {
  bool (*asked)(void* context) = nullptr;
  void* context = nullptr;
};

class Watch {
 public:
  explicit Watch(const Interrupt& interrupt)
      : interrupt_(interrupt), caller_(std::this_thread::get_id()), next_(Clock::now() + pause) {}

  // Whether the run is over. Called by every thread of the run before each step; soon false, mostly.
  bool stopped() {
    if (interrupt_.asked == nullptr) return false;
    if (stopped_.load(std::memory_order_relaxed)) return true;
    if (std::this_thread::get_id() != caller_ || Clock::now() < next_) return false;
    if (interrupt_.asked(interrupt_.context)) stopped_.store(true, std::memory_order_relaxed);
    next_ = Clock::now() + pause;
    return stopped_.load(std::memory_order_relaxed);
  }

  bool interrupted() const { return stopped_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto pause = std::chrono::milliseconds(50);  // to ask may mean to wait for a lock

  Interrupt interrupt_;
  std::thread::id caller_;
  Clock::time_point next_;
  std::atomic<bool> stopped_{false};
};

}  // namespace halfeven::native
