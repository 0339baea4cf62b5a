#include <CLI/CLI.hpp>

#include <fmt/core.h>

#include <unchannel/base/config.hpp>
#include <unchannel/theory/settings.hpp>
#include <unchannel/verification/verify_settings.hpp>

#include "../sampler_run.hpp"
#include "commands.hpp"

namespace unchannel {

void add_reference_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("reference", "print every key of a configuration as Markdown");
  command->footer("Example: unchannel reference > keys.md\nExit codes: 0 ok");
  command->callback([] {
    SamplerConfig defaults;
    theory::TheorySettings theory_defaults;
    verification::VerifySettings verify_defaults;
    fmt::print(
        "# Configuration reference\n\n"
        "Every key of a configuration, from the settings' own documentation. The parameters of a channel stand in\n"
        "`[channel.parameters]`; `unchannel plugins info ID` lists them. `[theory]` and `[verify]` belong to the commands of these names and need none of the others.\n"
        "To renew this page: `script/reference`.\n{}",
        settings_to_markdown([&](SettingsVisitor& visitor) {
          defaults.visit(visitor);
          visitor.section({"theory", "A Gaussian signal behind a linear channel, for `unchannel theory`."},
                          [&](SettingsVisitor& fields) { theory_defaults.visit(fields); });
          visitor.section({"verify", "How `unchannel verify` trains the engine on the case of [theory]."}, [&](SettingsVisitor& fields) { verify_defaults.visit(fields); });
        }));
  });
}

}  // namespace unchannel
