#include <gtest/gtest.h>

#include <unchannel/verification/verification.hpp>

namespace unchannel::verification {
namespace {

/// 1-D, signal-to-noise 1, a start with the wrong mean and variance.
theory::GaussianProblem problem() {
  theory::GaussianProblem p;
  p.signal = {theory::Vector::Constant(1, 1.0), theory::Matrix::Constant(1, 1, 1.0)};
  p.initial = {theory::Vector::Constant(1, 0.0), theory::Matrix::Constant(1, 1, 2.0)};
  p.channel = {theory::Matrix::Identity(1, 1), theory::Matrix::Constant(1, 1, 1.0)};
  return p;
}

VerifySettings quick(const std::string& fault) {
  VerifySettings settings;
  settings.iterations = 2;
  settings.repeats = 2;
  settings.rows = 4096;
  settings.steps = 150;
  settings.batch = 512;
  settings.transport_steps = 16;
  settings.fit_tolerance = 0.02;
  settings.fault = fault;
  return settings;
}

class Faults : public testing::TestWithParam<std::string> {};

TEST_P(Faults, TurnTheVerdict) {
  const VerifySettings settings = quick(GetParam());
  theory::TheorySettings transport;
  transport.epsilon = 0.5;
  const Verification verification = verify(schemes_of(problem(), transport, settings.transport_steps), settings, {});
  EXPECT_EQ(verification.holds(), GetParam() == "none");
  for (const Claim& claim : verification.claims) {
    RecordProperty(claim.name, std::to_string(claim.measured));
    std::printf("  %-20s %9.4f %9.4f +- %.4f %s\n", claim.name.c_str(), claim.measured, claim.predicted, claim.tolerance, claim.holds ? "" : "FAILS");
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Faults, testing::Values("none", "drift_sign", "time_grid", "epsilon_factor", "swapped_schedule"));

}  // namespace
}  // namespace unchannel::verification
