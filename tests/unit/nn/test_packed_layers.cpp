#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/nn/packed_layers.hpp>

namespace unchannel {
namespace {

struct Family {
  const char* name;
  NetworkShape shape;
};

class PackedFamilies : public testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    ModelSettings settings;
    settings.family = GetParam().name;
    settings.width = 16;
    settings.depth = 2;
    settings.multipliers = {1, 2};
    settings.blocks_per_level = 1;
    network_ = make_network(settings, GetParam().shape, RandomKey(5));
    average_ = make_network(settings, GetParam().shape, RandomKey(5));
    at::manual_seed(1);
    for (const Network* network : {network_.get(), average_.get()}) wake(*network);
    for (auto& [name, tensor] : network_->parameters()) at::Tensor(tensor).set_requires_grad(true);
    input_.x_BD = at::randn({6, GetParam().shape.dimension});
    input_.t_B = at::rand({6});
  }

  static void wake(const Network& network) {
    const at::NoGradGuard no_grad;
    for (auto& [name, tensor] : network.parameters()) {
      if (name.find("zero") != std::string::npos && tensor.dim() > 1) at::Tensor(tensor).copy_(at::randn_like(tensor).mul_(0.1));
    }
  }

  /// With packed parameters, as in a transport.
  at::Tensor packed(Network& network) {
    const at::NoGradGuard no_grad;
    return network.forward(input_);
  }
  /// By the plain layers, as in a training step.
  at::Tensor plain(Network& network) { return network.forward(input_).detach(); }

  double difference(Network& network) {
    const at::Tensor expected = plain(network);
    return ((packed(network) - expected).norm() / expected.norm()).item<double>();
  }

  std::unique_ptr<Network> network_, average_;
  NetworkInput input_;
};

// Sums of some hundred float32 products, in another order.
constexpr double kFloat32Rounding = 1e-5;

TEST_P(PackedFamilies, ComputeWhatThePlainLayersDo) {
  EXPECT_LT(difference(*network_), kFloat32Rounding);
  const AutocastGuard autocast(true);
  // A dozen layers, each rounded to 2^-8.
  EXPECT_LT(difference(*network_), 2e-2);
}

TEST_P(PackedFamilies, SeeEveryUpdateOfStudentAndAverage) {
  Optimiser optimiser(OptimiserSettings{}, *network_, *average_);
  for (int step = 0; step < 3; ++step) {
    const at::Tensor before = packed(*network_), before_average = packed(*average_);
    network_->forward(input_).square().mean().backward();
    optimiser.step(500 + step, 1000);
    EXPECT_FALSE(at::equal(packed(*network_), before));
    EXPECT_FALSE(at::equal(packed(*average_), before_average));
    EXPECT_LT(difference(*network_), kFloat32Rounding) << step;
    EXPECT_LT(difference(*average_), kFloat32Rounding) << step;
  }
  copy_parameters(*average_, *network_);
  EXPECT_LT(difference(*network_), kFloat32Rounding);
  EXPECT_TRUE(at::equal(packed(*network_), packed(*average_)));
}

TEST_P(PackedFamilies, TakeBatchesOfAnySize) {
  const at::Tensor all = packed(*network_);
  NetworkInput one = input_;
  one.x_BD = input_.x_BD.slice(0, 2, 3);
  one.t_B = input_.t_B.slice(0, 2, 3);
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(network_->forward(one), all.slice(0, 2, 3), 1e-4, 1e-5));
}

INSTANTIATE_TEST_SUITE_P(All, PackedFamilies,
                         testing::Values(Family{"mlp", {.dimension = 32}}, Family{"unet1d", {.dimension = 32, .outputs = 2}},
                                         Family{"unet2d", {.dimension = 96, .extents = {2, 8, 6}}}),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(PackedConvolution, OfKernelOneHasThePlainGradientsInFloat32) {
  at::manual_seed(1);
  PackedConvolution layer(torch::nn::Conv2dOptions(6, 10, 1));
  const at::Tensor x = at::randn({3, 6, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(true);
  const at::Tensor out = layer(x), direction = at::randn(out.sizes());
  EXPECT_TRUE(out.is_contiguous(at::MemoryFormat::ChannelsLast));
  out.backward(direction);
  const at::Tensor wide = x.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor weight = layer->weight.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor bias = layer->bias.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor expected = at::conv2d(wide, weight, bias);
  expected.backward(direction.to(at::kDouble));
  // Sums of up to sixty float32 products of order one.
  const auto near = [](const at::Tensor& got, const at::Tensor& exact) { return at::allclose(got.to(at::kDouble), exact, 1e-5, 1e-5); };
  EXPECT_TRUE(near(out.detach(), expected.detach()));
  EXPECT_TRUE(near(x.grad(), wide.grad()));
  EXPECT_TRUE(near(layer->weight.grad(), weight.grad()));
  EXPECT_TRUE(near(layer->bias.grad(), bias.grad()));
}

}  // namespace
}  // namespace unchannel
