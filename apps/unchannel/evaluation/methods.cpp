#include "methods.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/baselines/factor_analysis.hpp>
#include <unchannel/baselines/tikhonov.hpp>
#include <unchannel/measurement/least_squares.hpp>
#include <unchannel/scsi/observed_rows.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kLatentDraws = 2048;
constexpr std::uint64_t kFactorAnalysisRows = 12000;

/// Latents as a solver that does not know them would set them: those of the data as they are, the others at the mean of their
/// law, repeated for `rows` objects.
Latents mean_latents(const Channel& channel, const ReportObjects& objects, std::int64_t rows) {
  const at::Tensor x_BD = objects.batch.lifted_BD.slice(0, 0, std::min(kLatentDraws, objects.size()));
  const at::Tensor ids_B = at::arange(x_BD.size(0), at::kLong);
  const Latents drawn = channel.draw_latents(RandomKey(1).derive(Purpose::kBaseline), ids_B, x_BD);
  Latents result;
  for (const LatentSpec& spec : channel.latents()) {
    if (const auto own = objects.batch.latents.find(spec.name); own != objects.batch.latents.end()) {
      result.emplace(spec.name, own->second.slice(0, 0, rows));
      continue;
    }
    check<ConfigError>(at::isFloatingType(spec.type), "the latent '{}' is not a real number, so it has no mean", spec.name);
    const at::Tensor mean = drawn.at(spec.name).to(at::kDouble).mean(0, true).to(spec.type);
    std::vector<std::int64_t> shape(mean.sizes().begin(), mean.sizes().end());
    shape[0] = rows;
    result.emplace(spec.name, mean.expand(shape).contiguous());
  }
  return result;
}

/// Standard deviation of the white noise that the configuration gives its channel, of a composed one the last stage; 0: not said.
double declared_noise(const ChannelSettings& channel) {
  const nlohmann::json& parameters = channel.stages.empty() ? channel.parameters : channel.stages.back().parameters;
  for (const char* name : {"noise_sigma", "sigma"}) {
    if (parameters.contains(name) && parameters[name].is_number()) return parameters[name].get<double>();
  }
  return 0.0;
}

/// Inverse variance of every observed pixel: from the data's own, from the channel's declared noise, or from the SNR of each object and its
/// true noise-free flux.
at::Tensor known_ivar(const OpenRun& run, const ReportObjects& objects, const Latents& latents) {
  if (const auto ivar = objects.batch.latents.find("ivar"); ivar != objects.batch.latents.end()) {
    const auto mask = objects.batch.latents.find("mask");
    return mask == objects.batch.latents.end() ? ivar->second : ivar->second * mask->second.eq(0);
  }
  if (const double sigma = declared_noise(run.config.channel); sigma > 0.0) return at::full(objects.batch.raw_BM.sizes(), 1.0 / (sigma * sigma), at::kFloat);
  const auto snr = objects.scalars.find("snr");
  check<ConfigError>(snr != objects.scalars.end(),
                     "the channel declares no noise_sigma and the observation file holds neither /latents/ivar nor /latents/snr, so the noise is not known");
  const at::Tensor sigma_N = run.channel->mean(objects.truth_ND, latents).to(at::kDouble).abs().mean(1) / snr->second;
  return sigma_N.square().reciprocal().unsqueeze(1).expand(objects.batch.raw_BM.sizes()).to(at::kFloat).contiguous();
}

}  // namespace

OpenRun open_run(const std::filesystem::path& run, const std::vector<std::string>& plugin_folders, const std::filesystem::path& data_file) {
  RunConfig config = read_run_config(run);
  auto channel = open_channel(config, plugin_folders, data_file);
  TrainedModel trained = open_trained_model(run, config.train.model, config.train.interpolant);
  check_signal_shape(*channel, trained, run.string(), data_file.string());
  return {std::move(config), std::move(channel), std::move(trained)};
}

at::Tensor restore_objects(const OpenRun& run, const ReportObjects& objects) {
  return run.trained.model.transport(*run.trained.network, objects.batch.lifted_BD, visible_latents(*run.channel, objects.batch.latents),
                                     run.config.train.transport.in_restoration(), RandomKey(1).derive(Purpose::kTransportNoise), objects.ids_N);
}

report::MethodResult try_method(const std::string& name, const std::string& meaning, const std::function<at::Tensor()>& restore) {
  report::MethodResult result{name, meaning, {}, {}, false};
  if (const int signal = stop_requested(); signal != 0) throw InterruptedError("report: interrupted; nothing was written.", signal);
  try {
    const c10::NoGradGuard no_grad;
    result.restored_ND = restore();
  } catch (const Error& error) {
    result.reason = error.what();
  }
  return result;
}

at::Tensor start_alone(const OpenRun& run, const ReportObjects& objects) {
  const std::string& kind = run.config.train.start.kind;
  if (kind == "observation") return objects.batch.lifted_BD;
  if (kind == "pseudo_inverse") return least_squares(*run.channel, objects.batch.latents, objects.batch.raw_BM, run.config.train.start.iterations);
  if (run.trained.latent_start) {
    return run.trained.latent_start->posterior_draw(objects.batch.lifted_BD, objects.batch.latents, RandomKey(1).derive(Purpose::kStart), objects.ids_N);
  }
  check<ConfigError>(kind == "linear" && run.trained.model.bridge().has_value(),
                     "start.kind = \"{}\" leaves no map that could be applied to other observations", kind);
  // An untrained network is zero: what is left is the transport of the fitted Gaussian, which the pool started from.
  const std::unique_ptr<Network> untrained = run.trained.model.make_network(RandomKey(0));
  return run.trained.model.transport(*untrained, objects.batch.lifted_BD, objects.batch.latents,
                                     run.config.train.transport.in_restoration(), RandomKey(1).derive(Purpose::kStart), objects.ids_N);
}

at::Tensor factor_analysis(const OpenRun& run, const ReportObjects& objects) {
  if (run.trained.latent_start) return run.trained.latent_start->posterior_mean(objects.batch.lifted_BD, objects.batch.latents);
  for (const LatentSpec& spec : run.channel->latents()) {
    check<ConfigError>(spec.source == LatentSource::kFresh, "the latent '{}' comes with the data: this factor analysis needs one response and white noise",
                       spec.name);
  }
  const ObservedRows observed(run.config.train.data, *run.channel);
  const at::Tensor raw_NM = observed.read(row_range(observed.first(), std::min(observed.count(), kFactorAnalysisRows))).raw_BM;
  const auto response = baselines::probe_response(*run.channel, mean_latents(*run.channel, objects, 1));
  return baselines::FactorAnalysis::fit(raw_NM, response).restore(objects.batch.raw_BM);
}

at::Tensor tikhonov_tuned_on_truth(const OpenRun& run, const ReportObjects& objects) {
  const Latents latents = mean_latents(*run.channel, objects, objects.size());
  const baselines::Tikhonov solver(*run.channel, latents, objects.batch.raw_BM, known_ivar(run, objects, latents));
  return solver.solve(baselines::tune_on_truth(solver, objects.truth_ND).strength);
}

}  // namespace unchannel
