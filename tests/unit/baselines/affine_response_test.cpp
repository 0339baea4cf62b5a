#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>

#include "blur_channel.hpp"

namespace unchannel::baselines {
namespace {

using baselines_test::BlurChannel;

TEST(GaussianLineSpread, ConservesFluxAndIsItsOwnAdjoint) {
  for (double fwhm : {0.0, 0.3, 4.0, 70.0}) {
    const at::Tensor H = gaussian_line_spread(64, fwhm).matrix_MD;
    EXPECT_LT((H.sum(1) - 1).abs().max().item<double>(), 1e-13) << fwhm;
    EXPECT_LT((H - H.t()).abs().max().item<double>(), 1e-15) << fwhm;
  }
}

TEST(GaussianLineSpread, HasTheVarianceOfGaussianPlusPixel) {
  const at::Tensor row = gaussian_line_spread(201, 10.0).matrix_MD[100];
  const at::Tensor offset = at::arange(201, at::kDouble) - 100;
  const double sigma = 10.0 / 2.3548200450309493;
  // A Gaussian integrated over unit pixels: variances add, 1/12 for the pixel. The cut at 6 sigma costs 1e-7.
  EXPECT_NEAR((row * offset.square()).sum().item<double>(), sigma * sigma + 1.0 / 12, 1e-5);
}

TEST(GaussianLineSpread, FarBelowAPixelIsTheIdentity) {
  EXPECT_LT((gaussian_line_spread(32, 0.01).matrix_MD - at::eye(32, at::kDouble)).abs().max().item<double>(), 1e-12);
  EXPECT_THROW(gaussian_line_spread(32, -1), ConfigError);
}

TEST(ProbeResponse, RecoversMatrixAndOffset) {
  const BlurChannel channel(300, 5.0, 0.1);  // more pixels than one probing batch
  const AffineResponse response = probe_response(channel, {{"gain", at::full({1}, 2.0, at::kFloat)}});
  EXPECT_LT((response.matrix_MD - 2 * gaussian_line_spread(300, 5.0).matrix_MD).abs().max().item<double>(), 1e-6);
  EXPECT_LT((response.offset_M - 0.5).abs().max().item<double>(), 1e-7);
}

TEST(ProbeResponse, RefusesANonlinearChannel) {
  EXPECT_THROW(probe_response(BlurChannel(16, 3.0, 0.1, true), {{"gain", at::ones({1}, at::kFloat)}}), ConfigError);
  EXPECT_THROW(probe_response(BlurChannel(16, 3.0, 0.1), {{"gain", at::ones({2}, at::kFloat)}}), ShapeError);
}

}  // namespace
}  // namespace unchannel::baselines
