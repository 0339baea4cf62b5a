#pragma once

namespace CLI {
class App;
}

// Each function adds one subcommand; its callback runs the command and reports failure by an unchannel::Error.
namespace unchannel {

void add_baseline_command(CLI::App& app);
void add_baseline_ambient_command(CLI::App& baseline);  // ambient, below `baseline`
void add_baseline_em_command(CLI::App& baseline);  // em, below `baseline`
void add_curve_command(CLI::App& app);
void add_degrade_command(CLI::App& app);
void add_distil_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_identify_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_import_array_commands(CLI::App& import);  // idx, mat and npy, below `import`
void add_import_image_commands(CLI::App& import);  // cifar, images and tar, below `import`
void add_info_command(CLI::App& app);
void add_join_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_plugins_command(CLI::App& app);
void add_plugins_check_commands(CLI::App& plugins);  // check and fuzz, below `plugins`
void add_plugins_new_command(CLI::App& plugins);     // of the plugins command
void add_posterior_command(CLI::App& app);
void add_reference_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_restore_command(CLI::App& app);
void add_sample_command(CLI::App& app);
void add_simulate_command(CLI::App& app);
void add_theory_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_verify_command(CLI::App& app);

}  // namespace unchannel
