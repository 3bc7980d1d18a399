#include "engine/plan/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "engine/float_environment.h"

namespace halfeven::native {
namespace {

constexpr std::int64_t alignment = 64;
constexpr std::int64_t slack = 64;  // so that kernels may load whole vectors at a tensor's end
constexpr std::size_t kept_arenas = 4;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace

TensorId Plan::tensor(std::int64_t bytes) {
  const std::int64_t room = (bytes + slack + alignment - 1) / alignment * alignment;
  tensors_.push_back({room, -1, -1, {}});
  return static_cast<TensorId>(tensors_.size() - 1);
}

TensorId Plan::constant(std::span<const std::uint8_t> bytes) {
  const TensorId id = tensor(std::ssize(bytes));
  tensors_.back().content.assign(bytes.begin(), bytes.end());
  return id;
}

void Plan::add(std::unique_ptr<Step> step) { steps_.push_back(std::move(step)); }

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
    if (tensor.first < 0) continue;
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
}

void Plan::finish() {
  find_lifetimes();
  lay_out();
  if (arena_bytes_ > std::numeric_limits<std::int32_t>::max()) {
    throw std::invalid_argument("a plan's tensors take more than 2 GiB");
  }
  for (const auto& step : steps_) step->place(places_);
  finished_ = true;
}

AlignedBytes Plan::take_arena() const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!arenas_.empty()) {
      AlignedBytes arena = std::move(arenas_.back());
      arenas_.pop_back();
      return arena;
    }
  }
  AlignedBytes arena(size(std::max<std::int64_t>(arena_bytes_, 1)));
  for (std::size_t id = 0; id < tensors_.size(); ++id) {
    const std::vector<std::uint8_t>& content = tensors_[id].content;
    if (!content.empty()) std::memcpy(arena.data() + places_[id], content.data(), content.size());
  }
  return arena;
}

void Plan::give_back(AlignedBytes arena) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (arenas_.size() < kept_arenas) arenas_.push_back(std::move(arena));
}

std::vector<std::int64_t> Plan::run(std::span<const void* const> inputs, std::span<void* const> outputs, int threads,
                                    std::vector<double>* seconds) const {
  const FloatEnvironment environment;
  AlignedBytes arena = take_arena();
  std::vector<std::atomic<std::int64_t>> nan_counts(std::max<std::size_t>(inputs.size(), 1));
  const Frame frame{arena.data(),     places_, inputs, outputs, threads > 0 ? threads : default_threads(),
                    nan_counts.data()};
  for (const auto& step : steps_) {
    const auto begin = std::chrono::steady_clock::now();
    step->run(frame);
    if (seconds == nullptr) continue;
    seconds->push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  give_back(std::move(arena));
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < inputs.size(); ++i) found.push_back(nan_counts[i].load());
  return found;
}

}  // namespace halfeven::native
