#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string_view>

#include <fmt/core.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>

#include "command_line.hpp"
#include "commands/commands.hpp"

namespace {

constexpr int kUsageError = 2;

int report_out_of_memory() {
  fmt::print(stderr, "unchannel: out of memory. Lower scsi.batch, scsi.pool or data.buffer_mib.\n");
  return 5;
}

int run(int argc, char** argv) {
  CLI::App app("Restore signals from corrupted observations and a simulator of the corruption alone.", "unchannel");
  app.set_version_flag("--version", UNCHANNEL_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Example: unchannel train configs/smoke/quasar.toml --run runs/first\n"
      "Exit codes: 0 success, 1 verification failed, 2 usage or configuration, 3 plugin, 4 data or disk, 5 numerical,\n"
      "6 another process of the job was lost, 130 and 143 interrupted with a checkpoint");
  unchannel::add_import_command(app);
  unchannel::add_info_command(app);
  unchannel::add_plugins_command(app);
  unchannel::add_simulate_command(app);
  unchannel::add_degrade_command(app);
  unchannel::add_plan_command(app);
  unchannel::add_train_command(app);
  unchannel::add_curve_command(app);
  unchannel::add_identify_command(app);
  unchannel::add_distil_command(app);
  unchannel::add_posterior_command(app);
  unchannel::add_restore_command(app);
  unchannel::add_join_command(app);
  unchannel::add_sample_command(app);
  unchannel::add_baseline_command(app);
  unchannel::add_evaluate_command(app);
  unchannel::add_theory_command(app);
  unchannel::add_verify_command(app);
  unchannel::add_report_command(app);
  unchannel::add_export_command(app);
  unchannel::add_reference_command(app);
  // Only commands that poll: the others (evaluate, export, info, reference, theory) are to end at once, as the shell's user expects.
  for (const char* name : {"import", "plugins", "simulate", "degrade", "plan", "train", "curve", "identify", "distil", "posterior", "restore", "join", "sample",
                           "baseline", "report", "verify"}) {
    app.get_subcommand(name)->preparse_callback([](std::size_t) { unchannel::install_stop_signals(); });
  }
  unchannel::check_command_words(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    throw unchannel::ConfigError(unchannel::unexpected_words(app));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Beyond a file-size limit a write then fails like on a full disk, with a message, instead of ending the process.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const unchannel::Error& error) {
    if (*error.what() != '\0') fmt::print(stderr, "unchannel: {}\n", error.what());
    return error.exit_code();
  } catch (const std::bad_alloc&) {
    return report_out_of_memory();
  } catch (const std::exception& error) {
    // The tensor library has an exception type of its own for this, which the torch-free commands need not know.
    if (std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos) return report_out_of_memory();
    fmt::print(stderr, "unchannel: internal error, please report it: {}\n", error.what());
    return 1;
  }
}
