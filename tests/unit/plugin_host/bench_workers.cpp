// What a process of its own costs: the same channel in-process and in a worker, call by call in turn, medians. `ninja bench_workers`.
// Beside the time that passes, the time that processors spend: on a machine with other programs a worker also waits to be woken.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <vector>

namespace unchannel {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::int64_t elements(const ChannelShape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

struct Case {
  const char* id;
  nlohmann::json parameters;
  ChannelShape shape;
  std::int64_t batch;
  int rounds;
};

struct Cost {
  double elapsed_us = 0, cpu_us = 0;
};

double clock_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

/// One channel with a batch ready to be simulated.
class Bench {
 public:
  Bench(const PluginRegistry& registry, const Case& what, Isolation isolation)
      : channel_(open_plugin(registry, what.id, {.mode = isolation})),
        ids_(static_cast<std::size_t>(what.batch)),
        x_(static_cast<std::size_t>(what.batch * elements(what.shape)), 1.0F) {
    channel_->configure(what.shape, what.parameters);
    y_.resize(static_cast<std::size_t>(what.batch * elements(channel_->y_shape())));
    std::iota(ids_.begin(), ids_.end(), std::uint64_t{0});
    std::vector<void*> drawn;
    for (std::size_t i = 0; i < channel_->latent_layouts().size(); ++i) {
      const LatentLayout& layout = channel_->latent_layouts()[i];
      latents_.emplace_back(layout.active ? static_cast<std::size_t>(8 * layout.size * what.batch) : 0);
      drawn.push_back(layout.active ? latents_.back().data() : nullptr);
      given_.push_back(drawn.back());
    }
    channel_->draw_latents(1, ids_, x_.data(), drawn);
    if (const auto* worker = dynamic_cast<WorkerChannel*>(channel_.get())) ::clock_getcpuclockid(worker->worker_pid(), &worker_clock_);
  }
  Cost call() {
    const double spent = spent_us();
    const auto start = Clock::now();
    channel_->simulate(1, ids_, x_.data(), given_, y_.data());
    return {std::chrono::duration<double, std::micro>(Clock::now() - start).count(), spent_us() - spent};
  }

 private:
  double spent_us() const { return clock_us(CLOCK_PROCESS_CPUTIME_ID) + (worker_clock_ ? clock_us(worker_clock_) : 0); }

  std::unique_ptr<PluginInstance> channel_;
  clockid_t worker_clock_ = 0;
  std::vector<std::uint64_t> ids_;
  std::vector<float> x_, y_;
  std::vector<std::vector<char>> latents_;
  std::vector<const void*> given_;
};

void run(const PluginRegistry& registry, const Case& what) {
  Bench here(registry, what, Isolation::kInproc), there(registry, what, Isolation::kProcess);
  std::vector<double> here_us, there_us, here_cpu_us, there_cpu_us;
  for (int i = 0; i < what.rounds + 5; ++i) {
    const Cost a = here.call(), b = there.call();
    if (i < 5) continue;  // first touches of memory
    here_us.push_back(a.elapsed_us);
    there_us.push_back(b.elapsed_us);
    here_cpu_us.push_back(a.cpu_us);
    there_cpu_us.push_back(b.cpu_us);
  }
  const double a = median(here_us), b = median(there_us), c = median(here_cpu_us), d = median(there_cpu_us);
  std::printf(
      "%-28s D %5lld, batch %4lld: in-process %9.1f us, worker %9.1f us, ratio %.3f; processor time %9.1f and %9.1f us, ratio %.3f (%d "
      "calls)\n",
      what.id, static_cast<long long>(elements(what.shape)), static_cast<long long>(what.batch), a, b, a / b, c, d, c / d, what.rounds);
}

}  // namespace
}  // namespace unchannel

int main(int argc, char** argv) {
  using namespace unchannel;
  const int share = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;  // one round in so many
  ::setenv("UNCHANNEL_WORKER", WORKER, 0);
  const PluginRegistry registry({.plugin_dirs = {GOOD_DIR, PLUGIN_DIR}, .default_folders = false, .threads = 1});
  const nlohmann::json instrument = {
      {"resolution_delta_ln_lambda", 0.0005}, {"resolution_relative_spread", 0.05}, {"snr_min", 1.0}, {"snr_max", 2.0}};
  run(registry, {"org.example.awgn", {{"sigma", 0.0}}, {1}, 1, 1 + 2000 / share});
  run(registry, {"org.example.awgn", {{"sigma", 0.0}}, {1024}, 64, 1 + 1000 / share});
  run(registry, {"org.unchannel.spectrograph", instrument, {1024}, 256, 1 + 101 / share});
  run(registry, {"org.unchannel.tomography", {{"views", 90}}, {128, 128}, 64, 1 + 101 / share});
}
