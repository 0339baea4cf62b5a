#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unchannel/random.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/child_process.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/subprocess.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <unchannel/plugin_project/new_project.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

// Shape legend: B batch · D signal dimension · M observation dimension
namespace unchannel {
namespace {

constexpr std::uint64_t kKey = 42;
constexpr std::int64_t kD = 6;

using test_support::message_of;

std::vector<std::uint64_t> ids_from(std::uint64_t first, std::int64_t count) {
  std::vector<std::uint64_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

std::vector<float> ramp(std::int64_t count, std::uint64_t first) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.37F * static_cast<float>((i + first * kD) % 17) + 1.0F;
  return values;
}

class PythonChannel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("UNCHANNEL_WORKER", WORKER, 1);
    ::setenv("UNCHANNEL_PYTHON", PYTHON, 1);
  }
  static std::vector<std::string>& log() {
    static std::vector<std::string> lines;
    return lines;
  }
  static const PluginRegistry& registry() {
    static const PluginRegistry plugins({.plugin_dirs = {PYTHON_DIR, EXAMPLE_DIR},
                                         .default_folders = false,
                                         .threads = 1,
                                         .log = [](std::int32_t, std::string_view, std::string_view text) { log().emplace_back(text); }});
    return plugins;
  }
  std::unique_ptr<WorkerChannel> channel(const std::string& id, const nlohmann::json& parameters, double deadline_s = 60) {
    log().clear();
    const IsolationSettings settings{.deadline_s = deadline_s, .memory_limit_gib = 1, .failed_samples = folder_ / "failed"};
    auto opened = WorkerChannel::create(registry(), id, settings);
    opened->configure({kD}, parameters);
    return opened;
  }
  /// Latents drawn and the batch simulated; the latents of a float channel with at most one latent.
  static std::vector<float> simulate(const PluginInstance& channel, std::uint64_t first, std::int64_t B,
                                     PluginSampleFailures* failures = nullptr, std::vector<float>* latent = nullptr) {
    const auto ids = ids_from(first, B);
    const auto x = ramp(B * kD, first);
    std::vector<float> gain(ids.size());
    std::vector<void*> drawn(channel.latent_layouts().size(), gain.data());
    const std::vector<const void*> given(drawn.begin(), drawn.end());
    channel.draw_latents(kKey, ids, x.data(), drawn);
    std::vector<float> y(static_cast<std::size_t>(B * element_count(channel.y_shape(), "y")), 9.0F);
    auto failed = channel.simulate(kKey, ids, x.data(), given, y.data());
    if (failures) *failures = std::move(failed);
    if (latent) *latent = gain;
    return y;
  }
  test_support::TempDir folder_;
};

// The twin in C++ draws with random.h, whose integers and floats the Python generator shares bit for bit, and does the same float32
// operations; a fused multiply-add may change the last bit here, hence 2 ulp of the largest value, 10.
TEST_F(PythonChannel, AgreesWithATwinInAnotherLanguage) {
  const auto there = channel("org.example.binned_detector", {{"gain_min", 0.5}, {"gain_max", 1.5}, {"noise_sigma", 0.25}});
  EXPECT_EQ(there->y_shape(), (ChannelShape{kD / 2}));
  constexpr std::int64_t B = 5, M = kD / 2;
  std::vector<float> gain;
  const auto y = simulate(*there, 70, B, nullptr, &gain);
  const auto x = ramp(B * kD, 70);
  const std::uint64_t latent_key = unchannel_derive(unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_LATENTS)),
                                                    unchannel_tag(UNCHANNEL_TAG_LATENT, 0));
  const std::uint64_t noise_key = unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_SIMULATE));
  for (std::int64_t b = 0; b < B; ++b) {
    const auto id = static_cast<std::uint64_t>(70 + b);
    EXPECT_EQ(gain[static_cast<std::size_t>(b)], 0.5F + unchannel_uniform(latent_key, id, 0, 0));
    for (std::int64_t m = 0; m < M; ++m) {
      const float* pair = &x[static_cast<std::size_t>(b * kD + 2 * m)];
      const float expected = gain[static_cast<std::size_t>(b)] * (0.5F * (pair[0] + pair[1])) +
                             0.25F * unchannel_normal(noise_key, id, static_cast<std::uint32_t>(m), 0);
      EXPECT_NEAR(y[static_cast<std::size_t>(b * M + m)], expected, 2 * 9.6e-7) << b << " " << m;
    }
  }
  EXPECT_TRUE(log().empty()) << log().front();
}

TEST_F(PythonChannel, HasTheAdjointOfItsDerivativeAndLiftsItsMeanBack) {
  const auto there = channel("org.example.binned_detector", nlohmann::json::object());
  constexpr std::int64_t B = 3, M = kD / 2;
  const std::vector<float> gain = {0.9F, 1.0F, 1.1F};
  const std::vector<const void*> latents = {gain.data()};
  const auto x = ramp(B * kD, 1), v = ramp(B * M, 2);
  std::vector<float> y(v.size()), gradient(x.size()), lifted(x.size()), again(v.size());
  there->mean(B, x.data(), latents, y.data());
  there->vjp(B, x.data(), latents, v.data(), gradient.data());
  there->lift(B, y.data(), latents, lifted.data());
  there->mean(B, lifted.data(), latents, again.data());
  // The mean is linear: <v, F x> = <F' v, x>. 18 products of order 50 in float32: 1e-6 of the sum.
  const double left = std::inner_product(v.begin(), v.end(), y.begin(), 0.0);
  EXPECT_NEAR(left, std::inner_product(x.begin(), x.end(), gradient.begin(), 0.0), 2e-6 * left);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(again[i], y[i], 4 * 4.8e-7) << "mean(lift(y)) = y up to two roundings";
}

TEST_F(PythonChannel, GivesTheSameBitsForEverySplitOfABatch) {
  const auto there = channel("org.example.binned_detector", nlohmann::json::object());
  ASSERT_EQ(there->description().determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE) << "it imports unchannel_random";
  const auto whole = simulate(*there, 100, 64);
  std::vector<float> parts;
  for (const auto& [first, count] : {std::pair{100, 1}, std::pair{101, 7}, std::pair{108, 56}}) {
    const auto part = simulate(*there, static_cast<std::uint64_t>(first), count);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(parts, whole);
  EXPECT_NE(simulate(*there, 101, 64), whole);
}

TEST_F(PythonChannel, DescribesEveryKindOfParameterAndLatent) {
  const ChannelDescription& kinds = *registry().find("org.example.python_kinds").channel;
  EXPECT_EQ(kinds.version, "2.1");
  EXPECT_EQ(kinds.determinism, UNCHANNEL_DETERMINISM_PER_BATCH);
  EXPECT_EQ(kinds.capabilities, std::vector<std::string>{"loglik/1"});
  EXPECT_TRUE(kinds.description.starts_with("Every kind of parameter")) << kinds.description;
  ASSERT_EQ(kinds.parameters.size(), 7u);
  EXPECT_EQ(kinds.parameters[0].range_text(), "> 0");
  EXPECT_EQ(kinds.parameters[0].unit, "mm");
  EXPECT_TRUE(kinds.parameters[6].required());
  EXPECT_EQ(kinds.latents[1].visible(), true);
  EXPECT_TRUE(kinds.latents[3].data_only());

  const auto there = channel("org.example.python_kinds", {{"needed", 7}, {"real", 2.5}});
  EXPECT_EQ(there->canonical(), "real = 2.5\nunbounded = inf\nwhole = 3\nswitch = true\nchoice = \"a\"\ntext = \"x\"\nneeded = 7\n");
  const auto ids = ids_from(4, 2);
  const auto x = ramp(2 * kD, 0);
  std::vector<std::int64_t> scalar(2);
  std::vector<float> field(x.size()), y(x.size()), gradient(x.size());
  std::vector<std::int32_t> pair(4);
  const std::vector<float> survey = {0.5F, 1.0F};
  const std::vector<void*> drawn = {scalar.data(), field.data(), pair.data(), nullptr};
  there->draw_latents(kKey, ids, x.data(), drawn);
  EXPECT_EQ(scalar, (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(pair, (std::vector<std::int32_t>{4, 5, 5, 6}));
  const std::vector<const void*> given = {scalar.data(), field.data(), pair.data(), survey.data()};
  there->simulate(kKey, ids, x.data(), given, y.data());
  EXPECT_FLOAT_EQ(y[kD], 2.5F * (3 * x[kD] + 5 + 11 + 1));
  std::vector<double> loglik(2);
  there->loglik(2, y.data(), x.data(), given, loglik.data(), gradient.data());
  double expected = 0;
  for (std::size_t i = 0; i < kD; ++i) expected -= static_cast<double>(y[i] - x[i]) * static_cast<double>(y[i] - x[i]);
  EXPECT_NEAR(loglik[0], expected, 1e-9 * -expected);
  EXPECT_EQ(gradient[3], y[3] - x[3]);
}

TEST_F(PythonChannel, AccidentsLeaveNoTraceInTheResults) {
  const auto quiet = channel("org.example.python_unruly", nlohmann::json::object());
  const std::filesystem::path trigger = folder_ / "trigger";
  const auto there = channel("org.example.python_unruly", {{"trigger", trigger.string()}}, 3);
  std::uint64_t first = 0;
  for (const std::string kind : {"quit", "crash", "hang", "memory", "kill", "exception", "noise"}) {
    if (kind == "kill") {
      ::kill(-there->worker_pid(), SIGKILL);
    } else {
      std::ofstream(trigger) << kind;
    }
    PluginSampleFailures failures;
    first += 1000;
    EXPECT_EQ(simulate(*there, first, 7, &failures), simulate(*quiet, first, 7)) << kind;
    EXPECT_TRUE(failures.empty()) << kind;
    EXPECT_FALSE(std::filesystem::exists(trigger)) << "the accident " << kind << " must have happened";
  }
  EXPECT_EQ(there->statistics().deaths, 5) << "an exception and noise cost no process";
}

TEST_F(PythonChannel, FindsThePoisonousSample) {
  auto expected = simulate(*channel("org.example.python_unruly", nlohmann::json::object()), 100, 16);
  std::fill_n(expected.begin() + 7 * kD, kD, 0.0F);
  for (const auto& [fault, status] : {std::pair{"exception", UNCHANNEL_SAMPLE_FAILED}, std::pair{"nan", UNCHANNEL_SAMPLE_NOT_FINITE},
                                      std::pair{"exit", UNCHANNEL_SAMPLE_FAILED}, std::pair{"crash", kSampleCrashed}}) {
    const auto there = channel("org.example.python_unruly", {{"fault", fault}, {"poison", 107}});
    PluginSampleFailures failures;
    EXPECT_EQ(simulate(*there, 100, 16, &failures), expected) << fault;
    ASSERT_EQ(failures.size(), 1u) << fault;
    EXPECT_EQ(failures[0].id, 107u) << fault;
    EXPECT_EQ(failures[0].status, status) << fault;
    EXPECT_EQ(there->statistics().deaths > 0, std::string(fault) == "crash");
    if (there->statistics().saved.empty()) continue;
    // The file is a conversation that repeats the crash.
    const SubprocessResult again =
        run_subprocess({"/bin/sh", "-c", "exec " WORKER " --serve " PYTHON_DIR "/unruly.py < \"$0\"", there->statistics().saved[0]}, 30);
    EXPECT_EQ(again.signal, SIGSEGV) << again.ending() << again.err;
  }
}

TEST_F(PythonChannel, SaysInWhichLineSimulateFails) {
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"exception",
       "simulate failed with BAD_ARGUMENT: ArithmeticError: the detector is saturated (unruly.py:25 in scale: raise ArithmeticError(\"the "
       "detector is "
       "saturated\"), called from unruly.py:"},
      {"shape", "simulate must return an array of shape [1, 6] for y, the batch in front; it returns [1, 5]"},
      {"dtype", "simulate must return real numbers for y; it returns dtype complex"},
      {"nothing", "simulate must return real numbers for y; it returns None (a missing return?)"},
      {"exit", "BAD_ARGUMENT: calls sys.exit, which would end the worker process (unruly.py:"},
      {"write_input", "read-only"}};
  for (const auto& [fault, expected] : faults) {
    const auto there = channel("org.example.python_unruly", {{"fault", fault}, {"poison", -2}});
    const std::string message = message_of<PluginError>([&] { simulate(*there, 0, 4); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_EQ(there->statistics().deaths, 0) << fault;
  }
}

TEST_F(PythonChannel, WarnsWhenSamplesDependOnTheirBatch) {
  simulate(*channel("org.example.python_unruly", {{"fault", "by_place"}, {"poison", -2}}), 0, 4);
  ASSERT_EQ(log().size(), 1u);
  EXPECT_NE(log()[0].find("other bits for one sample alone"), std::string::npos) << log()[0];
}

TEST_F(PythonChannel, RefusesConfigurationsInItsOwnWordsAndKeepsTheFormerOne) {
  const auto there = channel("org.example.binned_detector", nlohmann::json::object());
  const auto before = simulate(*there, 0, 4);
  const std::string message = message_of<PluginError>([&] { there->configure({kD}, {{"bins", 4}}); });
  EXPECT_NE(message.find("configure failed with BAD_ARGUMENT: ValueError: signals of shape [6] cannot be averaged over 4 neighbours"),
            std::string::npos)
      << message;
  EXPECT_NE(message_of<ConfigError>([&] {
              there->configure({kD}, {{"bins", 65}});
            }).find("must lie in the range [1, 64]"),
            std::string::npos);
  EXPECT_EQ(simulate(*there, 0, 4), before);
}

TEST_F(PythonChannel, NeverRunsInsideTheProgram) {
  const std::string message =
      message_of<ConfigError>([] { open_plugin(registry(), "org.example.binned_detector", {.mode = Isolation::kInproc}); });
  EXPECT_NE(message.find("never runs inside this one. Use 'auto' or 'process'"), std::string::npos) << message;
  for (const Isolation mode : {Isolation::kAuto, Isolation::kProcess}) {
    EXPECT_NE(dynamic_cast<WorkerChannel*>(open_plugin(registry(), "org.example.binned_detector", {.mode = mode}).get()), nullptr);
  }
}

TEST_F(PythonChannel, EndsWithItsHost) {
  // A shell as host: it starts a worker that hangs in the import, and is killed.
  write_file_atomically(folder_ / "hangs.py", "import os, time\nopen('" + (folder_ / "pid").string() +
                                                  "', 'w').write(str(os.getpid()))\nwhile True: time.sleep(1)\n");
  const std::string conversation = R"({"type":"describe"})";
  std::string frame = "UCW1";
  frame += static_cast<char>(conversation.size());
  frame += std::string(11, '\0') + conversation;
  Pipe requests;
  const pid_t worker = spawn_group({WORKER, "--serve", (folder_ / "hangs.py").string(), "--end-with-host"},
                                   {{requests.read_end(), 0}, {-1, 1}, {-1, 2}, {-1, 3}});
  requests.close_read_end();
  ASSERT_EQ(::write(requests.write_end(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  pid_t program = 0;
  for (int i = 0; i < 1000 && program == 0; ++i) {
    std::ifstream(folder_ / "pid") >> program;
    ::usleep(10000);
  }
  ASSERT_GT(program, 0);
  ASSERT_NE(program, worker);
  requests.close_write_end();
  int status = 0;
  ASSERT_EQ(::waitpid(worker, &status, 0), worker);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {  // an orphan's zombie stays until somebody collects it
    std::string state = "X";
    std::ifstream stat("/proc/" + std::to_string(program) + "/stat");
    std::string number, name;
    stat >> number >> name >> state;
    gone = !stat || state == "Z" || state == "X";
    ::usleep(10000);
  }
  EXPECT_TRUE(gone);
}

// Written by `plugins new`, dropped into a folder and used: nothing of unchannel is built again.
TEST_F(PythonChannel, ComesFromATemplateThatWorksAsItIs) {
  const NewProject project = write_new_project({.name = "lens", .language = "python", .folder = folder_ / "lens", .templates = TEMPLATES});
  const PluginRegistry plugins({.plugin_dirs = {project.folder}, .default_folders = false, .threads = 1});
  const auto lens = open_plugin(plugins, "org.example.lens");
  lens->configure({2, 3}, nlohmann::json::object());
  EXPECT_EQ(lens->y_shape(), (ChannelShape{2, 3}));
  EXPECT_EQ(lens->description().determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  constexpr std::int64_t B = 500;
  std::vector<float> gain;
  PluginSampleFailures failures;
  const auto y = simulate(*lens, 0, B, &failures, &gain);
  EXPECT_TRUE(failures.empty());
  EXPECT_GE(*std::min_element(gain.begin(), gain.end()), 0.8F);
  EXPECT_LE(*std::max_element(gain.begin(), gain.end()), 1.2F);
  // What is left without the signal is N standard normal numbers: their sum within 5 √N, that of their squares within 5 √(2N) of N.
  const auto x = ramp(B * kD, 0);
  const auto N = static_cast<double>(y.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double noise = (static_cast<double>(y[i]) - gain[i / kD] * x[i]) / 0.1;
    sum += noise;
    squares += noise * noise;
  }
  EXPECT_LT(std::abs(sum), 5 * std::sqrt(N));
  EXPECT_LT(std::abs(squares - N), 5 * std::sqrt(2 * N));
  std::vector<float> mean(y.size()), gradient(y.size());
  const std::vector<const void*> latents = {gain.data()};
  lens->mean(B, x.data(), latents, mean.data());
  lens->vjp(B, x.data(), latents, y.data(), gradient.data());
  EXPECT_EQ(mean[7], gain[1] * x[7]);
  EXPECT_EQ(gradient[7], gain[1] * y[7]);
}

TEST_F(PythonChannel, IsExaminedByTheCheckerLikeALibrary) {
  const SubprocessResult check = run_subprocess({WORKER, "--check", "repeat-bitwise", EXAMPLE_DIR "/binned_detector.py"}, 60);
  EXPECT_NE(check.out.find("\"verdict\":\"pass\""), std::string::npos) << check.out << check.err;
}

}  // namespace
}  // namespace unchannel
