#include "ambient_run.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/device.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/scsi/trained_model.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

constexpr const char* kMask = "mask";
constexpr std::int64_t kLawRows = 2048;

/// Refuses what the method is not for, before there is a folder.
RunConfig checked(RunConfig config, const Channel& channel) {
  check<ConfigError>(config.channel.id == "random_mask",
                     "baseline ambient: channel.id is '{}'. Hiding more of what is hidden already needs channel random_mask; of other channels "
                     "`baseline em` learns a generator.",
                     config.channel.id);
  for (const LatentSpec& spec : channel.latents()) {
    check<ConfigError>(spec.name != kMask || spec.visible,
                       "baseline ambient: the latent 'mask' is not visible, but the denoiser must be told what is hidden. Write visible = true below "
                       "[channel.latents.mask].");
  }
  return config;
}

}  // namespace

at::Tensor masks_of(const ObservationBatch& batch) {
  const at::Tensor mask_BS = batch.latents.at(kMask).to(at::kFloat).flatten(1);
  check<DataError>(mask_BS.eq(0).logical_or(mask_BS.eq(1)).all().item<bool>(),
                   "baseline ambient: the latent 'mask' of the observations has values other than 0 (hidden) and 1 (kept).");
  return mask_BS;
}

AmbientRun::AmbientRun(RunConfig config, const std::filesystem::path& run, double delta, const Channel& channel)
    : config_(checked(std::move(config), channel)),
      config_toml_(config_.to_toml()),
      delta_(delta),
      channel_(channel),
      key_(RandomKey(static_cast<std::uint64_t>(config_.train.run.key)).derive(Purpose::kBaseline)),
      folder_(RunFolder::create(run)),
      observations_(config_.train.data, channel, RandomKey(static_cast<std::uint64_t>(config_.train.run.key))),  // the splits of `train`
      held_out_(observations_.early_stop()) {
  const ObservationBatch sample = observations_.training_sample(kLawRows);
  masks_NS_ = masks_of(sample);
  std::filesystem::exists(checkpoint_path()) ? resume() : build_networks(baselines::pixel_law(sample.lifted_BD, masks_NS_));
}

std::filesystem::path AmbientRun::checkpoint_path() const { return folder_.path() / "checkpoints" / "ambient.safetensors"; }

std::string AmbientRun::name() const { return fmt::format("run {} at step {}", folder_.path().string(), step_); }

void AmbientRun::build_networks(baselines::PixelLaw law) {
  ModelSettings& model = config_.train.model;
  if (model.precision == "auto") model.precision = native_precision(device_named(model.device).str());
  denoiser_.emplace(model, channel_.signal_shape(), law);
  student_ = denoiser_->make_network(key_.derive(Purpose::kModelInit));
  ema_ = denoiser_->make_network(key_.derive(Purpose::kModelInit));
  for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
  optimiser_ = std::make_unique<Optimiser>(config_.train.optimiser, *student_, *ema_);
}

void AmbientRun::start() {
  folder_.cut_metrics(-1);
  folder_.write_config(config_toml_);
  folder_.write_provenance({{"ambient", {{"delta", delta_}}}, {"unchannel_version", UNCHANNEL_VERSION}, {"channel", channel_.configuration()}});
}

void AmbientRun::resume() {
  const TensorFile file = read_tensor_file(checkpoint_path());
  try {
    const nlohmann::json text = nlohmann::json::parse(file.text);
    check<ConfigError>(text.at("config") == config_toml_ && text.at("delta") == delta_,
                       "{}: holds a denoiser of other settings (delta {:g}); compare with its config.resolved.toml. Give the same settings, or "
                       "another folder with --run.",
                       folder_.path().string(), text.at("delta").get<double>());
    config_.train.model.precision = text.at("precision");  // "auto" was decided when the run started
    build_networks({text.at("pixel_mean"), text.at("pixel_deviation")});
    load_weights(file, "student.", *student_);
    load_weights(file, "ema.", *ema_);
    load_moments(file, *optimiser_);
    step_ = text.at("step");
    watch_ = Stopwatch(text.at("elapsed_s").get<double>());
    optimiser_->set_updates(step_);
    observations_.restore(text.at("stream").get<StreamPosition>());
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}.", checkpoint_path().string(), error.what()));
  } catch (const std::out_of_range&) {
    throw DataError(fmt::format("{}: a tensor is missing; it was written by another version. Train in another folder, or use that version.",
                                checkpoint_path().string()));
  }
  folder_.cut_metrics(step_);
}

void AmbientRun::train() {
  if (step_ >= scsi().steps) return;
  if (step_ == 0) start();
  Progress bar("train", scsi().steps);
  while (step_ < scsi().steps) {
    if (const int signal = stop_requested(); signal != 0) {
      save_checkpoint();
      throw InterruptedError(
          fmt::format("stopped by signal {} at step {}; a checkpoint is written, the same command goes on there.", signal, step_), signal);
    }
    const double loss = train_step();
    ++step_;
    bar.update(step_, fmt::format("loss {:.4f}", loss));
    if (step_ % config_.train.run.evaluate_every == 0 || step_ == scsi().steps) evaluate(loss);
    if (step_ % config_.train.run.checkpoint_every == 0 || step_ == scsi().steps) save_checkpoint();
  }
  bar.finish();
}

double AmbientRun::train_step() {
  const std::int64_t rows = scsi().batch * scsi().resamples;
  const ObservationBatch batch = observations_.next(scsi().batch);
  const at::Tensor y_BD = batch.lifted_BD.repeat({scsi().resamples, 1}), seen_BS = masks_of(batch).repeat({scsi().resamples, 1});
  const at::Tensor ids_B = at::arange(step_ * rows, (step_ + 1) * rows, at::kLong);
  const at::Tensor shown_BS = baselines::thinned(seen_BS, delta_, key_.derive(Purpose::kMixture), ids_B);
  const at::Tensor level_B = draw_indices(key_.derive(Purpose::kInterpolantTime), static_cast<std::uint64_t>(step_), 1, rows, levels()) + 1;
  const at::Tensor t_B = level_B.to(at::kFloat) / static_cast<double>(levels());
  const baselines::AmbientInput input = baselines::ambient_input(y_BD, shown_BS, t_B, key_.derive(Purpose::kInterpolantNoise), ids_B);
  const RandomKey dropout_key = key_.derive(Purpose::kDropout).derive(static_cast<std::uint64_t>(step_));
  const at::Tensor mean_BD = denoiser_->mean(*student_, input, &dropout_key, at::arange(rows, at::kLong));
  const at::Tensor loss = denoiser_->loss(mean_BD, input, y_BD, seen_BS);
  const double value = loss.item<double>();
  check<NumericalError>(std::isfinite(value),
                        "step {}: the loss is not finite. The last checkpoint is intact; start anew with a lower optimiser.learning_rate or "
                        "model.precision = \"float32\".",
                        step_);
  loss.backward();
  optimiser_->step(step_, scsi().steps);
  return value;
}

void AmbientRun::evaluate(double loss) const {
  const at::NoGradGuard no_grad;
  const at::Tensor seen_BS = masks_of(held_out_), ids_B = held_out_.row_numbers();
  const at::Tensor shown_BS = baselines::thinned(seen_BS, delta_, key_.derive(Purpose::kMetric), ids_B);
  // The pixels hidden here and known: what hides them is no part of the observation.
  const RandomKey key = key_.derive(Purpose::kMetric).derive(1);
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0, end = 0; begin < ids_B.size(0); begin = end) {
    end = std::min(ids_B.size(0), begin + config_.train.transport.batch);
    const auto part = [&](const at::Tensor& all) { return all.slice(0, begin, end); };
    parts.push_back(denoiser_->restore(*ema_, part(held_out_.lifted_BD), part(shown_BS), least_time(), key, part(ids_B)));
  }
  const at::Tensor square_BPS = (at::cat(parts) - held_out_.lifted_BD).square().unflatten(1, {-1, seen_BS.size(1)});
  const at::Tensor asked_B1S = (seen_BS - shown_BS).unsqueeze(1);
  const double count = asked_B1S.sum().item<double>() * static_cast<double>(square_BPS.size(1));
  nlohmann::json line = {{"step", step_},
                         {"elapsed_s", watch_.elapsed_s()},
                         {"loss", loss},
                         {"learning_rate", learning_rate_at(config_.train.optimiser, step_, scsi().steps)}};
  if (count > 0) line["thinned_pixels_rmse"] = std::sqrt((square_BPS * asked_B1S).sum().item<double>() / count);
  folder_.append_metrics(line);
}

void AmbientRun::save_checkpoint() const {
  TensorFile file;
  file.text = json_text(nlohmann::json{{"step", step_},
                                       {"elapsed_s", watch_.elapsed_s()},
                                       {"stream", observations_.position()},
                                       {"config", config_toml_},
                                       {"delta", delta_},
                                       {"precision", config_.train.model.precision},
                                       {"pixel_mean", denoiser_->law().mean},
                                       {"pixel_deviation", denoiser_->law().deviation}});
  store_weights(*student_, "student.", file);
  store_weights(*ema_, "ema.", file);
  store_moments(*optimiser_, file);
  write_tensor_file(checkpoint_path(), file);
}

at::Tensor AmbientRun::drawn_masks(RandomKey key, const at::Tensor& ids_B) const {
  at::Tensor index_B = at::empty_like(ids_B);
  for (std::int64_t b = 0; b < ids_B.size(0); ++b) {
    const auto id = static_cast<std::uint64_t>(ids_B.const_data_ptr<std::int64_t>()[b]);
    const std::uint64_t row = key.derive(1).bits(id, 0) % static_cast<std::uint64_t>(masks_NS_.size(0));
    index_B.mutable_data_ptr<std::int64_t>()[b] = static_cast<std::int64_t>(row);
  }
  return baselines::thinned(masks_NS_.index_select(0, index_B), delta_, key.derive(2), ids_B);
}

}  // namespace unchannel
