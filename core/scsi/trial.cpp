#include "trial.hpp"

#include <ATen/ATen.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <unchannel/base/stopwatch.hpp>
#include <unchannel/base/temporary_folder.hpp>
#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/device.hpp>

#include "memory_meter.hpp"
#include "trained_model.hpp"
#include "trainer.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kCopiesOfWeights = 5;  // student, EMA, gradients, two moments
constexpr std::int64_t kLeastBatchShare = 32, kMostSmallBatch = 16;
constexpr std::int64_t kSmallSteps = 3, kFullSteps = 6;
constexpr std::int64_t kFewRows = 16;
constexpr double kFullStepsLimit_s = 60.0, kSmallStepLimit_s = 2.0;
constexpr double kSteady = 0.1;  // relative change of the bytes for each signal from one doubling to the next

/// Leaves the training loop from inside: no error, nothing is saved.
struct TrialDone {};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// The same training without everything that takes long or much: no refreshes, hardly any held-out rows, a small pool and window.
TrainSettings reduced(TrainSettings settings) {
  if (settings.model.precision == "auto") settings.model.precision = native_precision(device_named(settings.model.device).str());
  settings.data.early_stop_rows = settings.data.test_rows = kFewRows;
  settings.data.buffer_mib = std::min<std::int64_t>(settings.data.buffer_mib, 64);
  settings.data.monitor_observations.clear();
  settings.data.monitor_signals.clear();
  settings.data.monitor_reference.clear();
  settings.transport.restore_solver = "euler";
  settings.transport.restore_steps = 1;
  settings.scsi.pool = std::min(settings.scsi.pool, 2 * kFewRows);
  settings.scsi.first_refresh = kNever;
  settings.scsi.steps = kNever;
  settings.run.evaluate_every = settings.run.checkpoint_every = kNever;
  return settings;
}

struct StepFigures {
  double step_s = 0.0;
  std::int64_t peak_bytes = 0;
};

/// Steps of `batch` signals and of twice as many.
struct Growth {
  std::int64_t batch = 1;
  StepFigures half, whole;

  std::int64_t signal_bytes() const { return std::max<std::int64_t>(0, whole.peak_bytes - half.peak_bytes) / batch; }
  double signal_s() const { return std::max(0.0, whole.step_s - half.step_s) / static_cast<double>(batch); }
};

/// Peak memory and time of one drift call for `rows` observations.
struct TransportFigures {
  double seconds = 0.0;
  std::int64_t peak_bytes = 0;
};

TransportFigures measure_transport(const TrainedModel& trained, const ObservationBatch& batch, const Channel& channel, int repeats) {
  const std::int64_t rows = batch.lifted_BD.size(0);
  const Integration how{"euler", 1, rows};
  const at::Tensor ids = batch.row_numbers(), members = transporters_of(ids, trained.model.settings());
  const MemoryMeter meter;
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) {
    const Stopwatch watch;
    trained.model.transport(*trained.network, batch.lifted_BD, visible_latents(channel, batch.latents), how, RandomKey(1), ids, members);
    seconds.push_back(watch.elapsed_s());
  }
  return {median(seconds), meter.peak_bytes()};
}

std::int64_t bytes_of(const at::Tensor& tensor) { return tensor.defined() ? static_cast<std::int64_t>(tensor.nbytes()) : 0; }

/// Of one pool row: signal, observation, latents; a growing pool holds its signals twice for a moment.
std::int64_t pool_row_bytes(const ObservationBatch& batch) {
  std::int64_t bytes = 3 * bytes_of(batch.lifted_BD);
  for (const auto& [name, values] : batch.latents) bytes += bytes_of(values);
  return bytes / batch.lifted_BD.size(0) + static_cast<std::int64_t>(sizeof(std::int64_t) + sizeof(float));
}

class Trial {
 public:
  Trial(const TrainSettings& settings, const Channel& channel, std::function<int()> stop_requested)
      : wanted_(settings),
        settings_(reduced(settings)),
        channel_(channel),
        stop_requested_(std::move(stop_requested)),
        folder_("trial"),
        rows_(settings.data, channel) {}

  void measure_small() {
    start();
    result_.training_rows =
        static_cast<std::int64_t>(rows_.count()) - wanted_.data.early_stop_rows - wanted_.data.test_rows;
    TrainedModel trained = open_trained_model(folder_.path(), settings_.model, settings_.interpolant);
    if (trained.model.bridge()) result_.gaussian = trained.model.bridge()->model();
    result_.parameters = trained.network->parameter_count();
    const Growth growth = measure_growth();
    const ObservationBatch few = rows_.read(row_range(rows_.first(), kFewRows));
    MemoryModel& memory = result_.memory;
    memory.network_bytes = kCopiesOfWeights * static_cast<std::int64_t>(sizeof(float)) * result_.parameters;
    memory.step_signal_bytes = growth.signal_bytes();
    memory.pool_row_bytes = pool_row_bytes(few);
    memory.fixed_bytes = std::max(memory.network_bytes, growth.half.peak_bytes - growth.batch * memory.step_signal_bytes) + held_rows_bytes(few);
    memory.file_bytes = result_.training_rows * (bytes_of(few.raw_BM) / kFewRows);
    const TransportFigures transport = measure_transport(trained, few, channel_, 2);
    memory.transport_row_bytes = transport.peak_bytes / kFewRows;
    result_.transport_row_s = transport.seconds / kFewRows;
    result_.step_s = growth.half.step_s + growth.signal_s() * static_cast<double>(wanted_.scsi.batch - growth.batch);
    result_.step_extrapolated = true;
  }

  void measure_full() {
    measure_channel();
    const TrainingSizes sizes = sizes_of(wanted_);
    const bool fits = result_.memory.fitting(sizes, available_memory_bytes()) == sizes;
    if (!fits || result_.step_s * static_cast<double>(kFullSteps) > kFullStepsLimit_s) return;
    const StepFigures full = measure_steps(wanted_.scsi.batch, kFullSteps);
    result_.step_s = full.step_s;
    result_.step_extrapolated = false;
    result_.measured_peak_bytes = full.peak_bytes;
    const std::int64_t rows = std::min({wanted_.scsi.refresh_rows, wanted_.transport.batch, static_cast<std::int64_t>(rows_.count())});
    const TrainedModel trained = open_trained_model(folder_.path(), settings_.model, settings_.interpolant);
    const ObservationBatch batch = rows_.read(row_range(rows_.first(), static_cast<std::uint64_t>(rows)));
    result_.transport_row_s = measure_transport(trained, batch, channel_, 3).seconds / static_cast<double>(rows);
  }

  TrialResult result() const { return result_; }

 private:
  /// Fits the start and leaves a checkpoint of step 0, from which all measurements go on.
  void start() {
    RunFolder run = RunFolder::create(folder_.path());
    run.write_config("");
    TrainSettings first = settings_;
    first.scsi.batch = 1;
    TrainingObserver observer;
    observer.stop_requested = stop_requested_;
    Trainer trainer(first, channel_, run, observer);
    const Stopwatch watch;
    trainer.start();
    result_.start_s = watch.elapsed_s();
  }

  /// `steps` inner steps from the trial's first checkpoint; the first one, which makes gradients and plans, counts in neither figure.
  StepFigures measure_steps(std::int64_t batch, std::int64_t steps) const {
    TrainSettings settings = settings_;
    settings.scsi.batch = batch;
    RunFolder run = RunFolder::resume(folder_.path());
    MemoryMeter meter;
    std::vector<double> seconds;
    Stopwatch step_watch;
    TrainingObserver observer;
    observer.stop_requested = stop_requested_;
    observer.progress = [&](std::int64_t step, std::int64_t, const std::string&) {
      if (step == 1) meter.reset_peak();
      if (step > 1) seconds.push_back(step_watch.elapsed_s());
      if (step == steps) throw TrialDone{};
      step_watch = Stopwatch();
    };
    Trainer trainer(settings, channel_, run, observer);
    trainer.resume();
    try {
      trainer.run();
    } catch (const TrialDone&) {
    }
    return {median(seconds), meter.peak_bytes()};
  }

  /// Doubles a small batch until memory grows with it: below that, the peak is that of the optimiser, which knows no batch.
  Growth measure_growth() const {
    Growth growth;
    growth.batch = std::clamp<std::int64_t>(wanted_.scsi.batch / kLeastBatchShare, 1, kMostSmallBatch);
    growth.half = measure_steps(growth.batch, kSmallSteps);
    for (double before = -1.0;;) {
      growth.whole = measure_steps(2 * growth.batch, kSmallSteps);
      const auto now = static_cast<double>(growth.signal_bytes());
      const bool steady = before > 0.0 && std::abs(now - before) < kSteady * before;
      const bool costly = growth.whole.step_s > kSmallStepLimit_s || growth.whole.peak_bytes > available_memory_bytes() / 4;
      if (steady || costly || 2 * growth.batch >= wanted_.scsi.batch) return growth;
      before = now;
      growth.batch *= 2;
      growth.half = growth.whole;
    }
  }

  void measure_channel() {
    const std::int64_t samples = std::min<std::int64_t>({wanted_.scsi.batch, 256, static_cast<std::int64_t>(rows_.count())});
    const ObservationBatch batch = rows_.read(row_range(rows_.first(), static_cast<std::uint64_t>(samples)));
    const at::Tensor ids = at::arange(samples, at::kLong);
    std::vector<double> seconds;
    for (int i = 0; i < 4; ++i) {
      const Stopwatch watch;
      simulate_with_sources(channel_, batch.lifted_BD, batch.latents, batch.latents, RandomKey(1), ids, nullptr);
      if (i > 0) seconds.push_back(watch.elapsed_s());  // the first call may plan
    }
    result_.channel_sample_s = median(seconds) / static_cast<double>(samples);
  }

  /// The held-out and monitored rows that the training keeps, which the trial's settings leave out.
  std::int64_t held_rows_bytes(const ObservationBatch& few) const {
    const DataSettings& data = wanted_.data;
    std::int64_t bytes = data.early_stop_rows * (bytes_of(few.raw_BM) + bytes_of(few.lifted_BD)) / kFewRows;
    if (!data.monitor_observations.empty()) bytes += 2 * data.monitor_rows * bytes_of(few.lifted_BD) / kFewRows;
    if (!data.monitor_reference.empty()) {
      bytes += static_cast<std::int64_t>(DatasetReader(data.monitor_reference).rows()) * bytes_of(few.lifted_BD) / kFewRows;
    }
    return bytes;
  }

  TrainSettings wanted_, settings_;
  const Channel& channel_;
  std::function<int()> stop_requested_;
  TemporaryFolder folder_;
  ObservedRows rows_;
  TrialResult result_;
};

}  // namespace

TrialResult run_trial(const TrainSettings& settings, const Channel& channel, const TrainingObserver& watcher) {
  const auto say = [&](const char* text) {
    if (watcher.message) watcher.message(text);
  };
  Trial trial(settings, channel, watcher.stop_requested);
  say("fitting the start and a few small steps");
  trial.measure_small();
  say("a few full steps");
  trial.measure_full();
  return trial.result();
}

TrialResult run_small_trial(const TrainSettings& settings, const Channel& channel) {
  Trial trial(settings, channel, {});
  trial.measure_small();
  return trial.result();
}

std::string memory_advice(const TrainSettings& settings, const Channel& channel) {
  malloc_trim(0);  // what the failed training has freed
  const std::int64_t available = available_memory_bytes();
  try {
    // The start needs no exact fit here, only what the network and its steps need.
    TrainSettings quick = settings;
    quick.start.rounds = 1;
    quick.start.probes = std::min<std::int64_t>(quick.start.probes, 1024);
    return out_of_memory_message(run_small_trial(quick, channel).memory, sizes_of(settings), available);
  } catch (const std::exception&) {
    return fmt::format("out of memory: about {} can be had, and not even a few samples fit. Make the network smaller or find more memory.",
                       format_bytes(available));
  }
}

}  // namespace unchannel
