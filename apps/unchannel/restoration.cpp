#include "restoration.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/distillation.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

bool is_exact(const RunConfig& config) { return config.train.interpolant.epsilon_schedule == "posterior"; }

/// Throws unless row i of `input` is row i of the observations that the committee was trained on.
void check_cross_fit(const std::string& run, const RunConfig& config, const std::string& input) {
  check<ConfigError>(config.train.model.members > 1,
                     "restore --cross-fit: {} has a single network, which has learnt from all its training observations. Train with model.members = 2 or "
                     "more, or leave --cross-fit out.",
                     run);
  const std::string trained_on = read_provenance(run).value("observations_sha256", std::string());
  check<ConfigError>(!trained_on.empty() && trained_on == sha256_file(input),
                     "restore --cross-fit: {} is not the file that {} was trained on, so which member has learnt from a row is not known. Restore that "
                     "file, or leave --cross-fit out: no member has learnt from new observations.",
                     input, run);
}

/// [B, S, D] → [B, 2, D]
at::Tensor mean_and_ivar(const at::Tensor& draws_BSD) {
  constexpr double kLeastVariance = 1e-30;  // at the border of the known range all draws may be equal
  return at::stack({draws_BSD.mean(1), draws_BSD.var(1).clamp_min(kLeastVariance).reciprocal()}, 1);
}

}  // namespace

Restoration::Restoration(const std::string& run, const std::string& input, const std::vector<std::string>& plugin_folders,
                         RestorationSettings settings)
    : input_(input), settings_(std::move(settings)), reader_(input, DatasetKind::observations) {
  check<ConfigError>(!settings_.summary || (settings_.posterior && settings_.samples > 1),
                     "restore --summary: mean and variance are those of several posterior draws; add --posterior --samples 64.");
  runs_.push_back(open(run, input, plugin_folders));
  for (const std::string& further : settings_.ensemble) runs_.push_back(open(further, input, plugin_folders));
  if (runs_.size() > 1) check_ensemble();
}

Restoration::OpenedRun Restoration::open(const std::string& path, const std::string& input, const std::vector<std::string>& plugin_folders) const {
  RunConfig config = read_run_config(path);
  std::unique_ptr<Channel> channel = open_channel(config, plugin_folders, input);
  TrainedModel trained = open_trained_model(path, config.train.model, config.train.interpolant);
  check_signal_shape(*channel, trained, path, input);
  OpenedRun run{path, std::move(config), std::move(channel), std::move(trained), nullptr, std::nullopt};
  if (settings_.posterior && (holds_sampler(path) || !is_exact(run.config))) run.sampler.emplace(open_sampler(path, *run.channel));
  check_settings(run, input);
  if (settings_.one_call && !settings_.posterior) run.short_cut = open_one_call(path, run.trained);
  return run;
}

void Restoration::check_settings(const OpenedRun& run, const std::string& input) const {
  check<ConfigError>(settings_.samples == 1 || run.sampler || Interpolant(run.config.train.interpolant).stochastic(),
                     "restore --samples {}: the ODE transport is deterministic, every sample would be the same. For draws of the posterior train "
                     "a sampler with unchannel posterior and add --posterior; for a random transport train with interpolant.epsilon > 0; or leave "
                     "--samples out.",
                     settings_.samples);
  check<ConfigError>(!settings_.posterior || !settings_.one_call || run.sampler,
                     "restore --posterior --one-call: the mean by one call needs a sampler, and {} draws by an exact SDE. Leave --one-call out.", run.path);
  check<ConfigError>(!settings_.posterior || !settings_.one_call || settings_.samples == 1,
                     "restore --posterior --one-call gives the mean of the posterior, of which there is one; leave --samples out.");
  if (settings_.cross_fit) check_cross_fit(run.path, run.config, input);
}

void Restoration::check_ensemble() const {
  check<ConfigError>(settings_.posterior, "restore --ensemble pools draws of the posterior; add --posterior.");
  check<ConfigError>(settings_.samples >= static_cast<std::int64_t>(runs_.size()) && !settings_.one_call,
                     "restore --ensemble: {} runs need at least as many draws, and {} are asked for. Give --samples {} or more.", runs_.size(),
                     settings_.samples, runs_.size());
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      check<ConfigError>(runs_[i].channel->configuration() == runs_[j].channel->configuration(),
                         "restore --ensemble: {} and {} were trained for different channels; pool runs of one.", runs_[j].path, runs_[i].path);
      check<ConfigError>(runs_[i].config.train.run.key != runs_[j].config.train.run.key,
                         "restore --ensemble: {} and {} have the same run.key = {}, so they are no two draws of the learnt prior. Train the second "
                         "with another key.",
                         runs_[j].path, runs_[i].path, runs_[i].config.train.run.key);
    }
  }
}

at::Tensor Restoration::transport(const OpenedRun& run, const ObservationBatch& batch, const at::Tensor& member_B, std::int64_t sample) const {
  const TransportSettings& settings = run.config.train.transport;
  if (run.short_cut) return one_call(run.trained.model, *run.short_cut, batch.lifted_BD, batch.latents, settings.batch);
  return run.trained.model.transport(*run.trained.network, batch.lifted_BD, batch.latents, settings.in_restoration(),
                                     key().derive(static_cast<std::uint64_t>(sample)), batch.row_numbers(), member_B);
}

at::Tensor Restoration::draws_of(const OpenedRun& run, const ObservationBatch& batch, std::int64_t first) const {
  const at::NoGradGuard no_grad;
  const auto stride = static_cast<std::int64_t>(runs_.size());
  if (run.sampler) {
    const SamplerRun& sampler = *run.sampler;
    DrawOptions options;
    options.samples = settings_.samples;
    options.first = first;
    options.stride = stride;
    options.steps = sampler.config.posterior.solver_steps;
    options.key = key();
    const at::Tensor ids_B = batch.row_numbers();
    if (settings_.cross_fit) options.member_B = transporters_of(ids_B, sampler.config.run.train.model);
    const at::Tensor guide_member_B = settings_.cross_fit ? transporters_of(ids_B, run.config.train.model) : at::Tensor();
    const at::Tensor guide_BD = guide_signals(run.trained, batch.lifted_BD, batch.latents, guide_member_B);
    const Evidence evidence = sampler.trained.model.evidence(batch.lifted_BD, batch.latents, guide_BD);
    if (!settings_.one_call) return posterior_draws(sampler.trained, evidence, ids_B, options);
    return sampler.trained.model.mean(*sampler.trained.network, evidence, options.key, ids_B, options.member_B).unsqueeze(1);
  }
  const at::Tensor member_B = settings_.cross_fit ? transporters_of(batch.row_numbers(), run.config.train.model) : at::Tensor();
  std::vector<at::Tensor> draws;
  for (std::int64_t sample = first; sample < settings_.samples; sample += stride) draws.push_back(transport(run, batch, member_B, sample));
  return at::stack(draws, 1);
}

at::Tensor Restoration::draws(const ObservationBatch& batch) const {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < runs_.size(); ++i) parts.push_back(draws_of(runs_[i], batch, static_cast<std::int64_t>(i)));
  at::Tensor draws_BSD = at::cat(parts, 1);
  if (batch.weight_B.defined()) draws_BSD.masked_fill_(batch.weight_B.eq(0).view({-1, 1, 1}), 0.0);
  return draws_BSD;
}

Restoration::Block Restoration::rows(std::uint64_t first, std::uint64_t count) const {
  const std::uint64_t whole_first = first / block_rows() * block_rows();
  const ObservationBatch batch = read_observations(reader_, *runs_.front().channel, whole_first, std::min(block_rows(), reader_.rows() - whole_first));
  const auto begin = static_cast<std::int64_t>(first - whole_first), end = begin + static_cast<std::int64_t>(count);
  const at::Tensor draws_BSD = draws(batch).slice(0, begin, end);
  Block block;
  if (batch.weight_B.defined()) block.failed = static_cast<std::uint64_t>(batch.weight_B.eq(0).slice(0, begin, end).sum().item<std::int64_t>());
  block.values_BV = (settings_.summary ? mean_and_ivar(draws_BSD) : draws_BSD).flatten(1).contiguous();
  return block;
}

std::vector<std::uint64_t> Restoration::row_shape() const {
  std::vector<std::uint64_t> shape;
  if (settings_.samples > 1 && !settings_.summary) shape.push_back(static_cast<std::uint64_t>(settings_.samples));
  for (const std::int64_t size : runs_.front().channel->signal_shape()) shape.push_back(static_cast<std::uint64_t>(size));
  return shape;
}

std::uint64_t Restoration::row_size() const {
  const std::vector<std::uint64_t> shape = row_shape();
  return std::accumulate(shape.begin(), shape.end(), settings_.summary ? std::uint64_t{2} : std::uint64_t{1}, std::multiplies<>());
}

std::uint64_t Restoration::block_rows() const {
  constexpr std::int64_t kBlockBytes = std::int64_t{128} << 20;
  const std::int64_t row_bytes = settings_.samples * runs_.front().trained.model.normalisation().mean_D.size(0) * static_cast<std::int64_t>(sizeof(float));
  return static_cast<std::uint64_t>(std::clamp<std::int64_t>(kBlockBytes / row_bytes, 1, runs_.front().config.train.transport.batch));
}

std::string Restoration::origin() const {
  std::string text = fmt::format("restored from {} by ", input_);
  for (const OpenedRun& run : runs_) {
    text += fmt::format("{}run {} at step {}", &run == &runs_.front() ? "" : ", ", run.path, run.trained.step);
    if (run.sampler) text += fmt::format(" with its posterior sampler at step {}", run.sampler->trained.step);
  }
  if (settings_.one_call) text += ", one call";
  if (settings_.cross_fit) text += ", cross-fit";
  if (settings_.summary) text += fmt::format(", mean and inverse variance of {} draws", settings_.samples);
  return text;
}

nlohmann::json Restoration::task() const {
  nlohmann::json checkpoints = nlohmann::json::array();
  for (const OpenedRun& run : runs_) {
    checkpoints.push_back(sha256_file(RunFolder::checkpoint_path(run.path)));
    if (run.sampler) checkpoints.push_back(sha256_file(RunFolder::checkpoint_path(sampler_folder(run.path))));
  }
  return {{"origin", origin()},
          {"checkpoint_sha256", checkpoints},
          {"input_rows", reader_.rows()},
          {"input_bytes", std::filesystem::file_size(input_)},
          {"channel", runs_.front().channel->configuration()},
          {"samples", settings_.samples},
          {"key", settings_.key},
          {"block_rows", block_rows()}};
}

std::string Restoration::omission() const {
  if (!settings_.posterior) return {};
  if (runs_.size() > 1) return fmt::format("posterior draws pooled over {} runs: their spread holds what differs between those learnt priors", runs_.size());
  return "posterior draws under one learnt prior, whose own uncertainty is not in their spread";
}

}  // namespace unchannel
