#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <unchannel/base/progress.hpp>
#include <unchannel/data/import_options.hpp>

#include "commands.hpp"

namespace unchannel {

/// Throws InterruptedError when the user asked to stop; `output` was then not written.
void stop_import_if_requested(const std::string& output);

/// The options that importers of pictures and arrays share.
struct ImportArguments {
  std::string output, kind = "signals", scale = "auto";
  std::uint64_t first = 0, count = 0;

  /// --output, --as, --scale, --first, --count.
  void add_to(CLI::App& command);
  /// Copies them into what the library takes. Throws ConfigError.
  void apply(const std::string& made_by, ImportOptions& options) const;
};

/// A progress line that starts with the first report, and stops the import on SIGINT or SIGTERM.
class ImportBar {
 public:
  ImportBar(std::string label, std::string output) : label_(std::move(label)), output_(std::move(output)) {}
  ImportProgress callback();
  void finish();

 private:
  std::string label_, output_;
  std::unique_ptr<Progress> bar_;
};

/// Prints what was imported and the skipped items with their reasons. Throws DataError when nothing could be imported.
void print_import(const ImportReport& report, const std::string& output);

}  // namespace unchannel
