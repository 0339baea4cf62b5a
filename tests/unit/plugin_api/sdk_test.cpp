// channel.hpp as seen from the C side: what reaches the host when a plugin misbehaves, and the struct_size rule.
#include <gtest/gtest.h>

#include <array>

#include <unchannel/random.h>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;
using unchannel::test::ReversePool;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/test-plugins/contrary_plugin.so";

int32_t simulate_in_mode(Channel& channel, const std::string& mode) {
  EXPECT_EQ(channel.configure({3}, {{"mode", mode}}), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, Array<float>({4, 3}, 2.0F), {});
  return channel.status;
}

TEST(Sdk, TurnsExceptionsIntoTheStatusOfTheirBlastRadius) {
  Channel channel(kLibrary);
  EXPECT_EQ(simulate_in_mode(channel, "well"), UNCHANNEL_OK);
  EXPECT_EQ(simulate_in_mode(channel, "rtti"), UNCHANNEL_OK);
  EXPECT_EQ(simulate_in_mode(channel, "exception"), UNCHANNEL_INSTANCE_BROKEN);
  EXPECT_EQ(channel.error, "an ordinary exception");
  EXPECT_EQ(simulate_in_mode(channel, "int"), UNCHANNEL_INSTANCE_BROKEN);
  EXPECT_EQ(simulate_in_mode(channel, "memory"), UNCHANNEL_RETRYABLE);
  EXPECT_EQ(simulate_in_mode(channel, "retryable"), UNCHANNEL_RETRYABLE);
  EXPECT_EQ(channel.error, "the licence server is away");
  EXPECT_EQ(simulate_in_mode(channel, "module"), UNCHANNEL_MODULE_BROKEN);
}

TEST(Sdk, AThrowingConfigureChangesNothing) {
  Channel channel(kLibrary);
  EXPECT_EQ(channel.configure({3}, {{"mode", "configure throws"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.error, "configure threw");
  ASSERT_EQ(channel.configure({3}, {{"real", 5.0}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.configure({3}, {{"mode", "configure throws int"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.simulate(1, Array<float>({1, 3}, 2.0F), {}).values, std::vector<float>(3, 7.0F));
}

TEST(Sdk, AFailedSampleIsZeroedAndTheOthersGoOn) {
  for (const auto& [mode, code] :
       {std::pair{"sample exception", UNCHANNEL_SAMPLE_FAILED}, std::pair{"sample code", UNCHANNEL_SAMPLE_PLUGIN + 7}}) {
    Channel channel(kLibrary);
    channel.services[UNCHANNEL_SERVICE_THREAD_POOL_1] = &ReversePool::kTable;
    ASSERT_EQ(channel.configure({1}, {{"mode", mode}}), UNCHANNEL_OK);
    const auto y = channel.simulate(1, Array<float>({5, 1}, 2.0F), {});
    EXPECT_EQ(channel.status, UNCHANNEL_OK);
    EXPECT_EQ(channel.sample_status, (std::vector<int32_t>{0, code, 0, code, 0}));
    EXPECT_EQ(y.values, (std::vector<float>{3, 0, 3, 0, 3}));
  }
}

TEST(Sdk, StopsWhenTheHostAsks) {
  static constexpr unchannel_host_should_stop_1 kStop{[](const unchannel_host*) -> int32_t { return 1; }};
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({1}), UNCHANNEL_OK);
  channel.services[UNCHANNEL_SERVICE_SHOULD_STOP_1] = &kStop;
  channel.simulate(1, Array<float>({5, 1}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_CANCELLED);
}

TEST(Sdk, ChecksEveryValueAgainstTheSchema) {
  Channel channel(kLibrary);
  using Wanted = std::map<std::string, Channel::Value>;
  for (const Wanted& wanted : {Wanted{{"real", 0.0}}, Wanted{{"real", 10.5}}, Wanted{{"integer", int64_t{6}}},
                               Wanted{{"switch", int64_t{2}}}, Wanted{{"choice", "c"}}}) {
    EXPECT_EQ(channel.configure({1}, wanted), UNCHANNEL_BAD_ARGUMENT);
    EXPECT_NE(channel.error.find(wanted.begin()->first), std::string::npos) << channel.error;
  }
  EXPECT_EQ(
      channel.configure({1}, {{"real", 10.0}, {"integer", int64_t{5}}, {"switch", int64_t{0}}, {"choice", "a"}, {"path", "/a \"b\"\n"}}),
      UNCHANNEL_OK);
  EXPECT_EQ(channel.canonical,
            "mode = \"well\"\nreal = 10.0\ninteger = 5\nswitch = false\nchoice = \"a\"\npath = \"/a \\\"b\\\"\\u000A\"\n");
}

TEST(Sdk, HoldsSeveralChannelsAndAnswersUnknownIdsWithNull) {
  Channel plain(kLibrary, 1);
  EXPECT_STREQ(plain.descriptor->id, "test.plain");
  EXPECT_EQ(plain.module->channel_count(), 2U);
  EXPECT_EQ(plain.module->get_table(2, UNCHANNEL_CORE_1), nullptr);
  EXPECT_EQ(plain.core->parameter(plain.instance, 0), nullptr);
  EXPECT_EQ(plain.core->latent(plain.instance, 0), nullptr);
  for (const char* id : {UNCHANNEL_MEAN_1, UNCHANNEL_CUDA_1, "mean/2", "x-unheard-of"}) {
    EXPECT_EQ(plain.core->get_extension(plain.instance, id), nullptr);
  }
}

TEST(Sdk, RefusesCallsBeforeConfigureAndTensorsThatDoNotFit) {
  Channel channel(kLibrary);
  channel.simulate(1, Array<float>({1, 3}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_BAD_ARGUMENT);
  ASSERT_EQ(channel.configure({3}), UNCHANNEL_OK);
  channel.simulate(1, Array<float>({1, 4}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_BAD_ARGUMENT);
  channel.simulate(1, Array<float>({0, 3}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_OK);  // an empty batch is a batch
}

/// A caller of another minor version: the same struct with a longer, poisoned tail, or cut.
template <class Args>
struct Longer {
  Args args;
  std::array<unsigned char, 64> tail;
};

class StructSize : public testing::TestWithParam<std::string> {};

TEST_P(StructSize, AcceptsLongerIgnoresTheTailAndRefusesShorterOrChained) {
  Channel channel(GetParam());
  ASSERT_EQ(channel.configure({3}), UNCHANNEL_OK);
  const Array<float> x({2, 3}, 1.0F), y({2, 3});
  const auto tx = x.tensor(), ty = y.tensor();
  Channel::Call call(channel, 1, 2, 0, {});
  const auto simulate = [&](uint64_t batch_size, uint64_t args_size, const void* next) {
    Longer<unchannel_batch> batch{call.batch, {}};
    Longer<unchannel_simulate_args> args{{args_size, next, &tx, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &ty},
                                         {}};
    batch.tail.fill(0xA5), args.tail.fill(0xA5);
    batch.args.struct_size = batch_size;
    return channel.core->simulate(channel.instance, &batch.args, &args.args);
  };
  EXPECT_EQ(simulate(UNCHANNEL_BATCH_V1_SIZE, UNCHANNEL_SIMULATE_ARGS_V1_SIZE, nullptr), UNCHANNEL_OK);
  EXPECT_EQ(simulate(UNCHANNEL_BATCH_V1_SIZE + 64, UNCHANNEL_SIMULATE_ARGS_V1_SIZE + 64, nullptr), UNCHANNEL_OK);
  EXPECT_EQ(simulate(UNCHANNEL_BATCH_V1_SIZE - 8, UNCHANNEL_SIMULATE_ARGS_V1_SIZE, nullptr), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(simulate(UNCHANNEL_BATCH_V1_SIZE, UNCHANNEL_SIMULATE_ARGS_V1_SIZE - 8, nullptr), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(simulate(UNCHANNEL_BATCH_V1_SIZE, UNCHANNEL_SIMULATE_ARGS_V1_SIZE, &tx), UNCHANNEL_BAD_ARGUMENT);
}
INSTANTIATE_TEST_SUITE_P(Plugins, StructSize,
                         testing::Values(kLibrary, std::string(UNCHANNEL_BINARY_DIR "/test-plugins/awgn_raw_abi.so"),
                                         std::string(UNCHANNEL_BINARY_DIR "/test-plugins/simple_plugin.so")));

TEST(StructSize, AMissingTailReadsAsZero) {
  struct V2 {
    uint64_t struct_size;
    const void* next;
    uint64_t old_field, new_field;
  } own{1, nullptr, 2, 3};
  const struct V1 {
    uint64_t struct_size;
    const void* next;
    uint64_t old_field;
  } theirs{sizeof(V1), nullptr, 7};
  ASSERT_EQ(unchannel_take_args(&own, sizeof own, &theirs, sizeof theirs), UNCHANNEL_OK);
  EXPECT_EQ(own.old_field, 7U);
  EXPECT_EQ(own.new_field, 0U);
}

TEST(Sdk, DrawsWantedLatentsOnlyAndKeepsCountLatents) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({3}), UNCHANNEL_OK);
  EXPECT_STREQ(channel.core->latent(channel.instance, 0)->count_of, "values");
  EXPECT_EQ(channel.core->latent(channel.instance, 0)->dtype, UNCHANNEL_LATENT_I32);
  Channel::Latents wanted{{"count", Array<int32_t>({8})}};
  Channel::Call call(channel, 3, 8, 0, wanted);
  unchannel_draw_latents_args args{sizeof args, nullptr, nullptr, call.latents.data(), 2, 0};
  ASSERT_EQ(channel.core->draw_latents(channel.instance, &call.batch, &args), UNCHANNEL_OK) << channel.error;
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(static_cast<uint32_t>(std::get<Array<int32_t>>(wanted.at("count")).values[i]),
              unchannel_below(unchannel_word(3, i, 0, 0), 5));
  }
  Channel::Latents wrong{{"count", Array<float>({8})}};
  Channel::Call refused(channel, 3, 8, 0, wrong);
  args.latents = refused.latents.data();
  EXPECT_EQ(channel.core->draw_latents(channel.instance, &refused.batch, &args), UNCHANNEL_BAD_ARGUMENT);
}

}  // namespace
