#include <gtest/gtest.h>

#include <string>
#include <unchannel/base/did_you_mean.hpp>
#include <vector>

namespace unchannel {
namespace {

const std::vector<std::string> kKnown = {"iterations", "iterate", "sigma", "k"};

TEST(DidYouMean, NamesTheNearestWord) {
  EXPECT_EQ(did_you_mean("iteratons", kKnown), " Did you mean 'iterations'?");
  EXPECT_EQ(did_you_mean("itterate", kKnown), " Did you mean 'iterate'?");
  EXPECT_EQ(did_you_mean("sgima", kKnown), " Did you mean 'sigma'?");
}

TEST(DidYouMean, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("wavelength", kKnown), "");
  EXPECT_EQ(did_you_mean("x", kKnown), "");  // one letter away from "k", but no letter in common
  EXPECT_EQ(did_you_mean("", kKnown), "");
  EXPECT_EQ(did_you_mean("sigma", {}), "");
}

TEST(DidYouMean, AllowsOneErrorAndAThirdOfTheLength) {
  EXPECT_EQ(did_you_mean("abcxxx", std::vector<std::string>{"abcdef"}), " Did you mean 'abcdef'?");
  EXPECT_EQ(did_you_mean("abxxxx", std::vector<std::string>{"abcdef"}), "");
}

}  // namespace
}  // namespace unchannel
