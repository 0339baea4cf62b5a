// Coverage of intervals and limits for unknown parameters: trains the runs of study.cpp and counts what is said of them.
//
// usage: bench_identification [RUNS] [FIRST_SEED] [CASE…]    RUNS of each kind, the registered number without it or with 0; FIRST_SEED:
// other seeds than the registered ones, 0 for those; CASE: numbers of cases, from 0; all without any
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>

#include <fmt/core.h>

#include <unchannel/identification/record.hpp>

#include "study.hpp"

namespace {

using namespace unchannel;
using identification::Finding;
using identification::Word;

double processor_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Every bound that was given keeps the truth inside.
bool holds(const Finding& finding, double truth) {
  return !(truth < finding.low) && !(truth > finding.high) && finding.word != Word::kUnexplained;
}

void print_row(const identification_study::Case& study, std::uint64_t first, int runs) {
  std::map<Word, int> words;
  std::vector<double> widths, upper, lower;
  int covered = 0;
  double points = 0;
  const double before = processor_s();
  for (int i = 0; i < runs; ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    const identification_study::Outcome outcome = identification_study::run(study, seed);
    const Finding& finding = outcome.finding;
    ++words[finding.word];
    covered += holds(finding, study.truth) ? 1 : 0;
    points += static_cast<double>(outcome.profile.points.size()) / runs;
    if (finding.word == Word::kInterval) widths.push_back((finding.high - finding.low) / study.truth);
    if (std::isfinite(finding.low)) lower.push_back(finding.low);
    if (std::isfinite(finding.high)) upper.push_back(finding.high);
    fmt::print(stderr, "{}, seed {}: {}: {}\n", study.name, seed, to_string(finding.word), finding.reason);
    if (std::getenv("UNCHANNEL_PROFILES") != nullptr) {
      UnknownSettings unknown;
      unknown.parameter = "value";
      fmt::print(stderr, "{}", identification::table(outcome.profile, unknown));
    }
  }
  fmt::print("| {} | {:g} | {} |", study.name, study.truth, runs);
  for (const Word word : {Word::kInterval, Word::kUpperLimit, Word::kLowerLimit, Word::kNotIdentifiable, Word::kUnexplained})
    fmt::print(" {} |", words[word]);
  fmt::print(" {} | {:.3f} | {:.3f} | {:.3f} | {:.1f} | {:.1f} s |\n", covered, median(widths), median(lower), median(upper), points,
             (processor_s() - before) / runs);
  std::fflush(stdout);
}

/// Assumed values beside the true one, with the ordinary gap: what is flagged at 95 %.
void print_mismatches(const identification_study::Case& study, std::uint64_t first, int runs) {
  for (const double share : {0.5, 0.75, 1.0, 1.25, 1.5}) {
    int flagged = 0;
    double excess = 0;
    for (int i = 0; i < runs; ++i) {
      const identification_study::Mismatch found =
          identification_study::mismatch(study, share * study.truth, first + 500 + static_cast<std::uint64_t>(i));
      flagged += found.flagged ? 1 : 0;
      excess += found.excess / runs;
    }
    fmt::print("| {} | {:g} of the true value | {} | {} | {:.1f} % |\n", study.name, share, runs, flagged, 100 * excess);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 0;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const auto chosen = [&](std::size_t number) {
    return argc < 4 || std::any_of(argv + 3, argv + argc, [&](const char* text) { return std::strtoull(text, nullptr, 10) == number; });
  };
  const auto& cases = identification_study::cases();
  try {
    fmt::print(
        "| runs | true value | number | interval | upper limit | lower limit | not identifiable | no value | truth inside | median "
        "width/value | "
        "median lower end | median upper end | points | processor time a run "
        "|\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (chosen(i)) print_row(cases[i], first > 0 ? first : cases[i].first_seed, runs > 0 ? runs : cases[i].runs);
    }
    fmt::print("\n| simulator | assumed | runs | flagged at 95 % | mean excess of the gap |\n|---|---:|---:|---:|---:|\n");
    for (const std::size_t i : {std::size_t{2}, std::size_t{6}}) {
      if (chosen(i)) print_mismatches(cases[i], first > 0 ? first : cases[i].first_seed, runs > 0 ? runs : cases[i].runs);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_identification: {}\n", error.what());
    return 1;
  }
}
