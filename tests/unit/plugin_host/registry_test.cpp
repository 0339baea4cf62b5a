#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>
#include <unchannel/plugin_host/registry.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

class Registry : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("UNCHANNEL_WORKER", WORKER, 1);
    ::setenv("XDG_DATA_HOME", (temp_ / "data").c_str(), 1);
    ::unsetenv("UNCHANNEL_PLUGIN_PATH");
  }
  /// A folder with a copy of a test library under another name.
  std::filesystem::path folder_with(const std::string& folder, const std::string& library) {
    std::filesystem::create_directories(temp_ / folder);
    std::filesystem::copy_file(std::string(GOOD_DIR) + "/" + library + ".so", temp_ / folder / (library + ".so"));
    return temp_ / folder;
  }
  static PluginRegistry only(const std::vector<std::filesystem::path>& folders) {
    return PluginRegistry({.plugin_dirs = folders, .default_folders = false});
  }

  test_support::TempDir temp_;
};

using test_support::message_of;

TEST_F(Registry, FindsABareLibraryDroppedIntoEachKindOfFolder) {
  const auto named = folder_with("named", "awgn");
  ::setenv("UNCHANNEL_PLUGIN_PATH", (folder_with("variable", "awgn").string() + ":/nowhere").c_str(), 1);
  folder_with("data/unchannel/plugins", "awgn");
  const PluginRegistry registry({.plugin_dirs = {named}});
  std::vector<std::string> origins;
  for (const LibraryRecord& library : registry.libraries()) {
    EXPECT_TRUE(library.probe.good) << library.probe.reason;
    if (library.probe.file.filename() == "awgn.so") origins.push_back(library.origin);
  }
  EXPECT_EQ(origins, (std::vector<std::string>{"--plugin-dir", "UNCHANNEL_PLUGIN_PATH", "user"}));
  EXPECT_TRUE(registry.libraries()[0].shadowed.empty());
  EXPECT_EQ(registry.libraries()[1].shadowed.size(), 1u) << "the first folder takes precedence";
}

TEST_F(Registry, ListsFoldersThatDoNotExist) {
  ::setenv("UNCHANNEL_PLUGIN_PATH", "/nowhere/at/all", 1);
  const PluginRegistry registry;
  const auto& folders = registry.folders();
  const auto found =
      std::find_if(folders.begin(), folders.end(), [](const PluginFolder& folder) { return folder.path == "/nowhere/at/all"; });
  ASSERT_NE(found, folders.end());
  EXPECT_FALSE(found->exists);
}

TEST_F(Registry, RefusesANamedFolderThatDoesNotExist) {
  EXPECT_NE(message_of<ConfigError>([] { only({"/nowhere"}).libraries(); }).find("--plugin-dir /nowhere: is no folder"), std::string::npos);
}

TEST_F(Registry, KeepsGoodPluginsUsableBesideBadOnes) {
  const auto folder = folder_with("mixed", "gain");
  write_file_atomically(folder / "notes.so", "not a library");
  const PluginRegistry registry = only({folder});
  ASSERT_EQ(registry.libraries().size(), 2u);
  EXPECT_EQ(registry.find("org.example.gain").channel->name, "Gain");
  const std::string message = message_of<ConfigError>([&] { registry.find("org.example.gian", {"awgn"}); });
  EXPECT_NE(message.find("Did you mean 'org.example.gain'?"), std::string::npos) << message;
  EXPECT_NE(message.find("awgn"), std::string::npos);
  EXPECT_NE(message.find("notes.so failed to load: is no ELF file"), std::string::npos) << "the wanted plugin may be the broken one";
}

TEST_F(Registry, RefusesAPluginThatChangedAfterItsProbe) {
  const auto folder = folder_with("changing", "gain");
  const PluginRegistry registry = only({folder});
  registry.libraries();
  std::filesystem::remove(folder / "gain.so");
  std::filesystem::copy_file(GOOD_DIR "/awgn.so", folder / "gain.so");
  EXPECT_NE(message_of<PluginError>([&] { PluginChannel::create(registry, "org.example.gain"); }).find("has changed since it was probed"),
            std::string::npos);
}

}  // namespace
}  // namespace unchannel
