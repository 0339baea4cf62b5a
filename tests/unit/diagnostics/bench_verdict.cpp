// The error rates of the verdict: trains the runs of verdict_study.cpp and counts what is said of them.
//
// usage: bench_verdict [RUNS] [FIRST_SEED]     RUNS of each kind, the registered 50 without it; FIRST_SEED: other seeds than the registered
// ones
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>

#include <fmt/core.h>

#include "verdict_study.hpp"

namespace {

using namespace unchannel;

double processor_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// What one kind of run came to.
struct Count {
  std::map<diagnostics::Word, int> words;
  std::vector<double> p_values;
  double gap = 0, power = 0, seconds = 0;
};

Count count(const verdict_study::Case& study, std::uint64_t first, std::uint64_t runs) {
  Count result;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    const double before = processor_s();
    const diagnostics::RunVerdict verdict = verdict_study::run(study, seed);
    result.seconds += (processor_s() - before) / static_cast<double>(runs);
    ++result.words[verdict.verdict.word];
    fmt::print(stderr, "{}, seed {}: {}: {}\n", study.name, seed, to_string(verdict.verdict.word), verdict.verdict.reason);
    if (!verdict.facts.test) continue;
    result.p_values.push_back(verdict.facts.test->p_value);
    result.gap += verdict.facts.test->gap / static_cast<double>(runs);
    result.power += verdict.facts.test->power / static_cast<double>(runs);
  }
  std::ranges::sort(result.p_values);
  return result;
}

void print_row(const verdict_study::Case& study, const Count& result, std::uint64_t runs) {
  using diagnostics::Word;
  fmt::print("| {} | {} |", study.name, runs);
  for (const Word word :
       {Word::kConverged, Word::kStillContracting, Word::kStalled, Word::kOverIterated, Word::kUnexplained, Word::kCannotTell}) {
    const auto found = result.words.find(word);
    fmt::print(" {} |", found == result.words.end() ? 0 : found->second);
  }
  const double median = result.p_values.empty() ? 1.0 : result.p_values[result.p_values.size() / 2];
  fmt::print(" {:.2f} | {:.1f} % | {:.2f} | {:.1f} s |\n", median, 100 * result.gap, result.power, result.seconds);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t runs = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : verdict_study::kRegisteredRuns;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  try {
    fmt::print(
        "| runs | number | converged | still contracting | stalled | over-iterated | does not explain | cannot tell | median p | mean gap "
        "| mean power | "
        "processor time a run |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (const verdict_study::Case& study : verdict_study::cases())
      print_row(study, count(study, first > 0 ? first : study.first_seed, runs), runs);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_verdict: {}\n", error.what());
    return 1;
  }
}
