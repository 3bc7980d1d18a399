// A small pool: the caller works too, idle workers sleep, threads = 1 never creates one.
#pragma once

#include <cstdint>

namespace halfeven::native {

// A task: `run(context, item)` for each item in [0, items), each exactly once, in any order and on any thread.
struct Task {
  void (*run)(void* context, std::int64_t item);
  void* context;
  std::int64_t items;
};

// Runs the task on up to `threads` threads (the caller included) and returns when every item is done. A call from
// inside a task, or while another caller holds the workers, runs on the calling thread alone. Each participating thread
// runs in the default floating-point mode. What an item throws comes out of the call, the first of several, when all
// threads are done with the task; items not begun by then are left out.
void parallel_for(const Task& task, int threads);

template <class Body>
void parallel_for(std::int64_t items, int threads, Body& body) {
  parallel_for(Task{[](void* context, std::int64_t item) { (*static_cast<Body*>(context))(item); }, &body, items},
               threads);
}

// The most threads that a machine of this size has a use for: four a processor, 16 where that is more. Others would
// only wait for each other, and spin while they do.
int most_threads();

// The processors of the affinity mask; HALFEVEN_NUM_THREADS (a positive integer) overrides it. Never above
// most_threads(): an environment is set for hosts of any size, in a container's image say.
// Throws std::invalid_argument where that variable holds anything else.
int default_threads();

}  // namespace halfeven::native
