#include <gtest/gtest.h>

#include <functional>

#include <unchannel/base/error.hpp>
#include <unchannel/identification/unknown_settings.hpp>
#include <unchannel/test_support/message_of.hpp>

namespace unchannel {
namespace {

UnknownSettings good() {
  UnknownSettings unknown;
  unknown.parameter = "sigma";
  unknown.prior = "uniform";
  unknown.low = 0.2;
  unknown.high = 1.5;
  unknown.constraint = "none";
  return unknown;
}

struct Fault {
  std::function<void(UnknownSettings&)> make;
  std::string part;  ///< of the message
};

TEST(UnknownSettings, AreRefusedWithTheRuleAndTheRemedy) {
  const std::vector<Fault> faults = {
      {[](UnknownSettings& u) { u.prior = "undeclared"; }, "unknown.prior is missing"},
      {[](UnknownSettings& u) { u.constraint = "undeclared"; }, "unknown.constraint is missing"},
      {[](UnknownSettings& u) { u.low = 2.0; }, "unknown.low = 2 must be less than unknown.high = 1.5"},
      {[](UnknownSettings& u) { u.prior = "log_uniform", u.low = 0.0; }, "unknown.low = 0 must be above 0"},
      {[](UnknownSettings& u) { u.prior = "normal", u.mean = 0.5; }, "unknown.deviation = 0 must be above 0"},
      {[](UnknownSettings& u) { u.prior = "normal", u.deviation = 1.0, u.mean = 3.0; }, "unknown.mean = 3 must lie between"},
      {[](UnknownSettings& u) { u.constraint = "prior"; }, "identifies nothing"},
      {[](UnknownSettings& u) { u.constraint = "signal_free"; }, "unknown.signal_free_elements"},
      {[](UnknownSettings& u) { u.signal_free_elements = {1}; }, "and only then"},
      {[](UnknownSettings& u) { u.constraint = "range"; }, "model.signal_min"},
      {[](UnknownSettings& u) { u.constraint = "calibration", u.calibration_signals = "a.h5"; }, "calibration_observations"},
      {[](UnknownSettings& u) { u.calibration_signals = "a.h5"; }, "belong to constraint"},
  };
  EXPECT_NO_THROW(good().check_consistency(false));
  for (const Fault& fault : faults) {
    UnknownSettings unknown = good();
    fault.make(unknown);
    EXPECT_NE(test_support::message_of<ConfigError>([&] { unknown.check_consistency(false); }).find(fault.part), std::string::npos)
        << fault.part;
  }
}

TEST(UnknownSettings, WithoutAParameterNeedNothing) { EXPECT_NO_THROW(UnknownSettings{}.check_consistency(false)); }

}  // namespace
}  // namespace unchannel
