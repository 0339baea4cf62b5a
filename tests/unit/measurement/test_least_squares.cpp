#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/least_squares.hpp>

#include "../scsi/awgn_channel.hpp"

namespace unchannel {
namespace {

/// y = A x + b with a dense A [M, D].
class AffineChannel final : public Channel {
 public:
  AffineChannel(at::Tensor map_MD, at::Tensor offset_M) : map_MD_(std::move(map_MD)), offset_M_(std::move(offset_M)) {}
  std::string id() const override { return "test.affine"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {map_MD_.size(1)}; }
  std::vector<std::int64_t> observation_shape() const override { return {map_MD_.size(0)}; }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey, const at::Tensor&) const override { return mean(x_BD, latents); }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }
  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents&) const override { return x_BD.matmul(map_MD_.t()) + offset_M_; }
  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor&, const Latents&, const at::Tensor& v_BM) const override { return v_BM.matmul(map_MD_); }

 private:
  at::Tensor map_MD_, offset_M_;
  std::vector<LatentSpec> none_;
};

TEST(LeastSquares, AreThePseudoInverseAfterAsManyStepsAsDimensions) {
  at::manual_seed(4);
  const at::Tensor map = at::randn({9, 5}), offset = at::randn({9}), y = at::randn({3, 9});
  const at::Tensor expected = (y - offset).to(at::kDouble).matmul(at::linalg_pinv(map.to(at::kDouble)).t());
  const at::Tensor x = least_squares(AffineChannel(map, offset), {}, y, 10);
  EXPECT_LT((x - expected).abs().max().item<double>(), 1e-4);  // float32 with a condition number below 10
}

TEST(LeastSquares, OfMinimalNormWhereTheChannelHidesDirections) {
  at::manual_seed(5);
  const at::Tensor map = at::randn({3, 6}), y = at::randn({4, 3});
  const at::Tensor expected = y.to(at::kDouble).matmul(at::linalg_pinv(map.to(at::kDouble)).t());
  const at::Tensor x = least_squares(AffineChannel(map, at::zeros({3})), {}, y, 20);
  EXPECT_LT((x - expected).abs().max().item<double>(), 1e-4);
}

TEST(LeastSquares, LeaveARowAloneThatHasArrived) {
  const at::Tensor y = at::tensor({0.0F, 0.0F, 0.0F, 1.0F, 2.0F, 3.0F}).view({2, 3});
  EXPECT_TRUE(at::equal(least_squares(AffineChannel(at::eye(3), at::zeros({3})), {}, y, 5), y));
}

TEST(LeastSquares, RefuseAChannelWithoutDerivatives) { EXPECT_THROW(least_squares(AwgnChannel(3, 1.0), {}, at::zeros({1, 3}), 1), ConfigError); }

}  // namespace
}  // namespace unchannel
