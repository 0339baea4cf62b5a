// A Python channel in its worker against the same file's simulate called directly in Python, call by call in turn, medians.
// `ninja bench_python`. Beside the time that passes, the time that processors spend (host and worker): on a machine with other programs
// both sides also wait for a processor, the worker once more to be woken.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <unchannel/plugin_host/child_process.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <vector>

namespace unchannel {
namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

struct Cost {
  double elapsed_us = 0, cpu_us = 0;
};

double clock_us(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return 1e6 * static_cast<double>(now.tv_sec) + 1e-3 * static_cast<double>(now.tv_nsec);
}

/// The clock of the interpreter, which unchannel-worker starts and waits for.
clockid_t interpreter_clock(const PluginInstance& worker) {
  const pid_t parent = dynamic_cast<const WorkerChannel&>(worker).worker_pid();
  pid_t interpreter = 0;
  std::ifstream("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children") >> interpreter;
  clockid_t clock{};
  if (::clock_getcpuclockid(interpreter, &clock) != 0) std::exit(1);
  return clock;
}

/// direct.py, which times itself: the pipes to it cost the figure nothing.
class Direct {
 public:
  Direct(std::int64_t dimension, std::int64_t batch) {
    spawn_group({PYTHON, "-B", PYTHON_DIR "/direct.py", PYTHON_SDK, EXAMPLE_DIR "/binned_detector.py", std::to_string(dimension),
                 std::to_string(batch)},
                {{questions_.read_end(), 0}, {answers_.write_end(), 1}, {STDERR_FILENO, 2}});
    questions_.close_read_end();
    answers_.close_write_end();
    lines_ = ::fdopen(::dup(answers_.read_end()), "r");
  }
  Direct(const Direct&) = delete;
  Direct& operator=(const Direct&) = delete;
  ~Direct() { std::fclose(lines_); }

  Cost call() {
    Cost cost;
    if (::write(questions_.write_end(), "\n", 1) != 1 || std::fscanf(lines_, "%lf %lf", &cost.elapsed_us, &cost.cpu_us) != 2) std::exit(1);
    return cost;
  }

 private:
  Pipe questions_, answers_;
  std::FILE* lines_ = nullptr;
};

void run(const PluginRegistry& registry, std::int64_t dimension, std::int64_t batch, int rounds) {
  const auto worker = open_plugin(registry, "org.example.binned_detector", {.mode = Isolation::kProcess});
  worker->configure({dimension}, nlohmann::json::object());
  Direct direct(dimension, batch);
  std::vector<std::uint64_t> ids(static_cast<std::size_t>(batch));
  std::iota(ids.begin(), ids.end(), std::uint64_t{0});
  std::vector<float> x(static_cast<std::size_t>(batch * dimension), 1.0F), y(x.size() / 2), gain(ids.size(), 1.0F);
  const std::vector<const void*> latents = {gain.data()};
  const clockid_t interpreter = interpreter_clock(*worker);
  const auto spent_us = [&] { return clock_us(CLOCK_PROCESS_CPUTIME_ID) + clock_us(interpreter); };
  std::vector<double> worker_us, direct_us, worker_cpu_us, direct_cpu_us;
  for (int i = 0; i < rounds + 5; ++i) {
    const Cost a = direct.call();
    const double spent = spent_us();
    const auto begin = std::chrono::steady_clock::now();
    worker->simulate(1, ids, x.data(), latents, y.data());
    const double b = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (i < 5) continue;  // imports and first touches of memory
    direct_us.push_back(a.elapsed_us);
    direct_cpu_us.push_back(a.cpu_us);
    worker_us.push_back(b);
    worker_cpu_us.push_back(spent_us() - spent);
  }
  const double a = median(direct_us), b = median(worker_us), c = median(direct_cpu_us), d = median(worker_cpu_us);
  std::printf(
      "binned_detector D %5lld batch %3lld: direct %8.1f us, worker %8.1f us, direct / worker %.3f; processor time %8.1f and %8.1f us, "
      "%.3f (%d calls)\n",
      static_cast<long long>(dimension), static_cast<long long>(batch), a, b, a / b, c, d, c / d, rounds);
}

}  // namespace
}  // namespace unchannel

int main(int argc, char** argv) {
  using namespace unchannel;
  const int share = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;  // one round in so many
  ::setenv("UNCHANNEL_WORKER", WORKER, 0);
  ::setenv("UNCHANNEL_PYTHON", PYTHON, 0);
  ::setenv("OPENBLAS_NUM_THREADS", "1", 0);
  const PluginRegistry registry({.plugin_dirs = {EXAMPLE_DIR}, .default_folders = false, .threads = 1});
  run(registry, 2, 1, 1 + 1000 / share);
  run(registry, 256, 64, 1 + 500 / share);
  run(registry, 1024, 64, 1 + 300 / share);
  run(registry, 4096, 64, 1 + 101 / share);
}
