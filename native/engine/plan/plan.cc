#include "engine/plan/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "engine/float_environment.h"
#include "engine/plan/code_table.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t alignment = 64;
constexpr std::int64_t slack = 64;       // so that kernels may load whole vectors at a tensor's end
constexpr std::size_t kept_arenas = 32;  // as many as ever ran at once, within reason

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

TensorId Plan::tensor(std::int64_t bytes) {
  const std::int64_t room = (bytes + slack + alignment - 1) / alignment * alignment;
  tensors_.push_back({room, -1, -1, {}, -1});
  return static_cast<TensorId>(tensors_.size() - 1);
}

TensorId Plan::constant(std::span<const std::uint8_t> bytes) {
  const TensorId id = tensor(std::ssize(bytes));
  tensors_.back().content.assign(bytes.begin(), bytes.end());
  return id;
}

void Plan::add(std::unique_ptr<Step> step) { steps_.push_back(std::move(step)); }

std::vector<std::int64_t> Plan::follow_with(TensorId made, std::span<const std::uint8_t, 256> table) {
  std::vector<std::int64_t> writers;
  for (std::int64_t k = 0; k < steps(); ++k) {
    Step& step = *steps_[size(k)];
    const std::vector<TensorId> read = step.reads();
    const std::vector<TensorId> written = step.writes();
    if (std::count(read.begin(), read.end(), made) > 0) return {};
    if (std::count(written.begin(), written.end(), made) == 0) continue;
    if (step.then() == nullptr) return {};
    writers.push_back(k);
  }
  for (const std::int64_t k : writers) steps_[size(k)]->then()->follow_with(table);
  return writers;
}

std::int32_t Plan::input(std::int64_t bytes) {
  input_bytes_.push_back(bytes);
  return static_cast<std::int32_t>(input_bytes_.size() - 1);
}

std::int32_t Plan::output(std::int64_t bytes) {
  output_bytes_.push_back(bytes);
  return static_cast<std::int32_t>(output_bytes_.size() - 1);
}

void Plan::find_lifetimes() {
  for (std::int64_t k = 0; k < steps(); ++k) {
    const Step& step = *steps_[size(k)];
    for (const auto& ids : {step.reads(), step.writes()}) {
      for (const TensorId id : ids) {
        Tensor& tensor = tensors_[size(id)];
        if (tensor.first < 0) tensor.first = k;
        tensor.last = k;
      }
    }
  }
  for (Tensor& tensor : tensors_) {
    if (!tensor.content.empty()) {
      tensor.first = 0;
      tensor.last = steps();
    }
  }
}

// A result takes the place of a tensor that nothing reads later: memory, and the cache, hold one instead of two.
void Plan::write_over() {
  for (std::int64_t k = 0; k < steps(); ++k) {
    const Step& step = *steps_[size(k)];
    if (step.written_over() < 0) continue;
    TensorId old = step.written_over();
    const TensorId made = step.writes().front();
    const std::vector<TensorId> read = step.reads();
    const bool once = std::count(read.begin(), read.end(), old) == 1;
    Tensor& result = tensors_[size(made)];
    const Tensor& operand = tensors_[size(old)];
    const bool dies = operand.last == k && operand.content.empty();
    if (!once || !dies || result.first != k || result.bytes != operand.bytes) continue;
    while (tensors_[size(old)].over >= 0) old = tensors_[size(old)].over;
    result.over = old;
    tensors_[size(old)].last = result.last;
  }
}

// Largest first, each at the lowest place that none of those it lives beside takes.
void Plan::lay_out() {
  std::vector<std::size_t> order(tensors_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [this](std::size_t a, std::size_t b) { return tensors_[a].bytes > tensors_[b].bytes; });
  places_.assign(tensors_.size(), 0);
  std::vector<std::size_t> placed;  // by place
  for (const std::size_t id : order) {
    const Tensor& tensor = tensors_[id];
    if (tensor.first < 0 || tensor.over >= 0) continue;
    std::int64_t place = 0;
    for (const std::size_t other : placed) {
      const Tensor& beside = tensors_[other];
      if (beside.last < tensor.first || tensor.last < beside.first) continue;
      if (places_[other] >= place + tensor.bytes) break;
      place = std::max(place, places_[other] + beside.bytes);
    }
    places_[id] = place;
    arena_bytes_ = std::max(arena_bytes_, place + tensor.bytes);
    const auto at = std::upper_bound(placed.begin(), placed.end(), id,
                                     [this](std::size_t a, std::size_t b) { return places_[a] < places_[b]; });
    placed.insert(at, id);
  }
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    if (tensors_[id].over >= 0) places_[id] = places_[size(tensors_[id].over)];
  }
}

void Plan::finish() {
  find_lifetimes();
  write_over();
  lay_out();
  if (arena_bytes_ > std::numeric_limits<std::int32_t>::max()) {
    throw std::invalid_argument("a plan's tensors take more than 2 GiB");
  }
  for (const auto& step : steps_) step->place(places_);
  finished_ = true;
}

std::int64_t Plan::table_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& step : steps_) bytes += step->table_bytes();
  return bytes;
}

AlignedBytes Plan::new_arena() const {
  AlignedBytes arena(size(std::max<std::int64_t>(arena_bytes_, 1)));
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    const std::vector<std::uint8_t>& content = tensors_[id].content;
    if (!content.empty()) std::memcpy(arena.data() + places_[id], content.data(), content.size());
  }
  return arena;
}

AlignedBytes Plan::take_arena() const {
  {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (lock.owns_lock() && !arenas_.empty()) {
      AlignedBytes arena = std::move(arenas_.back());
      arenas_.pop_back();
      return arena;
    }
  }
  return new_arena();
}

void Plan::give_back(AlignedBytes arena) const {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (lock.owns_lock() && arenas_.size() < kept_arenas) arenas_.push_back(std::move(arena));
}

void Plan::run_steps(const Frame& frame, Watch& watch, Failure& failure) const {
  for (std::int64_t k = 0; k < steps(); ++k) {
    if (watch.stopped() || failure.occurred()) return;
    try {
      steps_[size(k)]->run(frame);
    } catch (...) {
      failure.keep(k);
    }
  }
}

// Samples at once, each thread in an arena of its own.
void Plan::run_samples(std::span<const void* const> inputs, std::span<void* const> outputs, const RunOptions& options,
                       std::atomic<std::int64_t>* nan_counts, Watch& watch, Failure& failure) const {
  const std::int64_t at_once = std::min<std::int64_t>(options.threads, options.samples);
  std::vector<AlignedBytes> arenas;  // all of them now: nothing may fail on a worker
  for (std::int64_t i = 0; i < at_once; ++i) arenas.push_back(take_arena());
  std::vector<const void*> in(size(options.samples) * inputs.size());
  std::vector<void*> out(size(options.samples) * outputs.size());
  for (std::int64_t i = 0; i < options.samples; ++i) {
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      in[size(i) * inputs.size() + k] = static_cast<const std::uint8_t*>(inputs[k]) + i * input_bytes_[k];
    }
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      out[size(i) * outputs.size() + k] = static_cast<std::uint8_t*>(outputs[k]) + i * output_bytes_[k];
    }
  }
  std::mutex mutex;
  auto one = [&](std::int64_t i) {
    AlignedBytes arena;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      arena = std::move(arenas.back());
      arenas.pop_back();
    }
    const Frame frame{arena.data(),
                      places_,
                      std::span(in).subspan(size(i) * inputs.size(), inputs.size()),
                      std::span(out).subspan(size(i) * outputs.size(), outputs.size()),
                      1,
                      nan_counts,
                      options.work_per_thread};
    run_steps(frame, watch, failure);
    const std::lock_guard<std::mutex> lock(mutex);
    arenas.push_back(std::move(arena));
  };
  parallel_for(options.samples, options.threads, one);
  for (AlignedBytes& arena : arenas) give_back(std::move(arena));
}

RunResult Plan::run(std::span<const void* const> inputs, std::span<void* const> outputs,
                    const RunOptions& options) const {
  const FloatEnvironment environment;
  RunOptions chosen = options;
  if (chosen.threads == 0) chosen.threads = default_threads();
  std::vector<std::atomic<std::int64_t>> nan_counts(size(counters_));
  Watch watch(options.interrupt);
  Failure failure;
  if (chosen.samples > 1) {
    run_samples(inputs, outputs, chosen, nan_counts.data(), watch, failure);
  } else {
    AlignedBytes arena = take_arena();
    const Frame frame{arena.data(),          places_, inputs, outputs, chosen.threads, nan_counts.data(),
                      chosen.work_per_thread};
    run_steps(frame, watch, failure);
    give_back(std::move(arena));
  }
  RunResult result{{}, watch.interrupted(), failure.step(), failure.error()};
  for (const auto& count : nan_counts) result.nan_counts.push_back(count.load());
  return result;
}

std::vector<double> Plan::profile(std::span<const void* const> inputs, std::span<void* const> outputs,
                                  int threads) const {
  const FloatEnvironment environment;
  AlignedBytes arena = take_arena();
  std::vector<std::atomic<std::int64_t>> nan_counts(size(counters_));
  const Frame frame{
      arena.data(),         places_, inputs, outputs, threads > 0 ? threads : default_threads(), nan_counts.data(),
      least_work_per_thread};
  std::vector<double> seconds;
  for (const auto& step : steps_) {
    const auto begin = std::chrono::steady_clock::now();
    step->run(frame);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  give_back(std::move(arena));
  return seconds;
}

}  // namespace halfeven::native
