#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/call_layout.hpp>
#include <unchannel/plugin_host/child_process.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

// Shape legend: B batch · D signal dimension
namespace unchannel {
namespace {

constexpr std::uint64_t kKey = 42;
constexpr std::int64_t kD = 40;

const PluginRegistry& registry() {
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  static const PluginRegistry plugins({.plugin_dirs = {GOOD_DIR, UNRULY_DIR, PLUGIN_DIR}, .default_folders = false, .threads = 2});
  return plugins;
}

std::vector<std::uint64_t> ids_from(std::uint64_t first, std::int64_t count) {
  std::vector<std::uint64_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

std::vector<float> ramp(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.25F * static_cast<float>(i % 17) + 1.0F;
  return values;
}

using test_support::message_of;

/// Everything that a channel can do with one batch, and the failures.
struct Outcome {
  std::vector<std::vector<char>> latents;
  std::vector<float> simulated, lifted, mean, gradient, score;
  std::vector<double> loglik;
  std::vector<std::int64_t> failed;
  bool operator==(const Outcome&) const = default;
};

void remember(std::vector<std::int64_t>& failed, const PluginSampleFailures& failures) {
  for (const auto& failure : failures) failed.insert(failed.end(), {failure.index, static_cast<std::int64_t>(failure.id), failure.status});
}

Outcome everything(const PluginInstance& channel, std::int64_t B) {
  Outcome out;
  const auto ids = ids_from(100, B);
  const std::int64_t D = element_count(channel.x_shape(), "x"), M = element_count(channel.y_shape(), "y");
  const auto x = ramp(B * D), v = ramp(B * M);
  std::vector<void*> drawn;
  for (std::size_t i = 0; i < channel.latent_layouts().size(); ++i) {
    const LatentLayout& layout = channel.latent_layouts()[i];
    const std::int64_t bytes = layout.active ? B * layout.size * latent_bytes(channel.description().latents[i].dtype) : 0;
    out.latents.emplace_back(static_cast<std::size_t>(bytes));
  }
  std::vector<const void*> given;
  for (std::size_t i = 0; i < out.latents.size(); ++i) {
    const bool drawable = !out.latents[i].empty() && !channel.description().latents[i].data_only();
    drawn.push_back(drawable ? out.latents[i].data() : nullptr);
    given.push_back(out.latents[i].empty() ? nullptr : out.latents[i].data());
  }
  remember(out.failed, channel.draw_latents(kKey, ids, x.data(), drawn));
  out.simulated.resize(v.size());
  remember(out.failed, channel.simulate(kKey, ids, x.data(), given, out.simulated.data()));
  out.lifted.resize(x.size());
  remember(out.failed, channel.lift(B, out.simulated.data(), given, out.lifted.data()));
  out.mean.resize(v.size());
  out.gradient.resize(x.size());
  out.score.resize(x.size());
  out.loglik.resize(ids.size());
  if (channel.offers("mean/1")) remember(out.failed, channel.mean(B, x.data(), given, out.mean.data()));
  if (channel.offers("vjp/1")) remember(out.failed, channel.vjp(B, x.data(), given, v.data(), out.gradient.data()));
  if (channel.offers("loglik/1")) {
    remember(out.failed, channel.loglik(B, out.simulated.data(), x.data(), given, out.loglik.data(), out.score.data()));
  }
  return out;
}

class WorkerChannelTest : public ::testing::Test {
 protected:
  IsolationSettings settings(double deadline_s = 60) const {
    return {.mode = Isolation::kProcess, .deadline_s = deadline_s, .memory_limit_gib = 0.25, .failed_samples = folder_ / "failed"};
  }
  std::unique_ptr<WorkerChannel> worker(const std::string& id, const nlohmann::json& parameters, std::int64_t d = kD,
                                        double deadline_s = 60) const {
    auto channel = WorkerChannel::create(registry(), id, settings(deadline_s));
    channel->configure({d}, parameters);
    return channel;
  }
  static std::unique_ptr<PluginInstance> inproc(const std::string& id, const nlohmann::json& parameters, std::int64_t d = kD) {
    auto channel = open_plugin(registry(), id, {.mode = Isolation::kInproc});
    channel->configure({d}, parameters);
    return channel;
  }
  static std::vector<float> simulate(const PluginInstance& channel, std::uint64_t first, std::int64_t B,
                                     PluginSampleFailures* failures = nullptr) {
    const auto ids = ids_from(first, B);
    const auto x = ramp(B * kD);
    std::vector<float> y(x.size(), 9.0F);
    auto failed = channel.simulate(kKey, ids, x.data(), {}, y.data());
    if (failures) *failures = std::move(failed);
    return y;
  }
  test_support::TempDir folder_;
};

TEST_F(WorkerChannelTest, GivesTheBitsOfTheSamePluginInThisProcess) {
  const nlohmann::json instrument = {{"resolution_delta_ln_lambda", 0.02},
                                     {"resolution_relative_spread", 0.05},
                                     {"offset_multiplicative_sigma", 0.1},
                                     {"offset_additive_sigma", 0.1},
                                     {"snr_min", 1.0},
                                     {"snr_max", 2.0}};
  for (const auto& [id, parameters, d] :
       {std::tuple{"org.unchannel.spectrograph", instrument, std::int64_t{256}},
        std::tuple{"org.example.gain", nlohmann::json::object(), kD},
        std::tuple{"org.example.gain", nlohmann::json{{"half", true}, {"fault", "nan"}, {"mode", "harsh"}}, kD}}) {
    const auto there = worker(id, parameters, d);
    const auto here = inproc(id, parameters, d);
    EXPECT_EQ(there->canonical(), here->canonical()) << id;
    EXPECT_EQ(there->parameters(), here->parameters()) << id;
    EXPECT_EQ(there->file().sha256, here->file().sha256) << id;
    for (const std::int64_t B : {1, 33}) EXPECT_EQ(everything(*there, B), everything(*here, B)) << id << ", batch " << B;
    EXPECT_EQ(there->statistics().deaths, 0);
  }
}

TEST_F(WorkerChannelTest, AccidentsLeaveNoTraceInTheResults) {
  const std::filesystem::path trigger = folder_ / "trigger";
  const auto there = worker("org.example.unruly", {{"trigger", trigger.string()}}, kD, 3);
  const auto here = inproc("org.example.unruly", {});
  const std::vector<std::string> kinds = {"crash", "exit", "rounding", "garble", "memory", "kill", "crash", "exit", "hang", "kill"};
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::string& kind = kinds[i % kinds.size()];
    if (kind == "kill") {
      ::kill(there->worker_pid(), SIGKILL);
    } else {
      std::ofstream(trigger) << kind;
    }
    PluginSampleFailures failures;
    EXPECT_EQ(simulate(*there, 1000 * i, 7, &failures), simulate(*here, 1000 * i, 7)) << i << " " << kind;
    EXPECT_TRUE(failures.empty()) << i << " " << kind;
    EXPECT_FALSE(std::filesystem::exists(trigger)) << "the accident " << kind << " must have happened";
  }
  EXPECT_GE(there->statistics().deaths, 20);
  EXPECT_EQ(there->statistics().dropped_samples, 0);
}

TEST_F(WorkerChannelTest, ACallSurvivesKillsAtAnyMoment) {
  const auto there = worker("org.example.unruly", {});
  const auto expected = simulate(*inproc("org.example.unruly", {}), 0, 3000);
  std::jthread killer([&](const std::stop_token& stop) {
    for (int i = 0; i < 12 && !stop.stop_requested(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(7 + 41 * i));
      const pid_t worker_pid = there->worker_pid();
      if (worker_pid > 0) ::kill(worker_pid, SIGKILL);
    }
  });
  // Kills of the same call twice in a row may cut it; never may they change a sample.
  for (int i = 0; i < 20; ++i) {
    PluginSampleFailures failures;
    const auto y = simulate(*there, 0, 3000, &failures);
    if (failures.empty()) {
      EXPECT_EQ(y, expected) << i;
    }
  }
}

TEST_F(WorkerChannelTest, FindsThePoisonousSampleAndSavesItsCall) {
  const auto there = worker("org.example.unruly", {{"fault", "crash"}, {"poison", 137}});
  auto expected = simulate(*inproc("org.example.unruly", {}), 100, 64);
  std::fill_n(expected.begin() + 37 * kD, kD, 0.0F);
  PluginSampleFailures failures;
  EXPECT_EQ(simulate(*there, 100, 64, &failures), expected);
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures[0].index, 37);
  EXPECT_EQ(failures[0].id, 137u);
  EXPECT_EQ(failures[0].status, kSampleCrashed);
  const WorkerStatistics statistics = there->statistics();
  EXPECT_EQ(statistics.dropped_samples, 1);
  ASSERT_EQ(statistics.saved.size(), 1u);

  // The file is a conversation that repeats the crash.
  const int file = ::open(statistics.saved[0].c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  const pid_t again = spawn_group({WORKER, "--serve", there->file().path.string()}, {{file, 0}, {-1, 1}, {-1, 2}});
  int status = 0;
  ASSERT_EQ(::waitpid(again, &status, 0), again);
  ::close(file);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
}

TEST_F(WorkerChannelTest, GivesUpWholeBatchesOfAChannelThatMayNotBeCut) {
  const auto there = worker("org.example.unruly_batch", {{"fault", "exit"}, {"poison", 5}});
  PluginSampleFailures failures;
  EXPECT_EQ(simulate(*there, 0, 16, &failures), std::vector<float>(16 * kD, 0.0F));
  EXPECT_EQ(failures.size(), 16u);
  EXPECT_EQ(there->statistics().saved.size(), 1u);
  simulate(*there, 16, 16, &failures);
  EXPECT_TRUE(failures.empty()) << "the next batch is fine";
}

TEST_F(WorkerChannelTest, StopsWhenNothingWorksAnyMore) {
  const auto there = worker("org.example.unruly", {{"fault", "crash"}, {"poison", -2}});
  const std::string message = message_of<PluginError>([&] { simulate(*there, 0, 64); });
  EXPECT_NE(message.find("workers failed 33 times in a row"), std::string::npos) << message;
  EXPECT_NE(message.find("SIGSEGV"), std::string::npos) << message;
}

TEST_F(WorkerChannelTest, SaysThatAPluginCrashesWhenItIsConfigured) {
  auto there = worker("org.example.unruly", {});
  const auto before = simulate(*there, 0, 4);
  EXPECT_NE(message_of<PluginError>([&] {
              there->configure({kD}, {{"at_configure", "crash"}});
            }).find("configure failed twice in a worker"),
            std::string::npos);
  EXPECT_EQ(simulate(*there, 0, 4), before) << "the former configuration stays in force";
}

TEST_F(WorkerChannelTest, IsNotDisturbedByWhatAPluginPrints) {
  const auto there = worker("org.example.unruly", {{"fault", "noise"}, {"poison", -2}});
  EXPECT_EQ(simulate(*there, 0, 4), simulate(*inproc("org.example.unruly", {}), 0, 4));
  EXPECT_EQ(there->statistics().deaths, 0);
}

TEST_F(WorkerChannelTest, RefusesWithTheWordsOfTheInProcessHost) {
  for (const nlohmann::json& parameters :
       {nlohmann::json{{"fault", "bad_argument"}}, nlohmann::json{{"gain", 11}}, {{"half", true}, {"with_lift", false}}}) {
    const auto refusal = [&](const IsolationSettings& isolation) {
      return message_of<Error>([&] {
        auto channel = open_plugin(registry(), "org.example.gain", isolation);
        channel->configure({kD}, parameters);
        everything(*channel, 2);
      });
    };
    EXPECT_EQ(refusal(settings()), refusal({.mode = Isolation::kInproc}));
    EXPECT_NE(refusal(settings()), "nothing was thrown");
  }
  auto there = worker("org.example.gain", {{"gain", 3}});
  const Outcome before = everything(*there, 3);
  EXPECT_THROW(there->configure({2, 3}, nlohmann::json::object()), PluginError);
  EXPECT_EQ(everything(*there, 3), before) << "a refused configuration changes nothing";
}

std::size_t open_descriptors() { return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {})); }

TEST_F(WorkerChannelTest, LeavesNoProcessDescriptorOrMemoryBehind) {
  registry().libraries();
  const std::size_t before = open_descriptors();
  std::vector<pid_t> workers;
  for (int i = 0; i < 3; ++i) {
    const auto there = worker("org.example.unruly", {{"fault", i == 0 ? "none" : "crash"}, {"poison", 3}});
    workers.push_back(there->worker_pid());
    simulate(*there, 0, 8);
    workers.push_back(there->worker_pid());
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  for (const pid_t pid : workers) EXPECT_EQ(::kill(-pid, 0), -1) << "nor is its process group";
  EXPECT_EQ(read_file("/proc/self/maps").find("memfd:unchannel"), std::string::npos);
}

TEST_F(WorkerChannelTest, AHangingWorkerEndsWithItsHost) {
  const auto there = worker("org.example.unruly", {{"fault", "hang"}, {"poison", 1}}, kD, 1);
  simulate(*there, 1, 1);
  const auto saved = there->statistics().saved;
  ASSERT_EQ(saved.size(), 1u);
  Pipe requests;
  const pid_t hanging =
      spawn_group({WORKER, "--serve", there->file().path.string(), "--end-with-host"}, {{requests.read_end(), 0}, {-1, 1}, {-1, 2}});
  requests.close_read_end();
  const std::string conversation = read_file(saved[0]);
  ASSERT_EQ(::write(requests.write_end(), conversation.data(), conversation.size()), static_cast<ssize_t>(conversation.size()));
  requests.close_write_end();
  int status = 0;
  ASSERT_EQ(::waitpid(hanging, &status, 0), hanging);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

}  // namespace
}  // namespace unchannel
