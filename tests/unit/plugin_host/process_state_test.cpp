#include <gtest/gtest.h>

#include <clocale>
#include <csignal>
#include <filesystem>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

/// A channel in this process that does some harm in one of its calls.
class ProcessStateInCalls : public ::testing::Test {
 protected:
  std::unique_ptr<PluginChannel> opened() {
    auto channel = PluginChannel::create(plugins_, "org.example.unruly");
    channel->configure({2}, {{"trigger", trigger_.string()}});
    return channel;
  }
  static void simulate(const PluginChannel& channel) {
    const std::vector<float> x = {1, 2};
    const std::vector<std::uint64_t> ids = {7};
    std::vector<float> y(2);
    channel.simulate(1, ids, x.data(), {}, y.data());
  }

  test_support::TempDir folder_;
  std::filesystem::path trigger_ = folder_ / "trigger";
  PluginRegistry plugins_{{.plugin_dirs = {UNRULY_DIR}, .default_folders = false, .threads = 1, .probe = {.worker = WORKER}}};
};

TEST_F(ProcessStateInCalls, WhatTheFirstCallChangesIsReportedAndPutBack) {
  const auto working_directory = std::filesystem::current_path();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  for (const auto& [harm, expected] :
       {std::pair{"locale", "the locale"}, std::pair{"folder", "the working directory"}, std::pair{"signal", "the handler of SIGUSR2"}}) {
    const auto channel = opened();
    write_file_atomically(trigger_, harm);
    const std::string said = test_support::message_of<PluginStatusError>([&] { simulate(*channel); });
    EXPECT_NE(said.find(std::string("INSTANCE_BROKEN: it changes the process: ") + expected), std::string::npos) << said;
    EXPECT_EQ(std::filesystem::current_path(), working_directory);
    EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
    struct sigaction action {};
    ::sigaction(SIGUSR2, nullptr, &action);
    EXPECT_EQ(action.sa_handler, SIG_DFL);
    EXPECT_THROW(simulate(*channel), PluginError) << "nothing more is asked of this instance";
  }
}

TEST_F(ProcessStateInCalls, AChangedLocaleIsNoticedAfterAnyCall) {
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  const auto channel = opened();
  for (int call = 0; call < 10; ++call) simulate(*channel);
  write_file_atomically(trigger_, "locale");
  const std::string said = test_support::message_of<PluginStatusError>([&] { simulate(*channel); });
  EXPECT_NE(said.find("the locale"), std::string::npos) << said;
  EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
}

}  // namespace
}  // namespace unchannel
