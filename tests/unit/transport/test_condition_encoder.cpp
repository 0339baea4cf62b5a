#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/transport/condition_encoder.hpp>

namespace unchannel {
namespace {

TEST(ConditionEncoder, SendsWideLatentsToPlanesAndNarrowOnesToConditions) {
  const std::map<std::string, at::Tensor> latents = {{"ivar", at::rand({9, 16})}, {"snr", at::rand({9})}};
  const ConditionEncoder encoder = ConditionEncoder::fit(latents, 16);
  EXPECT_EQ(encoder.planes(), 1);
  EXPECT_EQ(encoder.conditions(), 1);
  EXPECT_EQ(encoder.planes_BPS(latents).sizes(), at::IntArrayRef({9, 1, 16}));
  EXPECT_EQ(encoder.conditions_BC(latents).sizes(), at::IntArrayRef({9, 1}));
}

TEST(ConditionEncoder, SpreadsALatentOfSeveralPlanes) {
  const std::map<std::string, at::Tensor> latents = {{"gain", at::rand({9, 2, 4, 4})}, {"mask", at::rand({9, 1, 4, 4})}};
  const ConditionEncoder encoder = ConditionEncoder::fit(latents, 16);
  EXPECT_EQ(encoder.planes(), 3);
  EXPECT_EQ(encoder.planes_BPS(latents).sizes(), at::IntArrayRef({9, 3, 16}));
  EXPECT_EQ(encoder.conditions(), 0);
}

TEST(ConditionEncoder, NamesTheLatentThatIsMissing) {
  const ConditionEncoder encoder = ConditionEncoder::fit({{"snr", at::rand({9})}}, 16);
  try {
    encoder.conditions_BC({});
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("snr"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace unchannel
