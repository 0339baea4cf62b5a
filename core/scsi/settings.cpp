#include "settings.hpp"

#include <limits>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {
constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
}

void DataSettings::visit(SettingsVisitor& visitor) {
  visitor.text({"observations", "HDF5 file with /observations [N, D]; a path relative to this configuration file."}, observations);
  visitor.text({"signals",
                "Benchmarks only, instead of observations: HDF5 file with clean /signals. Row i is observed through the channel whenever it is "
                "read, as `unchannel simulate --key simulation_key` would."},
               signals);
  visitor.integer({"simulation_key", "signals: key of these simulations."}, simulation_key, 0, kAny);
  visitor.integer({"first_row", "First row of the file that is used; with rows, for parts of one file and for data-size curves."}, first_row, 0, kAny);
  visitor.integer({"rows", "Rows of the file that are used; 0: all from first_row on.", "rows"}, rows, 0, kAny);
  visitor.text({"clean_signals", "HDF5 file with clean /signals that belong to no observation; see scsi.clean_share."}, clean_signals);
  visitor.integer({"early_stop_rows", "Observations held out for the consistency gap."}, early_stop_rows, 16, kAny);
  visitor.integer({"test_rows", "Observations held out for the final figures; used once.", "rows"}, test_rows, 16, kAny);
  visitor.integer({"buffer_mib", "Memory of the shuffling window over the file.", "MiB"}, buffer_mib, 1, 1 << 20);
  visitor.text({"monitor_observations", "Benchmarks only: observations whose clean signals are known, to log the error while training."},
               monitor_observations);
  visitor.text({"monitor_signals", "Benchmarks only: those clean signals. They never enter the training."}, monitor_signals);
  visitor.text({"monitor_reference", "Benchmarks only: other clean signals, three times monitor_rows or more, to log the excess sliced W2 as well."},
               monitor_reference);
  visitor.integer({"monitor_rows", "Benchmarks only: observations restored for these logs, at most those of the file."}, monitor_rows, 4, kAny);
}

void ScsiSettings::visit(SettingsVisitor& visitor) {
  visitor.integer({"steps", "Inner steps in all."}, steps, 1, kAny);
  visitor.integer({"batch", "Signals simulated in one step."}, batch, 1, 1 << 20);
  visitor.integer({"resamples", "Times drawn for each simulated pair; network rows a step = batch * resamples."}, resamples, 1, 1024);
  visitor.number({"mixture", "Probability p that the re-simulated observation is used, else the real one."}, mixture, 0.0, 1.0);
  visitor.number({"clean_share", "Share of the signals of a step that comes from data.clean_signals instead of the pool; they go through the channel alike."},
                 clean_share, 0.0, 1.0);
  visitor.integer({"pool", "Transported signals kept for reuse; at most the training rows."}, pool, 1, kAny);
  visitor.integer({"refresh_every", "Inner steps between two refreshes of a part of the pool; 0: never (oracle on paired data)."},
                  refresh_every, 0, kAny);
  visitor.integer({"refresh_rows", "Signals that one refresh transports anew."}, refresh_rows, 1, kAny);
  visitor.integer({"first_refresh", "Steps before the first refresh, so that the start is learnt first."}, first_refresh, 0, kAny);
  visitor.choice({"teacher", "Weights that transport: the running average or the student's own."}, teacher, {"ema", "student"});
  visitor.number({"over_relaxation",
                  "Share of its last change that a transported signal is moved on; for pools that hold every training row, so that there is a last "
                  "one. 0: none.",
                  "1"},
                 over_relaxation, 0.0, 1.0);
  visitor.number({"early_stop",
                  "Stop when restorations change held-out observations by this share more than training rows (root mean square of y - x, at two "
                  "evaluations in a row): the network learns its rows by heart, noise included. 0.15 is a good value; 0: never.",
                  "1"},
                 early_stop, 0.0, 100.0);
}

void StartSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"kind",
                  "observation: x = y. linear: Gaussian fitted by probing the channel, variance preserved; where a visible latent tells for each "
                  "place what happened there, as a mask does, and model.space is \"elements\", every observation with its own latent. "
                  "pseudo_inverse: least squares, for channels with mean and vjp. file: given signals. truth: data.signals. "
                  "run: another run's model, its weights and its restorations."},
                 kind, {"observation", "linear", "pseudo_inverse", "file", "truth", "run"});
  visitor.choice({"basis",
                  "observations: leading directions of the observations. response: directions that the channel lets through best, found by "
                  "probing it; for channels that smear more finely structured signals."},
                 basis, {"observations", "response"});
  visitor.integer({"components", "Dimension of the fitted Gaussian's basis."}, components, 1, 65536);
  visitor.integer({"rounds", "Rounds of the fit, each probing the channel anew."}, rounds, 1, 10000);
  visitor.integer({"em_steps", "Steps of expectation and maximisation in each round."}, em_steps, 1, 100000);
  visitor.integer({"probes", "Channel runs of each round."}, probes, 64, kAny);
  visitor.number({"smoothing_elements",
                  "Width of the Gaussian average of the covariance along its diagonals; for signals whose statistics change slowly "
                  "along the axis. 0: none.",
                  "elements"},
                 smoothing_elements, 0.0, 1e6);
  visitor.choice({"weighting", "Weights of the observations in their moments: none, or one over their noise variance."}, weighting,
                 {"none", "noise"});
  visitor.choice({"variances",
                  "likelihood: expectation and maximisation on all rows. held_out: along the leading directions of the observations, "
                  "measured on rows that did not choose them, and as many components as are significant; for channels that hardly change "
                  "those directions."},
                 variances, {"likelihood", "held_out"});
  visitor.boolean({"filter_basis",
                   "variances = \"held_out\": remove white sampling noise from the directions, for signals ordered along one axis."},
                  filter_basis);
  visitor.integer({"iterations", "kind = \"pseudo_inverse\": steps of conjugate gradients; few regularise."}, iterations, 1, 10000);
  visitor.text({"file", "kind = \"file\": HDF5 file with /signals, one row for each observation in the same order."}, file);
  visitor.text({"run",
                "kind = \"run\": folder of a trained run with the same [model] (dropout, precision and device may differ), [interpolant] and signals; its channel "
                "may be another. Read at the first start only."},
               run);
}

void RunSettings::visit(SettingsVisitor& visitor) {
  visitor.integer({"key", "Every random number of the run is a pure function of this key."}, key, 0, kAny);
  visitor.integer({"threads", "CPU threads; 0: all. Bits differ between thread counts."}, threads, 0, 4096);
  visitor.integer({"evaluate_every", "Steps between two evaluations of the consistency gap.", "steps"}, evaluate_every, 1, kAny);
  visitor.integer({"checkpoint_every", "Steps between two checkpoints.", "steps"}, checkpoint_every, 1, kAny);
  visitor.number({"rank_timeout_s", "Several processes: longest wait for another one, the first one's start and evaluations included.", "s"}, rank_timeout_s, 1.0, 1e7);
}

void VerdictSettings::visit(SettingsVisitor& visitor) {
  visitor.number({"margin",
                  "Difference between simulated and held-out observations that matters, in shares of the observations' spread, along the directions in "
                  "which it is largest. Smaller ones are taken for the fit's own error; it must be larger than that and large enough for the "
                  "held-out rows to find.",
                  "1"},
                 margin, 0.001, 10.0);
  visitor.integer({"replicas",
                   "Sets of observations simulated from the learnt signals that say what the gap would be if the simulator were right; each costs the "
                   "restoration of early_stop_rows + test_rows observations. At least 20; 0: no verdict."},
                  replicas, 0, 100000);
}

void TrainSettings::visit(SettingsVisitor& visitor) {
  visitor.section({"data", "Observations and their splits."}, [this](SettingsVisitor& v) { data.visit(v); });
  visitor.section({"interpolant", "Path between signal and observation."}, [this](SettingsVisitor& v) { interpolant.visit(v); });
  visitor.section({"model", "Network of the drift."}, [this](SettingsVisitor& v) { model.visit(v); });
  visitor.section({"transport", "Integration from observation to signal."}, [this](SettingsVisitor& v) { transport.visit(v); });
  visitor.section({"start", "Where the iteration starts."}, [this](SettingsVisitor& v) { start.visit(v); });
  visitor.section({"scsi", "The self-consistent iteration."}, [this](SettingsVisitor& v) { scsi.visit(v); });
  visitor.section({"optimiser", "Adam, schedule and averaging."}, [this](SettingsVisitor& v) { optimiser.visit(v); });
  visitor.section({"run", "Key, threads, checkpoints."}, [this](SettingsVisitor& v) { run.visit(v); });
  visitor.section({"verdict", "Whether the training converged and the simulator explains the data."}, [this](SettingsVisitor& v) { verdict.visit(v); });
}

void TrainSettings::check_consistency() const {
  check<ConfigError>(!data.file().empty(), "data.observations is missing; name the HDF5 file with the observations.");
  check<ConfigError>(data.observations.empty() || data.signals.empty(),
                     "data.observations and data.signals both say where observations come from; give exactly one of them.");
  check<ConfigError>((scsi.clean_share > 0.0) == !data.clean_signals.empty(),
                     "data.clean_signals and scsi.clean_share belong together; give both or neither.");
  check<ConfigError>(data.monitor_observations.empty() == data.monitor_signals.empty(),
                     "data.monitor_observations and data.monitor_signals belong together; give both or neither.");
  check<ConfigError>(data.monitor_reference.empty() || !data.monitor_signals.empty(),
                     "data.monitor_reference is compared with restored data.monitor_observations; give those too.");
  check<ConfigError>(model.signal_min < model.signal_max, "model.signal_min = {} must be less than model.signal_max = {}.", model.signal_min,
                     model.signal_max);
  check<ConfigError>(verdict.replicas == 0 || verdict.replicas >= 20,
                     "verdict.replicas = {}: no p-value below 0.05 can come of fewer than 20; give 20 or more, or 0 for no verdict.", verdict.replicas);
  interpolant.check_consistency();
  const Interpolant path(interpolant);
  for (const Integration& how : {transport.in_training(0.0), transport.in_training(1.0), transport.in_restoration()}) {
    check<ConfigError>(how.solver == "adaptive" || interpolant.time_levels % how.grid(path.stochastic()) == 0,
                       "transport: {} steps of '{}' do not divide interpolant.time_levels = {}; choose a divisor.", how.steps, how.solver,
                       interpolant.time_levels);
    check<ConfigError>(how.solver != "multistep" || path.straight(),
                       "transport: solver \"multistep\" is for straight paths, interpolant.kind \"linear\" or \"fokker_planck\" with gamma = "
                       "\"none\"; choose \"heun\".");
    check<ConfigError>(!path.stochastic() || how.solver == "euler" || how.solver == "heun",
                       "transport: the reverse SDE has the solvers \"euler\" and \"heun\", not \"{}\".", how.solver);
  }
  check<ConfigError>((start.kind == "file") == !start.file.empty(), "start.file must be given with start.kind = \"file\" and only then.");
  check<ConfigError>((start.kind == "run") == !start.run.empty(), "start.run must be given with start.kind = \"run\" and only then.");
  check<ConfigError>(start.variances != "held_out" || start.basis == "observations",
                     "start.variances = \"held_out\" measures along the observations' own directions; set start.basis = \"observations\".");
  check<ConfigError>(!start.filter_basis || start.variances == "held_out", "start.filter_basis needs start.variances = \"held_out\".");
  check<ConfigError>(model.space != "basis" || (start.kind != "observation" && start.kind != "pseudo_inverse"),
                     "model.space = \"basis\" needs a fitted Gaussian; set start.kind = \"linear\" or model.space = \"elements\".");
  check<ConfigError>(start.kind != "truth" || !data.signals.empty(),
                     "start.kind = \"truth\" fills the pool with the clean signals of data.signals; name that file instead of data.observations.");
  check<ConfigError>(scsi.refresh_every > 0 || start.kind == "file" || start.kind == "truth",
                     "scsi.refresh_every = 0 trains on fixed pairs and needs clean signals: start.kind = \"truth\" with data.signals, or "
                     "start.kind = \"file\" with start.file.");
}

}  // namespace unchannel
