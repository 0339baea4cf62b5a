// unchannel/simple.h from the host's side: schema, atomic configure, tensors, latents, failed samples. Growing structs: sdk_test.cpp.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;
using Wanted = std::map<std::string, Channel::Value>;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/test-plugins/simple_plugin.so";

TEST(Simple, ChecksEveryValueAgainstTheSchema) {
  Channel channel(kLibrary);
  const double infinity = HUGE_VAL;
  for (const Wanted& wanted :
       {Wanted{{"gain", 0.0}}, Wanted{{"gain", 10.5}}, Wanted{{"gain", std::nan("")}}, Wanted{{"gain", -infinity}},
        Wanted{{"count", int64_t{6}}}, Wanted{{"count", int64_t{-2}}}, Wanted{{"shifted", int64_t{2}}}, Wanted{{"choice", "halve"}}}) {
    EXPECT_EQ(channel.configure({4}, wanted), UNCHANNEL_BAD_ARGUMENT);
    EXPECT_EQ(channel.error.find(wanted.begin()->first + ": the value is "), 0U) << channel.error;
  }
}

TEST(Simple, ReturnsTheWholeConfigurationAsToml) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({4}, {{"gain", 0.1}, {"count", int64_t{-1}}, {"shifted", int64_t{1}}, {"text", "a \"b\" \\ \n\x7f ü"}}),
            UNCHANNEL_OK);
  EXPECT_EQ(channel.canonical,
            "gain = 1.0000000000000001e-01\ncount = -1\nshifted = true\nchoice = \"plain\"\n"
            "text = \"a \\\"b\\\" \\\\ \\u000A\\u007F ü\"\n");
}

TEST(Simple, ARefusedConfigurationChangesNothingAndLeaksNothing) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}, {{"gain", 3.0}, {"choice", "live states"}}), UNCHANNEL_OK);
  const std::string canonical = channel.canonical;
  EXPECT_EQ(channel.configure({4}, {{"text", "refuse"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.error, "text: must not be refuse.");
  EXPECT_EQ(channel.configure({1}, {{"choice", "halves"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.error, "y: at most 8 axes, each at least 1 long, and below 2^32 elements.");
  EXPECT_EQ(channel.configure({2, 0}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.configure({int64_t{1} << 31, 2}), UNCHANNEL_BAD_ARGUMENT);
  // The first value is the number of states alive: that of the configuration in force.
  EXPECT_EQ(channel.simulate(1, Array<float>({1, 2}, 2.0F), {}).values, (std::vector<float>{1, 6}));
  ASSERT_EQ(channel.configure({2}, {{"choice", "live states"}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.simulate(1, Array<float>({1, 2}, 2.0F), {}).values, (std::vector<float>{1, 2}));
}

TEST(Simple, TextsOutliveTheCallThatBroughtThem) {
  Channel channel(kLibrary);
  {
    std::string mode = "fail";
    ASSERT_EQ(channel.configure({1}, {{"text", mode}}), UNCHANNEL_OK);
    mode.assign(100, 'x');
  }
  channel.simulate(1, Array<float>({2, 1}, 2.0F), {});
  EXPECT_EQ(channel.sample_status, (std::vector<int32_t>{0, UNCHANNEL_SAMPLE_PLUGIN + 7}));
}

TEST(Simple, AFailedSampleIsZeroedAndTheOthersGoOn) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}, {{"text", "fail"}}), UNCHANNEL_OK);
  const auto y = channel.simulate(1, Array<float>({3, 2}, 2.0F), {}, 100);
  EXPECT_EQ(channel.status, UNCHANNEL_OK);
  EXPECT_EQ(y.values, (std::vector<float>{2, 2, 0, 0, 2, 2}));
}

TEST(Simple, LatentsHaveTheirShapeAndAreDrawnWhereWantedOnly) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}), UNCHANNEL_OK);
  EXPECT_FALSE(channel.active("shift"));
  ASSERT_EQ(channel.configure({2}, {{"shifted", int64_t{1}}}), UNCHANNEL_OK);
  auto latents = channel.draw(5, 3, 70);
  const auto& shift = std::get<Array<float>>(latents.at("shift"));
  EXPECT_EQ(shift.shape(), (std::vector<int64_t>{3, 2}));
  const uint64_t key = unchannel_derive(5, unchannel_tag(UNCHANNEL_TAG_LATENT, 0));
  for (uint32_t i = 0; i < 6; ++i) EXPECT_EQ(shift.values[i], unchannel_uniform(key, 70 + i / 2, i % 2, 0));

  const Array<float> x({3, 2}, 1.0F);
  channel.simulate(1, x, latents);
  EXPECT_EQ(channel.error, "an active latent is missing.");
  latents.emplace("weight", Array<float>({3}, 1.0F));
  EXPECT_EQ(channel.simulate(1, x, latents).values[5], 1 + shift.values[4]);
  latents.insert_or_assign("weight", Array<int32_t>({3}, 1));
  channel.simulate(1, x, latents);
  EXPECT_EQ(channel.error, "a latent has the wrong shape, type or device, or is not contiguous.");
}

TEST(Simple, RefusesToDrawWhatOnlyTheDataHave) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}, {{"shifted", int64_t{1}}}), UNCHANNEL_OK);
  Channel::Latents wanted{{"weight", Array<float>({1})}};
  Channel::Call call(channel, 1, 1, 0, wanted);
  const unchannel_draw_latents_args args{sizeof args, nullptr, nullptr, call.latents.data(), 2, 0};
  EXPECT_EQ(channel.core->draw_latents(channel.instance, &call.batch, &args), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("set its source to \"data\""), std::string::npos);
}

TEST(Simple, AnotherShapeOfTheObservationComesWithALift) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({6}, {{"choice", "halves"}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.y_shape, std::vector<int64_t>{3});
  Array<float> y({1, 3});
  y.values = {1, 2, 3};
  EXPECT_EQ(channel.lift(y, {}).values, (std::vector<float>{1, 1, 2, 2, 3, 3}));
}

TEST(Simple, OffersWhatItHasAndNothingElse) {
  Channel channel(kLibrary);
  EXPECT_NE(channel.core->get_extension(channel.instance, UNCHANNEL_LIFT_1), nullptr);
  for (const char* id : {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1, "lift/2", "x-unheard-of"}) {
    EXPECT_EQ(channel.core->get_extension(channel.instance, id), nullptr) << id;
    EXPECT_EQ(channel.module->get_table(0, id), nullptr) << id;
  }
  EXPECT_EQ(channel.module->get_table(1, UNCHANNEL_CORE_1), nullptr);
}

TEST(Simple, RefusesCallsBeforeConfigureAndTensorsThatDoNotFit) {
  Channel channel(kLibrary);
  channel.simulate(1, Array<float>({1, 3}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_BAD_ARGUMENT);
  ASSERT_EQ(channel.configure({3}), UNCHANNEL_OK);
  channel.simulate(1, Array<float>({1, 4}), {});
  EXPECT_EQ(channel.error, "a tensor has the wrong shape, type or device, or is not contiguous.");
  channel.simulate(1, Array<float>({0, 3}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_OK);
}

TEST(Simple, StopsWhenTheHostAsks) {
  static constexpr unchannel_host_should_stop_1 kStop{[](const unchannel_host*) -> int32_t { return 1; }};
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({1}), UNCHANNEL_OK);
  channel.services[UNCHANNEL_SERVICE_SHOULD_STOP_1] = &kStop;
  channel.simulate(1, Array<float>({5, 1}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_CANCELLED);
}

}  // namespace
