// umbridge_calls URL MODEL D CALLS [CONNECTIONS]: evaluations a second of this client, everything but the ABI call itself included.
// Prints it and the client's CPU milliseconds for each. Used by umbridge_benchmark.py.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "protocol.hpp"
#include "session.hpp"

namespace {

/// Calls a second and CPU milliseconds a call.
std::pair<double, double> measure(const char* url, const char* model, int64_t size, int64_t calls, int64_t connections) {
  const umbridge::Requests requests(model, "{}");
  umbridge::Session session(umbridge::parse_url(url), {.max_response_bytes = 1 << 26, .connections = connections}, nullptr);
  const std::vector<int64_t> sizes{size};
  std::vector<float> x(static_cast<size_t>(size));
  for (size_t d = 0; d < x.size(); ++d) {
    x[d] = 0.1F * static_cast<float>(d % 97) - 3.3F;
  }
  std::vector<double> y(x.size());
  const auto run = [&](int64_t count) {
    const auto statuses =
        session.run({.function = "/Evaluate",
                     .count = count,
                     .requests_per_sample = 1,
                     .body = [&](int64_t, int64_t) { return requests.evaluate(x, sizes); },
                     .accept = [&](int64_t, int64_t, std::string_view answer) { umbridge::read_output(answer, sizes, true, y); }});
    for (const int32_t status : statuses) {
      if (status != UNCHANNEL_SAMPLE_OK) {
        throw std::runtime_error("a sample failed");
      }
    }
  };
  run(connections);  // opens the connections
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  run(calls);
  const double cpu_ms = 1000.0 * static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  const double elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {static_cast<double>(calls) / elapsed_s, cpu_ms / static_cast<double>(calls)};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::fprintf(stderr, "usage: umbridge_calls URL MODEL D CALLS [CONNECTIONS]\n");
    return 2;
  }
  try {
    const auto [rate, cpu_ms] =
        measure(arguments[1], arguments[2], std::atoll(arguments[3]), std::atoll(arguments[4]), count > 5 ? std::atoll(arguments[5]) : 1);
    std::printf("%.1f %.4f\n", rate, cpu_ms);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "umbridge_calls: %s\n", error.what());
    return 3;
  }
}
