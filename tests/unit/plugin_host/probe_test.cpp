#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/probe.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

ProbeResult probe(const std::filesystem::path& file, double time_limit_s = 60) {
  return probe_library(file, {.worker = WORKER, .time_limit_s = time_limit_s});
}
ProbeResult probe_bad(const std::string& name, double time_limit_s = 60) {
  return probe(std::filesystem::path(BAD_DIR) / (name + ".so"), time_limit_s);
}

void expect_reason(const ProbeResult& result, const std::string& part) {
  EXPECT_FALSE(result.good);
  EXPECT_NE(result.reason.find(part), std::string::npos) << result.reason;
}

TEST(Probe, DescribesEverythingAGoodPluginDeclares) {
  const ProbeResult result = probe(GOOD_DIR "/gain.so");
  ASSERT_TRUE(result.good) << result.reason;
  EXPECT_EQ(result.abi, "1.0");
  EXPECT_EQ(result.sha256.size(), 64u);
  EXPECT_TRUE(result.warnings.empty());
  ASSERT_EQ(result.channels.size(), 2u);
  const ChannelDescription& gain = result.channels[0];
  EXPECT_EQ(gain.id, "org.example.gain");
  EXPECT_EQ(gain.version, "1.2.3");
  EXPECT_EQ(gain.determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  EXPECT_EQ(gain.thread_class, UNCHANNEL_THREADS_REENTRANT);
  ASSERT_EQ(gain.parameters.size(), 8u);
  EXPECT_EQ(gain.parameters[0].range_text(), "(0, 10]");
  EXPECT_EQ(gain.parameters[0].default_value, 2.0);
  EXPECT_EQ(gain.parameters[1].unit, "angstrom");
  EXPECT_EQ(gain.parameters[1].range_text(), "≥ 1");
  EXPECT_EQ(gain.parameters[5].choices, (std::vector<std::string>{"gentle", "harsh"}));
  ASSERT_EQ(gain.latents.size(), 4u);
  EXPECT_TRUE(gain.latents[1].visible());
  EXPECT_EQ(gain.latents[1].dtype, UNCHANNEL_LATENT_I32);
  EXPECT_TRUE(gain.latents[2].depends_on_signal());
  EXPECT_TRUE(gain.latents[3].data_only());
  EXPECT_EQ(gain.capabilities, (std::vector<std::string>{"lift/1", "mean/1", "vjp/1", "loglik/1"}));
}

TEST(Probe, SaysThatTheEntrySymbolIsMissing) { expect_reason(probe_bad("no_symbol"), "has no symbol 'unchannel_entry'"); }
TEST(Probe, SaysBothVersionsOfAFutureInterface) {
  expect_reason(probe_bad("future"), "was built for plugin interface 2.3; this program knows 1.0");
}
TEST(Probe, QuotesTheLinkerOnAnUnresolvedSymbol) {
  expect_reason(probe_bad("unresolved"), "undefined symbol: function_of_a_missing_library");
}
TEST(Probe, ReportsAMissingModule) { expect_reason(probe_bad("null_module"), "returns no module"); }
TEST(Probe, ReportsALibraryWithoutChannels) { expect_reason(probe_bad("no_channel"), "holds no channel"); }
TEST(Probe, PassesOnTheTextOfAFailingInit) {
  expect_reason(probe_bad("init_fails"), "init failed with RETRYABLE: no licence server at example.org");
}
TEST(Probe, SurvivesACrashInAConstructor) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer turns a crash into an exit";
#endif
  expect_reason(probe_bad("crash"), "crashes in dlopen (its constructors): killed by SIGSEGV");
}
TEST(Probe, StopsAHangingConstructorAtTheTimeLimit) {
  expect_reason(probe_bad("hang", 3), "does not finish: stopped after 3 s in dlopen");
}
TEST(Probe, NoticesAConstructorThatEndsTheProcess) {
  expect_reason(probe_bad("quits"), "ends the process in dlopen (its constructors) with exit status 0");
}
TEST(Probe, NoticesACrashInADestructor) {
  expect_reason(probe_bad("exit_crash"), "crashes when the process ends (its destructors): killed by SIGABRT");
}
TEST(Probe, RefusesALibraryThatFlushesToZero) { expect_reason(probe_bad("flush_to_zero"), "was it linked with -ffast-math?"); }
TEST(Probe, LimitsTheMemoryOfALibrary) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer's own memory is beyond any limit";
#endif
  expect_reason(probe_bad("greedy"), "killed by SIGABRT");
}
TEST(Probe, RefusesALibraryThatChangesTheWorkingDirectory) { expect_reason(probe_bad("chdir"), "the working directory"); }

TEST(Probe, IsNotFooledByWhatThePluginPrints) {
  const ProbeResult result = probe_bad("prints");
  EXPECT_TRUE(result.good) << result.reason;
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_NE(result.warnings[0].find("welcome to my instrument"), std::string::npos);
}

TEST(Probe, SurvivesAPluginCutInHalf) {
  const test_support::TempDir temp;
  const std::string bytes = read_file(GOOD_DIR "/gain.so");
  write_file_atomically(temp / "half.so", bytes.substr(0, bytes.size() / 2));
  expect_reason(probe(temp / "half.so"), "the file is cut short");
}

TEST(Probe, NamesAMissingFile) { expect_reason(probe("/nowhere/x.so"), "does not exist"); }

TEST(Probe, RemembersContentNotName) {
  const test_support::TempDir temp;
  const auto file = temp / "x.so";
  write_file_atomically(file, "no library");
  expect_reason(probe(file), "is no ELF file");
  write_file_atomically(file, read_file(GOOD_DIR "/awgn.so"));
  EXPECT_TRUE(probe(file).good);
  // The same content again needs no worker at all.
  EXPECT_TRUE(probe_library(file, {.worker = "/bin/false"}).good);
}

TEST(Probe, SaysWhereTheWorkerIsMissing) {
  const test_support::TempDir temp;
  write_file_atomically(temp / "x.so", "content that was not probed before");
  try {
    probe_library(temp / "x.so", {.worker = "/nowhere/unchannel-worker"});
    FAIL();
  } catch (const PluginError& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/unchannel-worker: the worker that examines plugins is missing"), std::string::npos);
  }
}

TEST(ProbeJson, DescriptionsSurviveTheRoundTrip) {
  for (const ChannelDescription& channel : probe(GOOD_DIR "/gain.so").channels) {
    EXPECT_EQ(to_json(channel_description_from_json(to_json(channel))), to_json(channel));
  }
}

}  // namespace
}  // namespace unchannel
