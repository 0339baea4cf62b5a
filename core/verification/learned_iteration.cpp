#include "learned_iteration.hpp"

#include <ATen/ATen.h>
#include <fmt/core.h>

#include <unchannel/base/temporary_folder.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/scsi/trained_model.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "fault.hpp"
#include "gaussian_channel.hpp"
#include "tensors.hpp"

// Shape legend: N rows · D dimension of signals and observations
namespace unchannel::verification {
namespace {

namespace fs = std::filesystem;

/// Rows that the engine keeps from training for figures nobody reads here.
constexpr std::int64_t kHeldOutRows = 64;
constexpr std::int64_t kTransportRows = 8192;

void write_rows(const fs::path& path, DatasetKind kind, const at::Tensor& x_ND) {
  DatasetWriter writer(path, kind, {static_cast<std::uint64_t>(x_ND.size(1))});
  writer.append({x_ND.const_data_ptr<float>(), static_cast<std::size_t>(x_ND.numel())});
  writer.close();
}

class LearnedIteration {
 public:
  LearnedIteration(const Scheme& scheme, const VerifySettings& settings, std::int64_t repeat, const StepWatcher& watcher)
      : scheme_(scheme),
        settings_(settings),
        watcher_(watcher),
        key_(RandomKey(static_cast<std::uint64_t>(settings.key)).derive(Purpose::kVerification).derive(static_cast<std::uint64_t>(repeat))),
        channel_(make_gaussian_channel(scheme.problem.channel)),
        y_ND_(standardised_draws(scheme.problem.channel.observe(scheme.problem.signal), settings.rows, key_.derive(0))),
        x_ND_(standardised_draws(scheme.problem.initial, settings.rows, key_.derive(1))) {
    write_rows(observations(), DatasetKind::observations, y_ND_);
  }

  const at::Tensor& signals() const { return x_ND_; }

  void advance(std::int64_t k) {
    const fs::path start = folder_.path() / "start.h5", run = folder_.path() / fmt::format("fit_{}", k);
    write_rows(start, DatasetKind::signals, x_ND_);
    const TrainSettings train = train_settings(start, k);
    fit(train, run);
    x_ND_ = transported(train, run, k);
    std::error_code error;
    fs::remove_all(run, error);
  }

 private:
  fs::path observations() const { return folder_.path() / "observations.h5"; }

  TrainSettings train_settings(const fs::path& start, std::int64_t k) const {
    TrainSettings train;
    train.data.observations = observations().string();
    train.data.early_stop_rows = train.data.test_rows = kHeldOutRows;
    train.interpolant = scheme_.interpolant;
    train.model.family = settings_.family;
    train.model.space = "elements";
    train.model.width = settings_.width;
    train.model.depth = settings_.depth;
    train.start.kind = "file";
    train.start.file = start.string();
    train.scsi.steps = settings_.steps;
    train.scsi.batch = settings_.batch;
    train.scsi.mixture = 1.0;
    train.scsi.pool = settings_.rows - 2 * kHeldOutRows;
    train.scsi.refresh_every = 0;  // the whole pool is one iterate
    train.optimiser.learning_rate = settings_.learning_rate;
    train.optimiser.final_learning_rate_share = 0.01;
    train.optimiser.ema_horizon_steps = std::max(1.0, static_cast<double>(settings_.steps) / 10.0);
    train.transport.solver = "heun";
    train.transport.steps = train.transport.restore_steps = settings_.transport_steps;
    train.transport.batch = kTransportRows;
    train.run.key = static_cast<std::int64_t>(key_.derive(2).bits(static_cast<std::uint64_t>(k), 0) >> 1);
    train.run.evaluate_every = train.run.checkpoint_every = settings_.steps;
    train.check_consistency();
    return train;
  }

  void fit(const TrainSettings& train, const fs::path& path) const {
    RunFolder run = RunFolder::create(path);
    TrainingObserver observer;
    if (watcher_) observer.progress = [this](std::int64_t, std::int64_t, const std::string&) { watcher_(); };
    Trainer trainer(train, *channel_, run, observer);
    trainer.start();
    trainer.run();
  }

  at::Tensor transported(const TrainSettings& train, const fs::path& run, std::int64_t k) const {
    TrainedModel trained = open_trained_model(run, train.model, with_fault(settings_.fault, train.interpolant));
    const std::unique_ptr<Network> network = with_fault(settings_.fault, std::move(trained.network), train.interpolant.time_levels);
    return trained.model.transport(*network, y_ND_, {}, train.transport.in_restoration(), key_.derive(3).derive(static_cast<std::uint64_t>(k)),
                                   at::arange(y_ND_.size(0), at::kLong));
  }

  const Scheme& scheme_;
  const VerifySettings& settings_;
  const StepWatcher& watcher_;
  RandomKey key_;
  TemporaryFolder folder_{"verify"};
  std::unique_ptr<Channel> channel_;
  at::Tensor y_ND_, x_ND_;
};

}  // namespace

std::vector<theory::Gaussian> learned_iterates(const Scheme& scheme, const VerifySettings& settings, std::int64_t repeat, const StepWatcher& watcher) {
  LearnedIteration iteration(scheme, settings, repeat, watcher);
  std::vector<theory::Gaussian> laws = {moments_of(iteration.signals())};
  for (std::int64_t k = 0; k < settings.iterations; ++k) {
    iteration.advance(k);
    laws.push_back(moments_of(iteration.signals()));
  }
  return laws;
}

}  // namespace unchannel::verification
