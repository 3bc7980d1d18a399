#include "engine/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
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

class Job {
 public:
  Job(const Task& task, std::span<Share> shares) : task_(task), shares_(shares) {
    for (std::size_t i = 0; i < shares_.size(); ++i) {
      shares_[i].next = begin_of(i);
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
    for (;;) {
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

// Waiting awake costs a processor, parking costs two switches: the former only for about as long as the latter.
template <class Condition>
void spin_while(const Condition& waiting) {
  constexpr auto patience = std::chrono::microseconds(100);
  constexpr int between_looks = 64;
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < between_looks; ++i) {
      if (!waiting()) return;
      relax();
    }
  } while (std::chrono::steady_clock::now() - begin < patience);
}

// Never destroyed: parked workers may outlive every static object at the exit of the process.
class Pool {
 public:
  bool try_run(const Task& task, int threads) {
    const std::unique_lock<std::mutex> submission(submission_, std::try_to_lock);
    if (!submission.owns_lock()) return false;
    const int helpers = ensure_workers(threads - 1);
    Job job(task, shares(helpers + 1));
    open(job, helpers);
    job.work(0);
    close();
    job.rethrow();
    return true;
  }

 private:
  // Kept from job to job, so that no job allocates.
  std::span<Share> shares(int threads) {
    const auto count = static_cast<std::size_t>(threads);
    if (count > shares_size_) {
      shares_ = std::make_unique<Share[]>(count);
      shares_size_ = count;
    }
    return {shares_.get(), count};
  }

  int ensure_workers(int wanted) {
    try {
      while (workers_ < wanted) {
        std::thread([this] { serve(); }).detach();
        ++workers_;
      }
    } catch (const std::system_error&) {
      // No more threads to be had: fewer give the same answer.
    }
    return std::min(workers_, wanted);
  }

  void open(Job& job, int helpers) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      job_ = &job;
      seats_ = helpers;
      taken_ = 0;
      epoch_.fetch_add(1, std::memory_order_release);
    }
    if (helpers == 1) {
      wake_.notify_one();
    } else {
      wake_.notify_all();
    }
  }

  // No worker enters a job once its caller ran out of items; those inside are waited for.
  void close() {
    std::unique_lock<std::mutex> lock(mutex_);
    job_ = nullptr;
    if (working_ == 0) return;
    lock.unlock();
    spin_while([this] { return working_.load(std::memory_order_acquire) != 0; });
    lock.lock();
    done_.wait(lock, [this] { return working_ == 0; });
  }

  [[noreturn]] void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (job_ == nullptr || taken_ >= seats_) {  // the next job is often near: spin before parking
        const std::uint64_t seen = epoch_.load(std::memory_order_relaxed);
        lock.unlock();
        spin_while([this, seen] { return epoch_.load(std::memory_order_acquire) == seen; });
        lock.lock();
      }
      wake_.wait(lock, [this] { return job_ != nullptr && taken_ < seats_; });
      Job& job = *job_;
      const std::size_t self = static_cast<std::size_t>(++taken_);
      ++working_;
      lock.unlock();
      job.work(self);
      lock.lock();
      if (--working_ == 0) done_.notify_one();
    }
  }

  std::mutex submission_;  // one job at a time
  std::mutex mutex_;       // guards what follows but workers_, which the submission guards
  std::condition_variable wake_;
  std::condition_variable done_;
  Job* job_ = nullptr;
  int seats_ = 0;
  int taken_ = 0;
  std::atomic<int> working_{0};          // written under the lock
  std::atomic<std::uint64_t> epoch_{0};  // jobs opened so far; written under the lock
  int workers_ = 0;
  std::unique_ptr<Share[]> shares_;  // guarded by the submission
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

int default_threads() {
  const char* text = std::getenv("HALFEVEN_NUM_THREADS");
  if (text == nullptr || *text == '\0') return available_processors();
  const std::string_view view(text);
  int value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error == std::errc() && end == view.data() + view.size() && value >= 1) return value;
  throw std::invalid_argument("HALFEVEN_NUM_THREADS is '" + std::string(view) +
                              "', expected a positive integer; unset it or give one");
}

}  // namespace halfeven::native
