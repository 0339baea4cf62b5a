#include "isolation.hpp"

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

#include "check_record.hpp"
#include "plugin_channel.hpp"
#include "program_plugin.hpp"
#include "worker_channel.hpp"

namespace unchannel {

Isolation isolation_from_text(const std::string& text) {
  if (text == "auto") return Isolation::kAuto;
  if (text == "process") return Isolation::kProcess;
  if (text == "inproc") return Isolation::kInproc;
  const std::vector<std::string> allowed = {"auto", "process", "inproc"};
  throw ConfigError(fmt::format("isolation must be 'auto', 'process' or 'inproc'; it is '{}'.{}", text, did_you_mean(text, allowed)));
}

bool auto_runs_inproc(const ProbeResult& probe) { return has_passed_check(probe.sha256, probe.needed); }

std::unique_ptr<PluginInstance> open_plugin(const PluginRegistry& registry, const std::string& id, const IsolationSettings& settings) {
  const auto found = registry.find(id);
  const std::filesystem::path& file = found.library->probe.file;
  const bool program = is_program_plugin(file);
  check<ConfigError>(!program || settings.mode != Isolation::kInproc,
                     "channel.isolation = 'inproc': {} is a program of its own and never runs inside this one. Use 'auto' or 'process'.",
                     file.string());
  const bool inproc =
      !program && (settings.mode == Isolation::kInproc || (settings.mode == Isolation::kAuto && auto_runs_inproc(found.library->probe)));
  if (inproc) return PluginChannel::create(registry, id);
  return WorkerChannel::create(registry, id, settings);
}

}  // namespace unchannel
