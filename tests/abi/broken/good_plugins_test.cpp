#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/conformance/check_report.hpp>
#include <unchannel/conformance/check_runner.hpp>
#include <unchannel/conformance/pass_record.hpp>
#include <unchannel/plugin_host/check_record.hpp>
#include <unchannel/plugin_host/subprocess.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel::conformance {
namespace {

using namespace std::string_literals;

const std::filesystem::path kConformant = std::filesystem::path(BROKEN_DIR) / "conformant.so";

/// The checks that did not apply.
std::set<std::string> skipped(const CheckReport& report) {
  std::set<std::string> ids;
  for (const CheckOutcome& outcome : report.outcomes) {
    if (outcome.answer.verdict != Verdict::pass) ids.insert(outcome.info->id);
  }
  return ids;
}

CheckReport check(const std::filesystem::path& file, const std::filesystem::path& config = {}) {
  return check_file({.request = {.file = file, .config = config}, .record = false, .probe = {.worker = WORKER}});
}

TEST(Conformance, TheTestPluginPassesEveryCheckThatNeedsNoDevice) {
  const CheckReport report = check(kConformant);
  EXPECT_TRUE(report.passed()) << report_table(report);
  EXPECT_EQ(report.outcomes.size(), 29u);
  EXPECT_EQ(skipped(report), (std::set<std::string>{"cpu-gpu-parity", "stream-order"})) << report_table(report);
}

TEST(Conformance, TheTemplatePassesEveryCheckThatApplies) {
  const CheckReport report = check(AWGN);
  EXPECT_TRUE(report.passed()) << report_table(report);
  EXPECT_EQ(skipped(report), (std::set<std::string>{"latent-prior", "cpu-gpu-parity", "stream-order", "derivative-dot", "loglik-score"}))
      << report_table(report);
}

TEST(Conformance, TheSpectrographPassesWithItsDefaults) {
  const CheckReport report = check(SPECTROGRAPH);
  EXPECT_TRUE(report.passed()) << report_table(report);
  EXPECT_EQ(skipped(report), (std::set<std::string>{"cpu-gpu-parity", "stream-order"})) << report_table(report);
}

TEST(Conformance, TheSpectrographPassesWithEveryLatentAndWithASurveysInverseVariance) {
  const test_support::TempDir folder;
  const auto everything = folder / "everything.toml", survey = folder / "survey.toml";
  write_file_atomically(everything, R"(x_shape = [96]
[channel]
id = "org.unchannel.spectrograph"
[channel.parameters]
resolution_delta_ln_lambda = 0.01
resolution_relative_spread = 0.2
offset_multiplicative_sigma = 0.05
offset_additive_sigma = 0.1
)");
  write_file_atomically(survey, "[channel]\nid = \"org.unchannel.spectrograph\"\n[channel.parameters]\nnoise = \"ivar\"\n");
  for (const auto& config : {everything, survey}) {
    const CheckReport report = check(SPECTROGRAPH, config);
    EXPECT_TRUE(report.passed()) << report_table(report);
  }
}

TEST(Conformance, TheSpectrographPassesWithArmsTablesAndSkyLines) {
  const test_support::TempDir folder;
  write_file_atomically(folder / "table.txt", "3900 0.0004\n4700 0.02\n5400 0.01\n");
  write_file_atomically(folder / "sky.txt", "4358.3 40\n5200 30\n");
  const std::string head = "x_shape = [96]\n[channel]\nid = \"org.unchannel.spectrograph\"\n[channel.parameters]\n";
  const std::string offsets = "resolution_relative_spread = 0.2\noffset_multiplicative_sigma = 0.05\noffset_additive_sigma = 0.1\n";
  const std::string arms = "resolution_arms = \"\"\"\n4000 4600 0.02   # blue\n4600 5320 0.002  # red\n\"\"\"\n",
                    lines = "sky_lines = \"table\"\nsky_line_table = \"sky.txt\"\n";
  const std::map<std::string, std::string> parameters = {{"arms", arms + offsets},
                                                         {"arms_masked", arms + lines},
                                                         {"arms_noisy_sky", arms + lines + "sky_effect = \"noise\"\n"},
                                                         {"survey_masked", arms + lines + "noise = \"ivar\"\n"},
                                                         {"table", "resolution_table = \"table.txt\"\n" + offsets},
                                                         {"built_in_lines", "sky_lines = \"strong_air\"\nnoise = \"none\"\n"}};
  for (const auto& [name, text] : parameters) {
    const auto config = folder / (name + ".toml");
    write_file_atomically(config, head + text);
    const CheckReport report = check(SPECTROGRAPH, config);
    EXPECT_TRUE(report.passed()) << name << "\n" << report_table(report);
    EXPECT_TRUE(std::ranges::includes(
        std::set<std::string>{"cpu-gpu-parity", "latent-prior", "loglik-score", "seed-sensitivity", "stream-order"}, skipped(report)))
        << name << "\n"
        << report_table(report);
  }
}

/// With the qualities of METHOD.md's second row for faces: an integer latent of few values.
TEST(Conformance, JpegPassesForColourAndGreyImages) {
  const test_support::TempDir folder;
  const auto config = folder / "jpeg.toml";
  for (const std::string& parameters : {"quality_max = 50\nnoise_sigma = 0.01\n"s, "quality_min = 90\nnoise_sigma = 0.0\n"s}) {
    for (const char* shape : {"[3, 17, 9]", "[1, 16, 16]"}) {
      write_file_atomically(config, "x_shape = "s + shape + "\n[channel]\nid = \"org.unchannel.jpeg\"\n[channel.parameters]\n" + parameters);
      const CheckReport report = check(JPEG, config);
      EXPECT_TRUE(report.passed()) << shape << parameters << report_table(report);
    }
  }
}

TEST(Conformance, TomographyPassesWithEitherNoise) {
  const test_support::TempDir folder;
  const auto config = folder / "tomography.toml";
  for (const std::string noise : {"gaussian", "poisson"}) {
    write_file_atomically(config, "x_shape = [24, 24]\n[channel]\nid = \"org.unchannel.tomography\"\n[channel.parameters]\nviews = 18\n"
                                  "pixel_size = 0.05\nnoise_sigma = 0.05\nnoise = \"" + noise + "\"\n");
    const CheckReport report = check(TOMOGRAPHY, config);
    EXPECT_TRUE(report.passed()) << noise << "\n" << report_table(report);
  }
}

TEST(Conformance, AConfigurationThatTheSchemaForbidsIsTheUsersMistake) {
  const test_support::TempDir folder;
  write_file_atomically(folder / "wrong.toml", "[channel]\nparametres = {}\n");
  EXPECT_THROW(check(kConformant, folder / "wrong.toml"), ConfigError);
}

TEST(Conformance, AFileThatIsNoLibraryFailsWithAReason) {
  const test_support::TempDir folder;
  write_file_atomically(folder / "text.so", "not a library\n");
  const CheckReport report =
      check_file({.request = {.file = folder / "text.so"}, .stop_at_failure = true, .record = false, .probe = {.worker = WORKER}});
  EXPECT_FALSE(report.passed());
  EXPECT_NE(report.outcomes.back().answer.reason.find("no ELF file"), std::string::npos) << report_table(report);
}

TEST(Conformance, TheWorkerWritesTheReportAndSaysByItsStatusWhetherAllPassed) {
  const test_support::TempDir folder;
  ::setenv("XDG_CACHE_HOME", folder.path().c_str(), 1);
  const auto good = run_subprocess({WORKER, "--check-all", kConformant.string(), "--json", (folder / "good.json").string()}, 170);
  ASSERT_EQ(good.exit_code, 0) << good.out << good.err;
  const auto json = nlohmann::json::parse(read_file(folder / "good.json"));
  EXPECT_EQ(json["checks"].size(), 29u);
  EXPECT_TRUE(json["passed"].get<bool>());
  // The pass of this very content is remembered; a part that passes adds nothing, and a failure is remembered as one.
  const std::string sha256 = json["sha256"];
  const auto record = nlohmann::json::parse(read_file(check_record_file(sha256)));
  EXPECT_TRUE(has_passed_check(sha256, {}));
  EXPECT_EQ(record["passed"], true);
  EXPECT_EQ(record["untested"], nlohmann::json::array());
  check_file({.request = {.file = AWGN}, .only = {"descriptor"}, .probe = {.worker = WORKER}});
  EXPECT_FALSE(std::filesystem::exists(check_record_file(sha256_file(AWGN))));
  const auto bad = run_subprocess({WORKER, "--check-all", BROKEN_DIR "/descriptor.so"}, 170);
  EXPECT_EQ(bad.exit_code, 3) << bad.out << bad.err;
  EXPECT_NE(bad.out.find("Remedy:"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(read_file(check_record_file(sha256_file(BROKEN_DIR "/descriptor.so"))))["passed"], false);
  ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace unchannel::conformance
