#pragma once

#include <memory>
#include <optional>
#include <string>

#include "plugin_instance.hpp"
#include "row_program.hpp"

namespace unchannel {

/// A row program as a channel without latents and without optional functions; observations have the shape of signals. Every simulate starts
/// the command once. Lives in a worker process (--serve): the host's deadline, memory limit and replay hold for the command, too.
class RowChannel final : public PluginInstance {
 public:
  /// Throws ConfigError (wrong manifest) or PluginError (no such program; `sha256` is not empty and not the manifest's).
  static std::unique_ptr<RowChannel> create(const std::filesystem::path& file, const std::string& sha256);

  void configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder = ".") override;
  PluginFile file() const override { return file_; }
  bool offers(const char*) const override { return false; }
  /// Throws PluginError when the command fails or writes anything but `count` rows.
  PluginSampleFailures run(const BatchCall& call) const override;

 private:
  RowChannel(RowProgram program, PluginFile file);
  std::optional<std::string> known(const std::string& name, const BatchCall& call) const;
  std::string replaced(const std::string& word, const BatchCall& call) const;
  std::string input_of(const BatchCall& call) const;

  RowProgram program_;
  PluginFile file_;
};

/// rows [count][width] as the text format: shortest decimal numbers that read back as the same float32.
std::string rows_to_text(const float* rows, std::int64_t count, std::int64_t width);
/// The inverse, also of "nan" and "inf". Throws PluginError naming the first row that is wrong or missing, or too much.
void rows_from_text(const std::string& text, std::int64_t count, std::int64_t width, float* rows);

}  // namespace unchannel
