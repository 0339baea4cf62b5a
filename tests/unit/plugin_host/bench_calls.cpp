// Calls a second of a channel in its worker, one sample a call: `bench_calls FOLDER ID D CALLS` prints them. The side of a worker in
// plugins/umbridge/umbridge_benchmark.py. `ninja bench_calls`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <unchannel/plugin_host/isolation.hpp>
#include <vector>

int main(int argc, char** argv) {
  using namespace unchannel;
  if (argc != 5) {
    std::fputs("usage: bench_calls FOLDER ID D CALLS\n", stderr);
    return 2;
  }
  ::setenv("UNCHANNEL_WORKER", WORKER, 0);
  ::setenv("UNCHANNEL_PYTHON", PYTHON, 0);
  const PluginRegistry registry({.plugin_dirs = {argv[1]}, .default_folders = false, .threads = 1});
  const std::int64_t D = std::atoll(argv[3]), calls = std::atoll(argv[4]);
  const auto channel = open_plugin(registry, argv[2], {.mode = Isolation::kProcess});
  channel->configure({D}, nlohmann::json::object());
  std::vector<float> x(static_cast<std::size_t>(D)), y(x.size());
  const auto call = [&](std::uint64_t id) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.1F * static_cast<float>((i + id) % 97);
    channel->simulate(1, {&id, 1}, x.data(), {}, y.data());
    if (y.back() != 2 * x.back()) std::exit(1);
  };
  for (std::uint64_t id = 0; id < 50; ++id) call(id);  // first touches
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) call(static_cast<std::uint64_t>(i));
  const double elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%.1f\n", static_cast<double>(calls) / elapsed_s);
}
