#include "engine/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "engine/float_environment.h"

namespace halfeven::native {
namespace {

// Inside a task: a nested call must not wait for the workers that it runs on.
thread_local bool inside_task = false;

// One thread's own part of the items. It takes them in order; others take what is left once theirs is done.
struct alignas(64) Share {
  std::atomic<std::int64_t> next{0};
  std::int64_t end = 0;
};

// One call of parallel_for, on the stack of its caller; on one cache line, which is all that a worker asks of its core.
class alignas(64) Job {
 public:
  Job(const Task& task, std::span<Share> shares) : task_(task), shares_(shares) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      shares_[i].next.store(begin_of(i), std::memory_order_relaxed);
      shares_[i].end = begin_of(i + 1);
    }
  }

  void work(std::size_t self) {
    const FloatEnvironment environment;
    inside_task = true;
    for (std::size_t i = 0; i < shares_.size(); ++i) drain(shares_[(self + i) % shares_.size()]);
    inside_task = false;
  }

  // What the first item that failed threw. Called when no thread works on the job any more.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::int64_t begin_of(std::size_t share) const {
    const std::int64_t count = static_cast<std::int64_t>(shares_.size());
    const std::int64_t i = static_cast<std::int64_t>(share);
    return task_.items / count * i + std::min(task_.items % count, i);
  }

  void drain(Share& share) {
    while (share.next.load(std::memory_order_relaxed) < share.end) {  // a look leaves the line with its owner
      const std::int64_t item = share.next.fetch_add(1, std::memory_order_relaxed);
      if (item >= share.end || failed_.load(std::memory_order_relaxed)) return;
      try {
        task_.run(task_.context, item);
      } catch (...) {  // out of a thread it would end the process
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
  }

  const Task task_;
  const std::span<Share> shares_;
  std::atomic<bool> failed_{false};  // items not yet begun are left out
  std::exception_ptr error_;
};

// Tells the processor that this is a loop of waiting.
void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  asm volatile("yield");
#endif
}

// Where one thread waits: awake for about as long as parking takes, which costs two switches, then parked.
class Parking {
 public:
  // Returns once `waiting()` is false. Whoever makes it so, by a sequentially consistent write, calls wake() behind it.
  template <class Condition>
  void wait_while(const Condition& waiting) {
    if (!spin_while(waiting)) return;
    for (;;) {
      parked_.store(1);
      if (!waiting()) break;
      parked_.wait(1);
    }
    parked_.store(0);
  }

  void wake() {
    if (parked_.load() == 0) return;
    parked_.store(0);
    parked_.notify_one();
  }

 private:
  // Whether it still is to be waited for.
  template <class Condition>
  static bool spin_while(const Condition& waiting) {
    constexpr auto patience = std::chrono::microseconds(100);
    constexpr int between_looks = 64;
    const auto begin = std::chrono::steady_clock::now();
    do {
      for (int i = 0; i < between_looks; ++i) {
        if (!waiting()) return false;
        relax();
      }
    } while (std::chrono::steady_clock::now() - begin < patience);
    return true;
  }

  std::atomic<std::uint32_t> parked_{0};
};

// Which job is open, for how many workers, and how many of them are inside: in one word, so that a worker comes in only
// while it is open, and whoever closes it knows for whom to wait.
class Gate {
 public:
  struct State {
    std::uint64_t word;

    std::uint64_t epoch() const { return word >> 32; }  // of the job: jobs opened so far
    std::uint64_t seats() const { return word >> 16 & most_seats; }
    std::uint64_t inside() const { return word & most_seats; }
  };

  static constexpr std::uint64_t most_seats = 0xffff;

  State state() const { return {word_.load()}; }
  // Called when the job before is closed and left.
  void open(std::uint64_t seats) { word_.store((state().epoch() + 1) << 32 | seats << 16); }
  // No worker comes in any more.
  void close() { word_.fetch_and(~(most_seats << 16)); }
  bool enter(State seen) { return word_.compare_exchange_strong(seen.word, seen.word + 1); }
  // Whether it was the last.
  bool leave() { return State{word_.fetch_sub(1)}.inside() == 1; }

 private:
  std::atomic<std::uint64_t> word_{0};
};

// Worker k does the k-th part of every job, as long as it comes in time: what one layer left in its core's caches, the
// next finds there. Never destroyed: parked workers may outlive every static object at the exit of the process.
class Pool {
 public:
  bool try_run(const Task& task, int threads) {
    const std::unique_lock<std::mutex> submission(submission_, std::try_to_lock);
    if (!submission.owns_lock()) return false;
    const std::size_t helpers = ensure_workers(static_cast<std::size_t>(threads - 1));
    Job job(task, shares(helpers + 1));
    job_ = &job;
    gate_.open(helpers);
    for (std::size_t i = 0; i < helpers; ++i) workers_[i]->wake();
    job.work(0);
    gate_.close();
    caller_.wait_while([this] { return gate_.state().inside() != 0; });
    job.rethrow();
    return true;
  }

 private:
  // Kept from job to job, so that no job allocates.
  std::span<Share> shares(std::size_t threads) {
    if (threads > shares_size_) {
      shares_ = std::make_unique<Share[]>(threads);
      shares_size_ = threads;
    }
    return {shares_.get(), threads};
  }

  std::size_t ensure_workers(std::size_t wanted) {
    wanted = std::min<std::size_t>(wanted, Gate::most_seats);
    try {
      while (workers_.size() < wanted) {
        workers_.push_back(std::make_unique<Parking>());
        Parking& parking = *workers_.back();
        const std::uint64_t number = workers_.size();
        try {
          std::thread([this, &parking, number] { serve(parking, number); }).detach();
        } catch (...) {
          workers_.pop_back();
          throw;
        }
      }
    } catch (const std::system_error&) {
      // No more threads to be had: fewer give the same answer.
    }
    return std::min(workers_.size(), wanted);
  }

  [[noreturn]] void serve(Parking& parking, std::uint64_t number) {
    std::uint64_t done = 0;  // the last job that it was in
    Gate::State seen{};
    for (;;) {
      parking.wait_while([&] {
        seen = gate_.state();
        return seen.epoch() == done || seen.seats() < number;
      });
      if (!gate_.enter(seen)) continue;
      done = seen.epoch();
      job_->work(number);
      if (gate_.leave()) caller_.wake();
    }
  }

  alignas(64) Gate gate_;
  Job* job_ = nullptr;  // written while the gate is closed and nobody inside
  Parking caller_;
  alignas(64) std::mutex submission_;  // one job at a time; guards what follows
  std::vector<std::unique_ptr<Parking>> workers_;
  std::unique_ptr<Share[]> shares_;
  std::size_t shares_size_ = 0;
};

std::atomic<Pool*> current{nullptr};

// A child process has none of its parent's workers, and its locks may be held by threads that it does not have.
void forget_pool() { current.store(nullptr); }

Pool& pool() {
  Pool* found = current.load();
  if (found != nullptr) return *found;
#if !defined(_WIN32)
  static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
  static_cast<void>(registered);
#endif
  Pool* fresh = new Pool;
  if (current.compare_exchange_strong(found, fresh)) return *fresh;
  delete fresh;
  return *found;
}

int available_processors() {
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) return std::max(1, CPU_COUNT(&mask));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

void parallel_for(const Task& task, int threads) {
  const std::int64_t useful = std::min<std::int64_t>(threads, task.items);
  if (useful > 1 && !inside_task && pool().try_run(task, static_cast<int>(useful))) return;
  const FloatEnvironment environment;
  for (std::int64_t item = 0; item < task.items; ++item) task.run(task.context, item);
}

int most_threads() { return std::max(16, 4 * static_cast<int>(std::thread::hardware_concurrency())); }

int default_threads() {
  const char* text = std::getenv("HALFEVEN_NUM_THREADS");
  if (text == nullptr || *text == '\0') return std::min(available_processors(), most_threads());
  const std::string_view view(text);
  int value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  const bool whole = end == view.data() + view.size();
  if (whole && error == std::errc::result_out_of_range && view.front() != '-') return most_threads();
  if (whole && error == std::errc() && value >= 1) return std::min(value, most_threads());
  throw std::invalid_argument("HALFEVEN_NUM_THREADS is '" + std::string(view) +
                              "', expected a positive integer; unset it or give one");
}

}  // namespace halfeven::native
