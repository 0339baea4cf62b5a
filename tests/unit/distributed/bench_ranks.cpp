// What an exchange costs when all ranks come to it at the same time: median of `rounds` for each size.
// usage: mpirun -n R bench_ranks ROUNDS
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include <fmt/core.h>

#include <unchannel/distributed/agreement.hpp>
#include <unchannel/distributed/ranks.hpp>

namespace {

double median_ms(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return 1e3 * values[values.size() / 2];
}

template <class Exchange>
double time_ms(unchannel::Ranks& ranks, int rounds, Exchange&& exchange) {
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) {
    unchannel::together(ranks, [] {});
    const auto start = std::chrono::steady_clock::now();
    exchange();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return median_ms(seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 50;
  const std::shared_ptr<unchannel::Ranks> ranks = unchannel::open_ranks();
  const double agreement_ms = time_ms(*ranks, rounds, [&] { unchannel::together(*ranks, [] {}); });
  if (ranks->first()) fmt::print("{} ranks: agreement {:.3f} ms\n", ranks->size(), agreement_ms);
  for (const std::size_t parameters : {std::size_t{125'000}, std::size_t{500'000}, std::size_t{2'000'000}, std::size_t{31'000'000}}) {
    std::vector<float> values(parameters, 1.0F);
    const double sum_ms = time_ms(*ranks, rounds, [&] { ranks->sum(values); });
    if (ranks->first()) fmt::print("{} ranks: sum of {:>8} float32 {:.3f} ms, {:.2f} GB/s\n", ranks->size(), parameters, sum_ms, 4e-6 * static_cast<double>(parameters) / sum_ms);
  }
  return ranks->leave(30.0) ? 0 : 1;
}
