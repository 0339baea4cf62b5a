// The import and export commands as the program parses them, without torch.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "../../../apps/unchannel/commands/commands.hpp"

namespace unchannel {
namespace {

using test_support::message_of;
using test_support::TempDir;

/// Runs `unchannel ARGUMENTS…`; errors come out as exceptions.
void run(std::vector<std::string> arguments) {
  CLI::App app("test", "unchannel");
  add_import_command(app);
  add_export_command(app);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  app.parse(std::move(arguments));
}

void write(const std::filesystem::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// An idx file of `rows` pictures of 1 × 2 pixels: 0 and 255 in each.
std::string idx(char rows) {
  std::string bytes{0, 0, 8, 3, 0, 0, 0, rows, 0, 0, 0, 1, 0, 0, 0, 2};
  for (char row = 0; row < rows; ++row) bytes += std::string("\x00\xFF", 2);
  return bytes;
}

TEST(ImportCommand, EverySourceHasAHelpThatEndsWithAnExampleAndExitCodes) {
  CLI::App app("test", "unchannel");
  add_import_command(app);
  const CLI::App* import = app.get_subcommand("import");
  for (const char* name : {"sdss", "quasar-prior", "cifar", "idx", "images", "tar", "mat", "npy"}) {
    const std::string help = import->get_subcommand(name)->help();
    EXPECT_NE(help.find(std::string("Example: unchannel import ") + name), std::string::npos) << name;
    EXPECT_NE(help.find("Exit codes: 0 ok"), std::string::npos) << name;
    EXPECT_LE(std::count(help.begin(), help.end(), '\n'), 40) << name << ": help should fit a screen";
  }
}

TEST(ImportCommand, IdxOptionsReachTheFile) {
  const TempDir folder;
  write(folder / "x", idx(5));
  write(folder / "y", std::string{0, 0, 8, 1, 0, 0, 0, 5, 9, 8, 7, 6, 5});
  const std::string output = (folder / "out.h5").string();
  run({"import", "idx", (folder / "x").string(), "--labels", (folder / "y").string(), "--output", output, "--as", "observations", "--scale",
       "unit", "--first", "1", "--count", "2"});
  const DatasetReader reader(output, DatasetKind::observations);
  EXPECT_EQ(reader.rows(), 2u);
  EXPECT_EQ(reader.row_shape(), (std::vector<std::uint64_t>{1, 1, 2}));
  EXPECT_EQ(*reader.numeric_column("label"), (std::vector<double>{8, 7}));
  EXPECT_NE(reader.attribute("provenance").find("unchannel import idx"), std::string::npos);
  run({"import", "idx", (folder / "x").string(), "--output", output, "--range", "0", "510"});
  std::vector<float> rows(10);
  DatasetReader(output).read_rows(0, 5, rows);
  EXPECT_EQ(rows[0], -1.0F);
  EXPECT_EQ(rows[1], 0.0F);
  run({"export", "npy", output, "--output", (folder / "a.npy").string()});
  EXPECT_EQ(std::filesystem::file_size(folder / "a.npy"), 128u + 10 * sizeof(float));
}

TEST(ImportCommand, NothingImportedIsADataErrorAndWrongOptionsAreUsageErrors) {
  const TempDir folder;
  std::filesystem::create_directory(folder / "set");
  write(folder / "set" / "a.png", "no picture");
  const std::string output = (folder / "out.h5").string();
  const std::string text = message_of<DataError>([&] { run({"import", "images", (folder / "set").string(), "--output", output}); });
  EXPECT_NE(text.find("not written: nothing could be imported (1 items skipped"), std::string::npos) << text;
  EXPECT_FALSE(std::filesystem::exists(output));
  EXPECT_THROW(run({"import", "images", (folder / "set").string(), "--output", output, "--size", "0"}), ConfigError);
  EXPECT_THROW(run({"import", "images", (folder / "set").string(), "--output", output, "--scale", "half"}), CLI::ParseError);
  EXPECT_THROW(run({"import", "images", (folder / "set").string(), "--output", output, "--count", "-1"}), CLI::ParseError);
  EXPECT_THROW(run({"import", "tar", (folder / "none").string(), "--output", output}), DataError);
}

TEST(ImportCommand, AnOutputThatIsTheInputIsRefusedAndTheInputStays) {
  const TempDir folder;
  write(folder / "x", idx(5));
  write(folder / "labels", std::string{0, 0, 8, 1, 0, 0, 0, 5, 9, 8, 7, 6, 5});
  const std::string x = (folder / "x").string(), labels = (folder / "labels").string(), output = (folder / "out.h5").string();
  EXPECT_THROW(run({"import", "idx", x, "--output", x}), ConfigError);
  EXPECT_THROW(run({"import", "idx", x, "--labels", labels, "--output", labels}), ConfigError);
  EXPECT_THROW(run({"import", "tar", x, "--output", x}), ConfigError);
  EXPECT_THROW(run({"import", "cifar", x, "--output", x}), ConfigError);
  EXPECT_THROW(run({"import", "sdss", x, "--output", x}), ConfigError);
  EXPECT_THROW(run({"import", "quasar-prior", x, "--count", "1", "--output", x}), ConfigError);
  run({"import", "idx", x, "--output", output});
  EXPECT_THROW(run({"export", "npy", output, "--output", output}), ConfigError);
  std::filesystem::create_symlink(output, folder / "link.fits");
  EXPECT_THROW(run({"export", "fits", output, "--output", (folder / "link.fits").string()}), ConfigError);
  EXPECT_EQ(std::filesystem::file_size(folder / "x"), idx(5).size());
  EXPECT_EQ(DatasetReader(output).rows(), 5u);
}

TEST(ImportCommand, ASignalStopsAnImportAndLeavesNothing) {
  const TempDir folder;
  write(folder / "x", idx(100));
  std::filesystem::create_directory(folder / "out");
  install_stop_signals();
  std::raise(SIGTERM);
  const auto interrupted = [&] { run({"import", "idx", (folder / "x").string(), "--output", (folder / "out" / "a.h5").string()}); };
  const std::string text = message_of<InterruptedError>(interrupted);
  clear_stop_request();
  EXPECT_NE(text.find("interrupted; nothing was written"), std::string::npos) << text;
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

}  // namespace
}  // namespace unchannel
