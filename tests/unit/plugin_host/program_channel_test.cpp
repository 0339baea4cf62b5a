#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <unchannel/plugin_project/new_project.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

class ProgramChannel : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("UNCHANNEL_WORKER", WORKER, 1); }
  /// Why a manifest with this command is no plugin.
  std::string why(const std::string& text, double time_limit_s = 20) {
    const auto file = folder_ / ("file" + std::to_string(++files_) + ".channel.toml");
    write_file_atomically(file, text);
    const ProbeResult result = probe_library(file, {.worker = WORKER, .time_limit_s = time_limit_s});
    EXPECT_FALSE(result.good) << text;
    return result.reason;
  }

  test_support::TempDir folder_;
  int files_ = 0;
};

TEST_F(ProgramChannel, ProgramsOfTheProtocolAreChannels) {
  const PluginRegistry plugins({.plugin_dirs = {PROGRAM_DIR}, .default_folders = false, .threads = 1});
  ASSERT_EQ(plugins.libraries().size(), 1u) << "_decay.py beside the manifest is a helper";
  const auto found = plugins.find("org.example.decay");
  EXPECT_EQ(found.library->probe.abi, "protocol 1");
  EXPECT_EQ(found.channel->parameters[1].range_text(), "> 0");
  EXPECT_THROW(open_plugin(plugins, "org.example.decay", {.mode = Isolation::kInproc}), ConfigError);
  const auto decay = open_plugin(plugins, "org.example.decay");
  decay->configure({3}, {{"time", 3.0}});
  const std::vector<float> x = {1, 2, 3, -4, 5, 6};
  const std::vector<std::uint64_t> ids = {10, 11};
  std::vector<float> y(6);
  EXPECT_TRUE(decay->draw_latents(1, ids, x.data(), {}).empty());
  EXPECT_TRUE(decay->simulate(1, ids, x.data(), {}, y.data()).empty());
  // One product in double and one rounding to float32.
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_FLOAT_EQ(y[i], static_cast<float>(std::exp(-1.5) * x[i]));
  const auto before = y;
  ::kill(-dynamic_cast<WorkerChannel&>(*decay).worker_pid(), SIGKILL);
  decay->simulate(1, ids, x.data(), {}, y.data());
  EXPECT_EQ(y, before) << "a fresh process repeats the call";
  EXPECT_EQ(dynamic_cast<WorkerChannel&>(*decay).statistics().deaths, 1);
}

/// What a program says is not trusted to be of the right type, at any point of the conversation.
TEST_F(ProgramChannel, MessagesOfWrongTypesAreTheProgramsFault) {
  const std::string program = read_file(PROGRAM_DIR "/_decay.py");
  const std::string loop = "        write(*answer(*message, channel_state))\n";
  ASSERT_NE(program.find(loop), std::string::npos);
  const auto before = [&](const std::string& type, const std::string& note) {
    return "        if message[0][\"type\"] == \"" + type + "\": write(" + note + ")\n" + loop;
  };
  struct Lie {
    std::string from, to, expected;  ///< expected "": it does no harm
  };
  const std::vector<Lie> lies = {
      {loop, before("create", R"({"type": "log", "level": "high", "text": "x"})"), "does not speak the protocol"},
      {loop, before("simulate", R"({"type": "log", "level": 1, "text": 5})"), "does not speak the protocol"},
      {loop, before("simulate", R"({"type": "progress", "fraction": "half"})"), "does not speak the protocol"},
      {loop, before("simulate", R"({"type": ["log"]})"), "answers simulate with ''"},
      {"\"y_shape\": question", "\"y_shape\": {\"a\": 1}, \"no\": question", "the answer to configure is not understood"},
      {"\"shared_memory\": False", "\"shared_memory\": \"no\"", ""}};
  for (std::size_t i = 0; i < lies.size(); ++i) {
    const auto& [from, to, expected] = lies[i];
    const auto folder = folder_ / ("lie" + std::to_string(i));
    std::filesystem::create_directory(folder);
    std::string changed = program;
    ASSERT_NE(changed.find(from), std::string::npos) << from;
    changed.replace(changed.find(from), from.size(), to);
    write_file_atomically(folder / "_decay.py", changed);
    write_file_atomically(folder / "decay.channel.toml", "[program]\ncommand = ['python3', './_decay.py']\n");
    RegistrySettings settings{.plugin_dirs = {folder}, .default_folders = false, .threads = 1};
    settings.log = [](auto&&...) {};
    settings.progress = [](auto&&...) {};
    const PluginRegistry plugins(std::move(settings));
    const auto use = [&] {
      const auto channel = open_plugin(plugins, "org.example.decay", {.failed_samples = folder / "failed"});
      channel->configure({2}, nlohmann::json::object());
      const std::vector<float> x = {1, 2, 3, 4};
      const std::vector<std::uint64_t> ids = {0, 1};
      std::vector<float> y(4);
      // What cannot be done is given up sample by sample until the limit of failures in a row.
      for (int call = 0; call < 20; ++call) channel->simulate(1, ids, x.data(), {}, y.data());
    };
    if (expected.empty()) {
      EXPECT_NO_THROW(use()) << to;
      continue;
    }
    const std::string said = test_support::message_of<PluginError>(use);
    EXPECT_NE(said.find(expected), std::string::npos) << to << "\n" << said;
  }
}

// Written by `plugins new`, dropped into a folder and used: nothing of unchannel is built again.
TEST_F(ProgramChannel, ComesFromATemplateThatWorksAsItIs) {
  const NewProject project =
      write_new_project({.name = "lens", .language = "executable", .folder = folder_ / "lens", .templates = TEMPLATES});
  const PluginRegistry plugins({.plugin_dirs = {project.folder}, .default_folders = false, .threads = 1});
  ASSERT_EQ(plugins.libraries().size(), 1u);
  const auto lens = open_plugin(plugins, "org.example.lens");
  lens->configure({2}, {{"gain", 2.5}});
  const std::vector<float> x = {1, 2, 3, -4};
  const std::vector<std::uint64_t> ids = {0, 1};
  std::vector<float> y(4);
  EXPECT_TRUE(lens->simulate(1, ids, x.data(), {}, y.data()).empty());
  EXPECT_EQ(y, (std::vector<float>{2.5F, 5, 7.5F, -10}));
}

TEST_F(ProgramChannel, TellsWhatIsWrongWithAManifestOrItsProgram) {
  const std::vector<std::pair<std::string, std::string>> manifests = {
      {"command = ['true']\n", "command"},
      {"[program]\ncommand = 'true'\n", "must have a table [program] with `command`, a list of strings"},
      {"[program]\ncommand = [1]\n", "a list of strings"},
      {"[program]\ncommand = []\n", "a list of strings"},
      {"[program]\ncommand = ['true']\nshell = true\n", "and nothing else"},
      {"[program\n", "file6.channel.toml"},
      {"[program]\ncommand = ['./nowhere']\n", "/nowhere cannot be found or may not be executed"},
      {"[program]\ncommand = ['no_such_program_at_all']\n", "the program no_such_program_at_all cannot be found"},
      {"[program]\ncommand = ['true']\n", "ended in hello"},
      {"[program]\ncommand = ['echo', 'hello']\n", "does not speak the protocol"},
      {"[program]\ncommand = ['sh', '-c', 'echo broken >&2; kill -SEGV $$']\n", "SIGSEGV"},
      {"[program]\ncommand = ['cat']\n", "answers describe with 'describe'"}};
  for (const auto& [text, expected] : manifests) {
    const std::string reason = why(text);
    EXPECT_NE(reason.find(expected), std::string::npos) << text << "\n" << reason;
  }
  const std::string program = read_file(PROGRAM_DIR "/_decay.py");
  const std::vector<std::array<std::string, 3>> lies = {
      {"\"type\": \"f64\"", "\"type\": \"f65\"", "unknown name 'f65'"},
      {"ID = \"org.example.decay\"", "ID = \"not an id\"", "'not an id' cannot be the id"},
      {"\"default\": default", "\"default\": \"many\"", "its default \"many\" is no number"},
      {"\"min\": 0.0", "\"min\": 7.0", "must lie in the range > 7"},
      {"\"protocol\": 1", "\"protocol\": 2", "speaks version 2"}};
  for (const auto& [from, to, expected] : lies) {
    std::string changed = program;
    ASSERT_NE(changed.find(from), std::string::npos) << from;
    changed.replace(changed.find(from), from.size(), to);
    write_file_atomically(folder_ / "_program.py", changed);
    const std::string reason = why("[program]\ncommand = ['python3', './_program.py']\n# " + expected + "\n");
    EXPECT_NE(reason.find(expected), std::string::npos) << reason;
  }
  EXPECT_NE(why("[program]\ncommand = ['sleep', '60']\n", 2).find("stopped after 2 s in the conversation with the program"),
            std::string::npos);
}

}  // namespace
}  // namespace unchannel
