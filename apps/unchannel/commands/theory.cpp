#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/report/decay_figure.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>
#include <unchannel/theory/analysis.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kShownIterations = 30;
constexpr Eigen::Index kShownDirections = 10;

struct TheoryArguments {
  std::string config, json, figure;
  std::vector<std::string> overrides;
};

std::vector<double> values(const std::vector<theory::Iterate>& iterates, double theory::Iterate::*value) {
  std::vector<double> list;
  for (const theory::Iterate& iterate : iterates) list.push_back(iterate.*value);
  return list;
}

report::Figure figure_of(const theory::Analysis& analysis) {
  using report::Mark, report::Tone, theory::Iterate;
  // Short labels: with longer ones gnuplot breaks the legend into rows.
  report::DecayPanel kl{"",
                        "KL(signal | iterate) [nats]",
                        {{"SCSI", values(analysis.iterates, &Iterate::kl_nats), Tone::kBlue, Mark::kLine},
                         {"EM", values(analysis.em, &Iterate::kl_nats), Tone::kOrange, Mark::kLine}}};
  if (analysis.bound.applies) kl.decays.push_back({"bound", analysis.bound.kl_nats, Tone::kGrey, Mark::kDashed});
  report::DecayPanel w2{"",
                        "W2 [data units]",
                        {{"SCSI", values(analysis.iterates, &Iterate::w2), Tone::kBlue, Mark::kLine},
                         {"EM", values(analysis.em, &Iterate::w2), Tone::kOrange, Mark::kLine}}};
  return report::decay_figure({kl, w2}, "Distance of the iterates from the signal, by iteration");
}

void print_iterates(const theory::Analysis& analysis) {
  const std::size_t count = analysis.iterates.size(),
                    skip = std::max<std::size_t>(1, (count - 1 + kShownIterations - 1) / kShownIterations);
  fmt::print("         KL [nats]          W2 [data units]\n iterate  transport         EM  transport         EM\n");
  for (std::size_t k = 0; k < count; ++k) {
    if (k % skip != 0 && k + 1 != count) continue;
    fmt::print("{:8}  {:9.3e}  {:9.3e}  {:9.3e}  {:9.3e}\n", k, analysis.iterates[k].kl_nats, analysis.em[k].kl_nats,
               analysis.iterates[k].w2, analysis.em[k].w2);
  }
}

void print_rates(const theory::Analysis& analysis) {
  fmt::print("\nfactors per iteration near the signal   mean  covariance         KL\n");
  const auto row = [](const char* name, const theory::Contraction& c) {
    fmt::print("  {:30}  {:10.6f}  {:10.6f} {:10.6f}\n", name, c.mean_rate, c.covariance_rate, c.kl_rate);
  };
  row("this transport", analysis.contraction);
  row("ODE (epsilon = 0)", analysis.ode_contraction);
  row("EM", analysis.em_contraction);
  const Eigen::Index shown = std::min(analysis.contraction.mean_D.size(), kShownDirections);
  for (Eigen::Index i = 0; i < shown; ++i) {
    fmt::print("  direction {:<20}  {:10.6f}  {:10.6f}\n", i + 1, analysis.contraction.mean_D(i), analysis.contraction.covariance_D(i));
  }
  if (analysis.uniform)
    fmt::print("  largest on the way              {:10.6f}  {:10.6f}\n", analysis.uniform->mean, analysis.uniform->covariance);
  const double slowest = std::max(analysis.contraction.mean_rate, analysis.contraction.covariance_rate);
  if (slowest > 1.0) {
    fmt::print(
        "  A factor is above 1: this iteration does not converge. The operator turns a direction over, or over_relaxation is too large.\n");
  } else if (slowest == 1.0) {
    fmt::print(
        "  A factor is 1 to the last digit: a direction stands still. Observations show too little of it, or epsilon is too large.\n");
  }
  const theory::Relaxation& relaxation = analysis.relaxation;
  if (relaxation.largest_stable > 0.0) {
    fmt::print("over-relaxation: best {:.4g} with the factor {:.6f}, none from {:.4g} on\n", relaxation.best, relaxation.best_rate,
               relaxation.largest_stable);
  }
}

std::string text(double value) {
  if (std::isnan(value)) return "undefined";
  return std::isinf(value) ? "infinite" : fmt::format("{:.4g}", value);
}

std::string count_text(const std::optional<std::int64_t>& count) {
  return count ? fmt::format("{}", *count) : fmt::format("more than {}", theory::IterationsToSignal::kMostIterations);
}

void print_bounds(const theory::Analysis& analysis) {
  const theory::IterationsToSignal& to_signal = analysis.to_signal;
  fmt::print("iterations to {:g} nats: {} from the start given, {} from the observations; EM {}\n", theory::IterationsToSignal::kNearNats,
             count_text(to_signal.from_initial), count_text(to_signal.from_observations), count_text(to_signal.by_em));
  const theory::TheoremBound& bound = analysis.bound;
  fmt::print("\nbound: {}\n", bound.reason);
  fmt::print("  chi {} over the iterates, {} locally, {} to {} over Gaussians with C >= {:.3g} C*\n", text(bound.chi.iterates),
             text(bound.chi.local), text(bound.chi.set_lower), text(bound.chi.set_upper), bound.chi.least_share);
  fmt::print("  L {} over the iterates, {} locally; factor {} over the iterates, {} locally\n", text(bound.iterates.lipschitz),
             text(bound.local.lipschitz), text(bound.rate), text(bound.local_rate));
  const theory::ErrorLimits& limits = analysis.limits;
  fmt::print("\nmean squared error of a restoration, all elements, at the fixed point [squared data units]\n");
  fmt::print("  posterior mean {:.6g}, best that keeps the signal's law {:.6g}, ODE {:.6g}, this transport {:.6g}, posterior draw {:.6g}\n",
             limits.posterior_mean, limits.distribution_preserving, limits.ode_map, limits.transport, limits.posterior_draw);
  fmt::print("  spread of this transport for one observation: {:.3f} of the posterior's\n", limits.transport_spread);
}

void run_theory(const TheoryArguments& arguments) {
  refuse_same_file("--json", arguments.json, {arguments.config});
  refuse_same_file("--figure", arguments.figure, {arguments.config, arguments.json});
  const theory::Analysis analysis = theory::analyse(theory::read_theory_case(arguments.config, arguments.overrides));
  print_iterates(analysis);
  print_rates(analysis);
  print_bounds(analysis);
  if (!arguments.json.empty()) write_file_atomically(arguments.json, json_text(theory::to_json(analysis), 1) + "\n");
  if (!arguments.figure.empty()) write_file_atomically(arguments.figure, report::run_gnuplot(report::gnuplot_script(figure_of(analysis))));
}

}  // namespace

void add_theory_command(CLI::App& app) {
  auto arguments = std::make_shared<TheoryArguments>();
  CLI::App* command = app.add_subcommand("theory", "compute the iteration on Gaussian signals exactly: iterates, rates, bounds, EM");
  command->add_option("config", arguments->config, "TOML configuration with a table [theory]")->required();
  command->add_option("--json", arguments->json, "file for all figures, units in the keys");
  command->add_option("--figure", arguments->figure, "SVG file for the distances by iteration, semi-logarithmic (needs gnuplot)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set theory.epsilon=0.2 (repeatable)")->allow_extra_args(false);
  command->footer(
      "Tables other than [theory] are left alone.\n"
      "Example: unchannel theory configs/awgn/correlated.toml --figure decay.svg\n"
      "Exit codes: 0 done, 2 configuration or no gnuplot, 4 disk, 5 numerical");
  command->callback([arguments] { run_theory(*arguments); });
}

}  // namespace unchannel
