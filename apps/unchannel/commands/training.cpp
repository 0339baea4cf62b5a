#include "training.hpp"

#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include <fmt/core.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/base/temporary_folder.hpp>
#include <unchannel/diagnostics/run_verdict.hpp>
#include <unchannel/distributed/agreement.hpp>
#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/device.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/memory_model.hpp>
#include <unchannel/scsi/start_run.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/scsi/trial.hpp>

#include "terminal_observer.hpp"

namespace unchannel {
namespace {

nlohmann::json provenance(const RunConfig& config, const Channel& channel, const Ranks& ranks) {
  const DataSettings& data = config.train.data;
  const std::string kind = data.signals.empty() ? "observations" : "signals";
  nlohmann::json facts = {{"unchannel_version", UNCHANNEL_VERSION},
                          {"git", UNCHANNEL_GIT_REVISION},
                          {"torch", at::show_config().substr(0, at::show_config().find('\n'))},
                          {"threads", at::get_num_threads()},
                          {"ranks", ranks.size()},
                          {"channel", channel.configuration()},
                          {kind, data.file()},
                          {kind + "_sha256", sha256_file(data.file())}};
  if (const StartSettings& start = config.train.start; start.kind == "run") {
    facts["start_run"] = start.run;
    facts["start_run_checkpoint_sha256"] = sha256_file(start_checkpoint(start));
  }
  return facts;
}

/// "auto" is decided once, when a run starts: a resumed one must not change its arithmetic.
void settle_precision(RunConfig& config, bool resume, const std::filesystem::path& run) {
  std::string& precision = config.train.model.precision;
  if (precision != "auto") return;
  precision = resume ? read_run_config(run).train.model.precision : native_precision(device_named(config.train.model.device).str());
}

void check_same_settings(RunConfig& config, const std::string& config_name, const std::filesystem::path& run) {
  check<ConfigError>(read_run_config(run).to_toml() == config.to_toml(),
                     "{}: was started with other settings than {} gives now; compare with {}. Resume with the same settings or start a "
                     "new run.",
                     run.string(), config_name, RunFolder::config_path(run).string());
}

/// Appends the verdict on the finished run to its metrics and prints it. Once for each end of a run: the test observations are used once. None of a
/// run on fixed pairs, which has no outer iteration.
void write_verdict(const RunConfig& config, const Channel& channel, const RunFolder& folder, std::int64_t step, TerminalObserver& terminal) {
  const std::int64_t replicas = config.train.verdict.replicas;
  if (replicas == 0 || config.train.scsi.refresh_every == 0 || folder.holds_verdict(step)) return;
  const TrainingObserver observer = terminal.observer(true);
  const diagnostics::RunVerdict result = diagnostics::judge_run(folder.path(), config.train, channel, [&](std::int64_t done) {
    if (const int signal = observer.stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {}: the training is finished, its verdict is not; get it with --resume.", signal), signal);
    }
    observer.progress(done, replicas, "verdict");
  });
  folder.append_metrics(diagnostics::to_json(result));
  const diagnostics::Verdict& verdict = result.verdict;
  observer.message(fmt::format("verdict: {}: {}", to_string(verdict.word), verdict.reason));
  if (!verdict.remedy.empty()) observer.message("         " + verdict.remedy);
  if (!result.recoverability.empty()) observer.message("recoverability: " + diagnostics::recoverability_in_words(result.recoverability));
}

/// The precision that the first rank settled on, for all.
void settle_precision_everywhere(RunConfig& config, bool resume, const std::filesystem::path& run, Ranks& ranks) {
  together(ranks, [&] {
    if (ranks.first()) settle_precision(config, resume, run);
  });
  ranks.broadcast(config.train.model.precision);
}

nlohmann::json lines_of(const std::string& text) {
  nlohmann::json lines = nlohmann::json::array();
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

nlohmann::json facts_of_program() {
  return {{"program", {{"version", UNCHANNEL_VERSION}, {"git", UNCHANNEL_GIT_REVISION}, {"sha256", sha256_file("/proc/self/exe")}}}};
}

/// Whatever else would make the ranks compute different things.
nlohmann::json facts_of_training(RunConfig& config, const Channel& channel, bool resume) {
  return {{"configuration", lines_of(config.to_toml())},
          {"channel", channel.configuration()},
          {"resume", resume}};
}

/// The folder of the run on the first rank, a private one elsewhere.
class FolderOfRank {
 public:
  FolderOfRank(const std::filesystem::path& run, bool resume, Ranks& ranks) {
    together(ranks, [&] {
      if (!ranks.first()) private_.emplace("rank");
      folder_.emplace(!ranks.first() ? RunFolder::create(private_->path()) : resume ? RunFolder::resume(run) : RunFolder::create(run));
    });
  }
  RunFolder& operator*() { return *folder_; }
  RunFolder* operator->() { return &*folder_; }

 private:
  std::optional<TemporaryFolder> private_;
  std::optional<RunFolder> folder_;  // ends first
};

/// Whether the first rank has a checkpoint to continue from.
bool has_checkpoint(const RunFolder& folder, Ranks& ranks) {
  std::string answer = std::filesystem::exists(folder.checkpoint_path()) ? "yes" : "no";
  ranks.broadcast(answer);
  return answer == "yes";
}

void train_in_folder(RunConfig& config, const std::string& config_name, const Channel& channel, const std::filesystem::path& run, bool resume, Ranks& ranks) {
  FolderOfRank folder(run, resume, ranks);
  settle_precision_everywhere(config, resume, run, ranks);
  check_same_everywhere(ranks, facts_of_training(config, channel, resume));
  TerminalObserver terminal;
  std::optional<Trainer> trainer;
  together(ranks, [&] {
    if (resume && ranks.first()) check_same_settings(config, config_name, run);
    trainer.emplace(config.train, channel, *folder, terminal.observer(ranks.first()), ranks);
  });
  if (resume && has_checkpoint(*folder, ranks)) {
    trainer->resume();
    if (ranks.first()) fmt::print(stderr, "resuming at step {}\n", trainer->step());
  } else {
    together(ranks, [&] {
      if (!ranks.first()) return;
      folder->write_config(config.to_toml());
      folder->write_provenance(provenance(config, channel, ranks));
    });
    trainer->start();  // without a checkpoint there is nothing to save: a stop may cancel a plugin's call
  }
  {
    const CancellationDeferral deferral;
    trainer->run();
  }
  const std::int64_t step = trainer->step();
  trainer.reset();  // its pool need not be held beside what the verdict reads
  together(ranks, [&] {
    if (ranks.first()) write_verdict(config, channel, *folder, step, terminal);
  });
}

}  // namespace

void use_threads(const RunSettings& settings) {
  at::set_num_threads(settings.threads > 0 ? static_cast<int>(settings.threads) : static_cast<int>(std::thread::hardware_concurrency()));
}

void run_training(RunConfig config, const std::string& config_name, const std::filesystem::path& run, bool resume,
                  const std::vector<std::string>& plugin_folders, Ranks& ranks) {
  if (!ranks.alone()) check_same_everywhere(ranks, facts_of_program());  // first: another program may fail in other ways
  use_threads(config.train.run);
  std::unique_ptr<Channel> channel;
  together(ranks, [&] { channel = open_channel(config, plugin_folders, config.train.data.file()); });
  // A restoration sees observations only: where these have another shape, the run must know the signals'.
  if (!config.train.data.signals.empty() && channel->signal_shape() != channel->observation_shape()) {
    config.channel.signal_shape = channel->signal_shape();
  }
  if (config.train.start.kind == "run" && !resume) {
    together(ranks, [&] { open_start_run(config.train, *channel); });  // refused before there is a folder
  }
  try {
    return train_in_folder(config, config_name, *channel, run, resume, ranks);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error.what())) throw;
  }
  // Here everything the training held is free again, so that a few small steps can show what a larger one needs.
  throw OutOfMemoryError(memory_advice(config.train, *channel));
}

}  // namespace unchannel
