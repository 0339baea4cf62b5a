#include "sampler_run.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/run/run_folder.hpp>

namespace unchannel {

void SamplerConfig::visit(SettingsVisitor& visitor) {
  run.visit(visitor);
  visitor.section({"posterior", "The posterior sampler of a finished run: `unchannel posterior RUN --set posterior.…`."},
                  [this](SettingsVisitor& v) { posterior.visit(v); });
}

SamplerConfig SamplerConfig::read(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  SamplerConfig config;
  Config::read(path, overrides).fill([&](SettingsVisitor& visitor) { config.visit(visitor); });
  std::string& signals = config.posterior.signals;
  if (!signals.empty()) signals = std::filesystem::absolute(signals).lexically_normal().string();
  config.run.train.check_consistency();
  return config;
}

std::string SamplerConfig::to_toml() {
  return settings_to_toml([this](SettingsVisitor& visitor) { visit(visitor); });
}

nlohmann::json read_provenance(const std::filesystem::path& run) {
  const std::filesystem::path file = run / "provenance.json";
  std::ifstream in(file);
  check<DataError>(in.good(), "{}: cannot be read; it says what the run was made from. Train again.", file.string());
  nlohmann::json facts = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  check<DataError>(facts.is_object(), "{}: is damaged. Train again.", file.string());
  return facts;
}

std::filesystem::path sampler_folder(const std::filesystem::path& run) { return run / "posterior"; }

bool holds_sampler(const std::filesystem::path& run) { return std::filesystem::exists(RunFolder::checkpoint_path(sampler_folder(run))); }

nlohmann::json sampler_origin(const std::filesystem::path& run, const Channel& channel) {
  return {{"run_checkpoint_sha256", sha256_file(RunFolder::checkpoint_path(run))}, {"channel", channel.configuration()}};
}

void check_sampler_origin(const std::filesystem::path& run, const Channel& channel) {
  const std::filesystem::path folder = sampler_folder(run);
  const nlohmann::json now = sampler_origin(run, channel), then = read_provenance(folder);
  const char* remedy = "Remove that folder and train the sampler again with unchannel posterior";
  check<ConfigError>(then.value("run_checkpoint_sha256", std::string()) == now.at("run_checkpoint_sha256"),
                     "{}: its posterior sampler was trained for another checkpoint of {}, whose learnt signals differ. {}.", folder.string(), run.string(),
                     remedy);
  check<ConfigError>(then.value("channel", nlohmann::json()) == now.at("channel"),
                     "{}: its posterior sampler was trained for another channel or other parameters of it than {} has now. {}.", folder.string(),
                     channel.id(), remedy);
}

SamplerRun open_sampler(const std::filesystem::path& run, const Channel& channel) {
  check<ConfigError>(holds_sampler(run),
                     "{}: has no posterior sampler. Train one: unchannel posterior {}. For a channel that adds white noise only, a run with "
                     "interpolant.epsilon_schedule = \"posterior\" needs none.",
                     run.string(), run.string());
  check_sampler_origin(run, channel);
  SamplerConfig config = SamplerConfig::read(RunFolder::config_path(sampler_folder(run)), {});
  TrainedSampler trained = open_trained_sampler(sampler_folder(run), config.run.train.model);
  check<ConfigError>(trained.step >= config.posterior.steps,
                     "{}: the posterior sampler stopped at step {} of {}. Finish it: unchannel posterior {} --resume.", sampler_folder(run).string(),
                     trained.step, config.posterior.steps, run.string());
  return {std::move(config), std::move(trained)};
}

}  // namespace unchannel
