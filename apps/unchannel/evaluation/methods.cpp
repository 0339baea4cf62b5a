#include "methods.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/baselines/factor_analysis.hpp>
#include <unchannel/baselines/tikhonov.hpp>
#include <unchannel/measurement/least_squares.hpp>
#include <unchannel/scsi/observed_rows.hpp>
#include <unchannel/scsi/start_run.hpp>
#include <unchannel/scsi/training_batch.hpp>
#include <unchannel/transport/solver.hpp>

#include "../declared_noise.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kLatentDraws = 2048;
constexpr std::uint64_t kFactorAnalysisRows = 12000;
constexpr std::int64_t kLargestResponse = 4096;   // rows or columns; the singular values of such a matrix take minutes
constexpr std::int64_t kLeastElements = 8;        // of an observation: fewer leave the unknown noise level undetermined
constexpr std::int64_t kMostFactors = 384;         // of images: about a minute
constexpr double kEqualResponse = 1e-3;           // of the largest answer
constexpr double kLeastNoiseShare = 1e-3;         // of the truth's spread
constexpr std::int64_t kTuningNumbers = 1 << 19;  // elements of the signals that the strength is tuned on
constexpr std::int64_t kLeastTuningObjects = 32, kMostTuningObjects = 512;

/// Latents as a solver that does not know them would set them: those of the data as they are, the others at the mean of their
/// law, repeated for `rows` objects.
Latents mean_latents(const Channel& channel, const ObservationBatch& batch, std::int64_t rows) {
  const at::Tensor x_BD = batch.lifted_BD.slice(0, 0, std::min(kLatentDraws, batch.lifted_BD.size(0)));
  const at::Tensor ids_B = at::arange(x_BD.size(0), at::kLong);
  const Latents drawn = channel.draw_latents(RandomKey(1).derive(Purpose::kBaseline), ids_B, x_BD);
  Latents result;
  for (const LatentSpec& spec : channel.latents()) {
    if (const auto own = batch.latents.find(spec.name); own != batch.latents.end()) {
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

/// Throws ConfigError where the channel answers one signal differently for different objects, by latents that came with them.
void check_one_response(const Channel& channel, const ObservationBatch& batch) {
  if (batch.latents.empty() || !channel.has_mean()) return;
  const std::int64_t rows = std::min(kLatentDraws, batch.lifted_BD.size(0));
  const at::Tensor probe_1D = normal_rows(RandomKey(1).derive(Purpose::kBaseline), at::zeros({1}, at::kLong), batch.lifted_BD.size(1));
  const at::Tensor mean_BM = channel.mean(probe_1D.expand({rows, probe_1D.size(1)}).contiguous(), mean_latents(channel, batch, rows));
  const double difference = (mean_BM - mean_BM.slice(0, 0, 1)).abs().max().item<double>();
  std::string names;
  for (const auto& [name, values] : batch.latents) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name);
  check<ConfigError>(difference <= kEqualResponse * mean_BM.abs().max().item<double>(),
                     "the response differs from object to object with the latents {}: this factor analysis needs one for all", names);
}

/// Inverse variance of every observed pixel: from the data's own, from the channel's declared noise, or from the SNR of each object and its
/// true noise-free flux.
at::Tensor known_ivar(const OpenRun& run, const ReportObjects& objects, const Latents& latents) {
  if (const auto ivar = objects.batch.latents.find("ivar"); ivar != objects.batch.latents.end()) {
    const auto mask = objects.batch.latents.find("mask");
    return (mask == objects.batch.latents.end() ? ivar->second : ivar->second * mask->second.eq(0)).reshape(objects.batch.raw_BM.sizes());
  }
  if (const double declared = declared_noise(run.channel->configuration()); declared > 0.0) {
    // Weights above 1e6 leave float32 nothing of the smoothness, which alone decides on what was not observed.
    const double sigma = std::max(declared, kLeastNoiseShare * objects.truth_ND.to(at::kDouble).std().item<double>());
    return at::full(objects.batch.raw_BM.sizes(), 1.0 / (sigma * sigma), at::kFloat);
  }
  const auto snr = objects.scalars.find("snr");
  check<ConfigError>(snr != objects.scalars.end(),
                     "the channel declares no noise_sigma and the observation file holds neither /latents/ivar nor /latents/snr, so the noise is not known");
  const at::Tensor sigma_N = run.channel->mean(objects.truth_ND, latents).to(at::kDouble).abs().mean(1) / snr->second;
  return sigma_N.square().reciprocal().unsqueeze(1).expand(objects.batch.raw_BM.sizes()).to(at::kFloat).contiguous();
}

/// What the first pool is made by, before signals are put into their known range.
at::Tensor start_map(const OpenRun& run, const ReportObjects& objects) {
  const std::string& kind = run.config.train.start.kind;
  if (kind == "observation") return objects.batch.lifted_BD;
  if (kind == "pseudo_inverse") return least_squares(*run.channel, objects.batch.latents, objects.batch.raw_BM, run.config.train.start.iterations);
  if (kind == "run") {
    const StartRun start = open_start_run(run.config.train, *run.channel);
    return start.trained.model.transport(*start.trained.network, objects.batch.lifted_BD, visible_latents(*run.channel, objects.batch.latents),
                                         start.restoration, RandomKey(1).derive(Purpose::kTransportNoise), objects.ids_N);
  }
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
  } catch (const InterruptedError&) {
    throw;
  } catch (const Error& error) {
    result.reason = error.what();
  }
  return result;
}

std::string start_in_words(const OpenRun& run) {
  const std::string& kind = run.config.train.start.kind;
  if (kind == "observation" && run.config.channel.lift == "own") return "the observations as they are, from which the training starts.";
  if (kind == "observation") return fmt::format("least squares by {} conjugate gradients (channel.lift), from which the training starts.", run.config.channel.lift_iterations);
  if (kind == "pseudo_inverse") return "least squares by a few conjugate gradients, from which the training starts.";
  if (kind == "run") return "the restorations of the run from which the training started.";
  if (run.trained.latent_start) return "the Gaussian fitted by probing for each value of the latent, from which the training starts; one draw.";
  return "the Gaussian map fitted by probing, from which the training starts; it preserves variance.";
}

at::Tensor start_alone(const OpenRun& run, const ReportObjects& objects) { return run.trained.model.within_range(start_map(run, objects)); }

at::Tensor factor_analysis(const OpenRun& run, const ReportObjects& objects) {
  if (run.trained.latent_start) return run.trained.latent_start->posterior_mean(objects.batch.lifted_BD, objects.batch.latents);
  for (const LatentSpec& spec : run.channel->latents()) {
    check<ConfigError>(spec.source == LatentSource::kFresh, "the latent '{}' comes with the data: this factor analysis needs one response and white noise",
                       spec.name);
  }
  check_one_response(*run.channel, objects.batch);
  check<ConfigError>(objects.batch.raw_BM.size(1) >= kLeastElements,
                     "observations of {} elements do not tell signal from noise; at least {} are needed", objects.batch.raw_BM.size(1), kLeastElements);
  const std::int64_t largest = std::max(objects.batch.raw_BM.size(1), objects.batch.lifted_BD.size(1));
  check<ConfigError>(largest <= kLargestResponse,
                     "the response has up to {} rows or columns; its decomposition would take many minutes, so it is left out above {}", largest,
                     kLargestResponse);
  const ObservedRows observed(run.config.train.data, *run.channel);
  const ObservationBatch batch = observed.read(row_range(observed.first(), std::min(observed.count(), kFactorAnalysisRows)));
  check_one_response(*run.channel, batch);
  const at::Tensor& raw_NM = batch.raw_BM;
  const auto response = baselines::probe_response(*run.channel, mean_latents(*run.channel, objects.batch, 1));
  const double declared = declared_noise(run.channel->configuration());
  if (!(declared > 0.0)) return baselines::FactorAnalysis::fit(raw_NM, response).restore(objects.batch.raw_BM);
  // What few factors leave of images would pass for noise; with its level known, as many are fitted as rise above it.
  const auto level = [&](const at::Tensor& rows) { return at::full({rows.size(0)}, declared, at::kDouble); };
  return baselines::FactorAnalysis::fit(raw_NM, response, level(raw_NM), {.max_rank = kMostFactors}).restore(objects.batch.raw_BM, level(objects.batch.raw_BM));
}

at::Tensor tikhonov_tuned_on_truth(const OpenRun& run, const ReportObjects& objects) {
  const Latents latents = mean_latents(*run.channel, objects.batch, objects.size());
  const baselines::Tikhonov solver(*run.channel, latents, objects.batch.raw_BM, known_ivar(run, objects, latents));
  const std::int64_t used = std::clamp(kTuningNumbers / objects.truth_ND.size(1), kLeastTuningObjects, kMostTuningObjects);
  return solver.solve(baselines::tune_on_truth(solver, objects.truth_ND, 1e-2, 1e8, 11, used).strength);
}

}  // namespace unchannel
