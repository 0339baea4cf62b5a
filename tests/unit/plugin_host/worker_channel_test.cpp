#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unchannel/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <thread>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/plugin_host/call_layout.hpp>
#include <unchannel/plugin_host/child_process.hpp>
#include <unchannel/plugin_host/failed_call.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/worker_channel.hpp>
#include <unchannel/plugin_host/worker_process.hpp>
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
  const std::vector<std::string> kinds = {"crash", "exit", "rounding", "garble", "memory", "kill", "locale", "folder", "hang", "kill"};
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

TEST_F(WorkerChannelTest, ShapesThatOverflowNeverReachThePlugin) {
  const auto there = worker("org.example.unruly", {});
  const auto in_process = inproc("org.example.unruly", {});
  const auto before = simulate(*in_process, 0, 4);
  constexpr std::int64_t kHalf = std::int64_t{1} << 32, kMost = std::int64_t{1} << 62;
  for (const ChannelShape& shape : {ChannelShape{kHalf, kHalf}, ChannelShape{kMost}, ChannelShape{3, 0}, ChannelShape{-1}}) {
    for (PluginInstance* channel : {static_cast<PluginInstance*>(there.get()), in_process.get()}) {
      EXPECT_NE(message_of<PluginError>([&] { channel->configure(shape, nlohmann::json::object()); }).find("x has an impossible shape"),
                std::string::npos);
      EXPECT_EQ(simulate(*channel, 0, 4), before) << "the former configuration stays in force";
    }
  }
}

TEST_F(WorkerChannelTest, RepeatedCallsMayChangeTheirKeyTheirSizeAndTheirKind) {
  const auto there = worker("org.example.gain", {{"gain", 3}});
  const auto here = inproc("org.example.gain", {{"gain", 3}});
  // 3000 samples make the shared memory grow after the first headers are known; then the small ones must not be taken for the old ones.
  std::uint64_t key = 1;
  for (const std::int64_t B : {5, 5, 6, 5, 3000, 5, 3000, 3000, 5}) {
    const auto ids = ids_from(10 * key, B);
    const auto x = ramp(B * kD);
    const auto results_of = [&](const PluginInstance& channel) {
      std::vector<std::vector<char>> latents(4);
      const std::vector<std::size_t> row_bytes = {4, 8, 4 * kD, 0};
      std::vector<void*> drawn(4, nullptr);
      for (std::size_t i = 0; i < 3; ++i) {
        latents[i].resize(static_cast<std::size_t>(B) * row_bytes[i]);
        drawn[i] = latents[i].data();
      }
      channel.draw_latents(key, ids, x.data(), drawn);
      std::vector<float> y(x.size()), mean(x.size());
      const std::vector<const void*> given(drawn.begin(), drawn.end());
      channel.simulate(key + 1, ids, x.data(), given, y.data());
      channel.mean(B, x.data(), given, mean.data());
      return std::tuple(latents, y, mean);
    };
    EXPECT_EQ(results_of(*there), results_of(*here)) << "batch " << B << ", key " << key;
    key += 2;
  }
  there->configure({kD}, {{"gain", 7}});
  here->configure({kD}, {{"gain", 7}});
  EXPECT_EQ(everything(*there, 5), everything(*here, 5)) << "headers of the former configuration are forgotten";
  EXPECT_EQ(there->statistics().deaths, 0);
}

TEST_F(WorkerChannelTest, ForwardsWhatAPluginLogsAndItsProgress) {
  std::vector<std::string> said;
  const PluginRegistry listening(
      {.plugin_dirs = {UNRULY_DIR},
       .default_folders = false,
       .threads = 1,
       .log = [&](std::int32_t level, std::string_view who,
                  std::string_view text) { said.push_back(fmt::format("{} {} {}", level, who, text)); },
       .progress = [&](double fraction, std::string_view what) { said.push_back(fmt::format("{} {}", fraction, what)); }});
  for (const Isolation mode : {Isolation::kProcess, Isolation::kInproc}) {
    said.clear();
    const auto channel = open_plugin(listening, "org.example.unruly", {.mode = mode});
    channel->configure({kD}, {{"fault", "talk"}});
    simulate(*channel, 0, 1);
    EXPECT_EQ(said,
              (std::vector<std::string>{fmt::format("{} org.example.unruly the lamp flickers", UNCHANNEL_LOG_ERROR), "0.25 warming up"}));
  }
}

TEST_F(WorkerChannelTest, AStopRequestEndsACallThatDoesNotLook) {
  const auto there = worker("org.example.unruly", {{"fault", "hang"}, {"poison", 1}});
  install_stop_signals();
  std::jthread user([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    ::raise(SIGTERM);
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(simulate(*there, 1, 1), InterruptedError);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << "far below the deadline of 60 s";
  clear_stop_request();
  EXPECT_EQ(simulate(*there, 2, 3), simulate(*inproc("org.example.unruly", {}), 2, 3)) << "a fresh worker goes on";
}

/// A conversation without the host's bookkeeping, data in the pipe.
TEST_F(WorkerChannelTest, DescribesItsChannelsAndTakesDataInThePipe) {
  const auto here = inproc("org.example.gain", {});
  const auto& found = *registry().find("org.example.gain").library;
  WorkerProcess process({WORKER, "--serve", found.probe.file.string()}, nullptr);
  const auto ask = [&](const nlohmann::json& question) { return process.exchange(question.at("type"), question.dump(), {}, 30, 0).header; };
  EXPECT_EQ(ask({{"type", "hello"}, {"protocol", 1}}).at("shared_memory"), false);
  const nlohmann::json description = ask({{"type", "describe"}});
  nlohmann::json expected = nlohmann::json::array();
  for (const ChannelDescription& channel : found.probe.channels) expected.push_back(to_json(channel));
  EXPECT_EQ(description.at("type"), "description");
  EXPECT_EQ(description.at("channels"), expected) << "what the probe found";

  EXPECT_EQ(ask({{"type", "create"}, {"channel", "org.example.gain"}, {"threads", 1}}).at("type"), "created");
  EXPECT_EQ(ask(configure_message({kD}, here->parameters())).at("type"), "configured");
  constexpr std::int64_t B = 3;
  const auto ids = ids_from(5, B);
  const auto x = ramp(B * kD);
  std::vector<float> level(B, 0.5F), y(x.size()), y_here(x.size());
  std::vector<std::int32_t> number(2 * B, 1), status(B);
  const std::vector<const void*> latents = {level.data(), number.data(), x.data(), nullptr};
  here->simulate(kKey, ids, x.data(), latents, y_here.data());
  BatchCall call{.kind = CallKind::kSimulate, .ids = ids, .count = B, .x = x.data(), .latents = latents, .result = y.data()};
  call.key = unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_SIMULATE));
  const CallLayout layout = lay_out(*here, call, status.data(), false);
  std::string data(layout.input_bytes, '\0');
  for (const CallBuffer& buffer : layout.inputs) std::memcpy(data.data() + buffer.offset, buffer.read, buffer.bytes);
  for (int round = 0; round < 2; ++round) {
    const std::array<std::string_view, 1> payload{data};
    const Message answer = process.exchange("simulate", call_header(call, layout).dump(), payload, 30, layout.output_bytes);
    ASSERT_EQ(answer.header, nlohmann::json({{"type", "result"}}));
    ASSERT_EQ(answer.payload.size(), layout.output_bytes);
    for (const CallBuffer& buffer : layout.outputs) std::memcpy(buffer.write, answer.payload.data() + buffer.offset, buffer.bytes);
    EXPECT_EQ(y, y_here);
    EXPECT_EQ(status, std::vector<std::int32_t>(B, UNCHANNEL_SAMPLE_OK));
  }
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
