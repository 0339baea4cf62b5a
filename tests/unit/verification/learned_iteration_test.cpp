#include <gtest/gtest.h>

#include <unchannel/verification/verification.hpp>

namespace unchannel::verification {
namespace {

/// Two dimensions, a start with the wrong mean and covariance.
theory::GaussianProblem problem(const theory::Matrix& operator_DD, theory::TransportRule rule) {
  theory::GaussianProblem p;
  p.signal = {theory::Vector(2), theory::Matrix(2, 2)};
  p.signal.mean_D << 1.0, -1.0;
  p.signal.covariance_DD << 1.0, 0.4, 0.4, 0.8;
  p.initial = {theory::Vector::Zero(2), 2.0 * theory::Matrix::Identity(2, 2)};
  p.channel = {operator_DD, 0.7 * theory::Matrix::Identity(2, 2)};
  p.rule = std::move(rule);
  return p;
}

struct Path {
  std::string interpolant;
  double epsilon;
  bool blurred;
};

class Paths : public testing::TestWithParam<Path> {
 protected:
  static theory::TransportRule rule() {
    const Path& path = GetParam();
    if (path.interpolant == "stochastic") return theory::TransportRule::stochastic(path.epsilon);
    if (path.interpolant == "trigonometric") return theory::TransportRule::trigonometric(path.epsilon);
    if (path.interpolant == "polynomial") return theory::TransportRule::polynomial(path.epsilon, 2.0);
    return theory::TransportRule::diffusion(path.epsilon);
  }
};

// The linear path, its faults and its claims are run by the command's tests; here are the engine's other paths.
TEST_P(Paths, AreLearntAsTheTheoryIntegratesThem) {
  theory::Matrix blur_DD(2, 2);
  blur_DD << 0.9, 0.3, 0.1, 0.8;
  VerifySettings settings;
  settings.iterations = 2;
  settings.repeats = 2;
  settings.rows = 8192;
  settings.steps = 200;
  settings.batch = 512;
  settings.transport_steps = 32;
  settings.fit_tolerance = 0.02;
  theory::TheorySettings transport;
  transport.interpolant = GetParam().interpolant;
  transport.epsilon = GetParam().epsilon;
  const theory::GaussianProblem gaussian = problem(GetParam().blurred ? blur_DD : theory::Matrix::Identity(2, 2), rule());
  const Scheme configured = schemes_of(gaussian, transport, settings.transport_steps).front();
  const Claim claim = verify({configured}, settings, {}).claims.front();
  EXPECT_EQ(claim.name, "iterates");
  EXPECT_TRUE(claim.holds) << claim.measured << " of what it may be wrong by";
}

INSTANTIATE_TEST_SUITE_P(Each, Paths,
                         testing::Values(Path{"stochastic", 0.2, true}, Path{"trigonometric", 0.0, true}, Path{"polynomial", 0.0, false},
                                         Path{"fokker_planck", 0.25, false}));

}  // namespace
}  // namespace unchannel::verification
