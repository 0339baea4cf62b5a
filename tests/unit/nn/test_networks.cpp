#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/families.hpp>
#include <unchannel/nn/network.hpp>

namespace unchannel {
namespace {

ModelSettings small_unet() {
  ModelSettings settings;
  settings.family = "unet1d";
  settings.width = 8;
  settings.multipliers = {1, 2};
  settings.blocks_per_level = 1;
  return settings;
}

NetworkInput input_for(const NetworkShape& shape, std::int64_t batch) {
  at::manual_seed(1);
  NetworkInput input;
  input.x_BD = at::randn({batch, shape.dimension});
  input.t_B = at::rand({batch});
  if (shape.planes > 0) input.planes_BPS = at::randn({batch, shape.planes, shape.plane_size()});
  if (shape.conditions > 0) input.conditions_BC = at::randn({batch, shape.conditions});
  input.ids_B = at::arange(batch, at::kLong);
  return input;
}

/// Two levels with attention on the lower one; images of 2 planes, 8 x 6.
ModelSettings small_image_unet() {
  ModelSettings settings = small_unet();
  settings.family = "unet2d";
  settings.attention = {4};
  settings.head_planes = 8;
  return settings;
}

NetworkShape image_shape() { return {.dimension = 96, .extents = {2, 8, 6}}; }

/// The published architecture [SCSI, appendix C] on 32 x 32 RGB.
std::int64_t published_parameters(std::int64_t width) {
  ModelSettings settings;
  settings.family = "unet2d";
  settings.width = width;
  settings.multipliers = {1, 2, 3, 4};
  settings.blocks_per_level = 3;
  settings.attention = {32, 16, 8};
  return make_network(settings, {.dimension = 3072, .extents = {3, 32, 32}}, RandomKey(1))->parameter_count();
}

/// Gives every weight that starts at zero a value, so that outputs depend on inputs.
void wake(Network& network) {
  const at::NoGradGuard no_grad;
  at::manual_seed(3);
  for (auto& [name, tensor] : network.parameters()) {
    if (name.find("zero") != std::string::npos && tensor.dim() > 1) at::Tensor(tensor).copy_(at::randn_like(tensor).mul_(0.1));
  }
}

class Families : public testing::TestWithParam<std::string> {
 protected:
  ModelSettings settings() const {
    if (GetParam() == "unet1d") return small_unet();
    if (GetParam() == "unet2d") return small_image_unet();
    ModelSettings other;
    other.family = GetParam();
    other.width = 16;
    other.depth = 2;
    return other;
  }
  /// Axes of a signal of 32 elements.
  static std::vector<std::int64_t> extents() {
    if (GetParam() == "unet2d") return {2, 4, 4};
    return {};
  }
};

TEST_P(Families, StartAtZeroWithTheShapeAskedFor) {
  const NetworkShape shape{.dimension = 32, .extents = extents(), .planes = 2, .conditions = 3, .outputs = 2};
  const auto network = make_network(settings(), shape, RandomKey(5));
  const at::Tensor out = network->forward(input_for(shape, 4));
  EXPECT_EQ(out.sizes(), at::IntArrayRef({4, 2, 32}));
  EXPECT_EQ(out.abs().max().item<float>(), 0.0F);
}

TEST_P(Families, WeightsAreAFunctionOfTheKey) {
  const NetworkShape shape{.dimension = 32, .extents = extents()};
  const auto a = make_network(settings(), shape, RandomKey(5)), b = make_network(settings(), shape, RandomKey(5));
  const auto c = make_network(settings(), shape, RandomKey(6));
  bool differs = false;
  for (std::size_t i = 0; i < a->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(a->parameters()[i].second, b->parameters()[i].second)) << a->parameters()[i].first;
    differs = differs || !at::equal(a->parameters()[i].second, c->parameters()[i].second);
  }
  EXPECT_EQ(differs, GetParam() != "affine");  // whose weights all start at zero
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::Values("affine", "mlp", "unet1d", "unet2d"));

TEST(Affine, IsAffineInTheSignalWithChebyshevPolynomialsInTime) {
  ModelSettings settings;
  settings.family = "affine";
  settings.depth = 3;
  const auto network = make_network(settings, {.dimension = 2}, RandomKey(1));
  const at::NoGradGuard no_grad;
  at::manual_seed(2);
  at::Tensor weight = network->parameters().front().second;
  ASSERT_EQ(weight.sizes(), at::IntArrayRef({2, 4 * 3}));
  weight.copy_(at::randn({2, 12}));
  const at::Tensor x_BD = at::randn({5, 2}), t_B = at::rand({5});
  NetworkInput input;
  input.x_BD = x_BD;
  input.t_B = t_B;
  at::Tensor expected_BD = at::zeros({5, 2});
  for (std::int64_t j = 0; j <= 3; ++j) {
    const at::Tensor value_B1 = at::cos(static_cast<double>(j) * at::acos(2 * t_B - 1)).unsqueeze(1);
    const at::Tensor block_DI = weight.slice(1, 3 * j, 3 * j + 3);
    expected_BD += value_B1 * (x_BD.matmul(block_DI.slice(1, 0, 2).t()) + block_DI.select(1, 2));
  }
  EXPECT_LT((network->forward(input).select(1, 0) - expected_BD).abs().max().item<float>(), 1e-5F);
}

TEST(Unet1d, RefusesLengthsThatItsLevelsDoNotDivide) {
  EXPECT_THROW(make_network(small_unet(), NetworkShape{.dimension = 33}, RandomKey(1)), ConfigError);
}

TEST(Unet2d, HasThePublishedNumberOfParameters) {
  // 31,120,899 at width 64 and 69.96 million at 96 are the figures of the published code; half a per cent is the paper's rounding.
  EXPECT_EQ(published_parameters(64), 31120899);
  EXPECT_NEAR(static_cast<double>(published_parameters(96)), 69.96e6, 0.005 * 69.96e6);
}

TEST(Unet2d, RefusesWhatItsLevelsCannotHold) {
  ModelSettings settings = small_image_unet();
  EXPECT_THROW(make_network(settings, NetworkShape{.dimension = 70, .extents = {2, 7, 5}}, RandomKey(1)), ConfigError);
  EXPECT_THROW(make_network(settings, NetworkShape{.dimension = 96}, RandomKey(1)), ConfigError);
  settings.attention = {5};
  EXPECT_THROW(make_network(settings, image_shape(), RandomKey(1)), ConfigError);
}

TEST(Unet2d, RestoresASampleAloneAsInABatch) {
  NetworkShape shape = image_shape();
  shape.planes = 1;
  shape.conditions = 2;
  const auto network = make_network(small_image_unet(), shape, RandomKey(5));
  wake(*network);
  const NetworkInput all = input_for(shape, 3);
  NetworkInput one = all;
  for (at::Tensor* tensor : {&one.x_BD, &one.t_B, &one.planes_BPS, &one.conditions_BC, &one.ids_B}) *tensor = tensor->slice(0, 1, 2);
  const at::NoGradGuard no_grad;
  // Sums of some hundred float32 products of order one.
  EXPECT_TRUE(at::allclose(network->forward(all).slice(0, 1, 2), network->forward(one), 1e-4, 1e-5));
}

TEST(Unet2d, ListensToEachOfItsInputs) {
  NetworkShape shape = image_shape();
  shape.planes = 1;
  shape.conditions = 2;
  const auto network = make_network(small_image_unet(), shape, RandomKey(5));
  wake(*network);
  const at::NoGradGuard no_grad;
  const NetworkInput input = input_for(shape, 2);
  const at::Tensor before = network->forward(input);
  for (auto change : {&NetworkInput::x_BD, &NetworkInput::t_B, &NetworkInput::planes_BPS, &NetworkInput::conditions_BC}) {
    NetworkInput other = input;
    other.*change = (other.*change) * 0.5;
    EXPECT_GT((network->forward(other) - before).abs().max().item<float>(), 1e-4F);
  }
}

TEST(Unet2d, AttentionReachesTheWholeImage) {
  // One level, kernels of 3, three convolutions in a row on each path: without attention a corner cannot hear the opposite one.
  ModelSettings settings = small_image_unet();
  settings.multipliers = {1};
  const NetworkShape shape{.dimension = 400, .extents = {1, 20, 20}};
  const auto reach = [&](std::vector<std::int64_t> attention) {
    settings.attention = std::move(attention);
    const auto network = make_network(settings, shape, RandomKey(5));
    wake(*network);
    const at::NoGradGuard no_grad;
    NetworkInput input = input_for(shape, 1);
    // Normalisation sees the whole image as well: only the difference of two far corners' effects tells them apart.
    const at::Tensor before = network->forward(input);
    input.x_BD = input.x_BD.clone();
    input.x_BD[0][0] += 5.0;
    return (network->forward(input) - before).abs()[0][0][399].item<double>();
  };
  EXPECT_GT(reach({20}), 2.0 * reach({}));
}

/// Along three directions in the space of all weights.
void expect_gradient_of_finite_differences(ModelSettings settings, NetworkShape shape) {
  shape.planes = 1;
  settings.blocks_per_level = 2;
  const auto network = make_network(settings, shape, RandomKey(5));
  wake(*network);
  const NetworkInput input = input_for(shape, 2);
  const at::Tensor direction = at::randn({2, 1, shape.dimension});
  const auto loss = [&] { return (network->forward(input) * direction).mean(); };
  for (auto& [name, tensor] : network->parameters()) at::Tensor(tensor).set_requires_grad(true);
  loss().backward();
  const at::NoGradGuard no_grad;
  constexpr double kStep = 5e-4;  // the third derivative adds 3e-3 of the slope, the loss's rounding of 1e-7 adds 1e-5 of it
  for (int trial = 0; trial < 3; ++trial) {
    double slope = 0.0;
    std::vector<at::Tensor> along;
    for (auto& [name, tensor] : network->parameters()) {
      along.push_back(tensor.grad() / tensor.grad().norm() + 0.3 * at::randn_like(tensor) / std::sqrt(static_cast<double>(tensor.numel())));
      slope += (along.back() * tensor.grad()).sum().item<double>();
    }
    const auto moved = [&](double by) {
      for (std::size_t i = 0; i < along.size(); ++i) at::Tensor(network->parameters()[i].second).add_(along[i], by);
      return loss().item<double>();
    };
    const double above = moved(kStep), below = moved(-2.0 * kStep);
    moved(kStep);
    EXPECT_NEAR((above - below) / (2.0 * kStep), slope, 0.01 * std::abs(slope)) << trial;
  }
}

TEST(Unet2d, HasTheGradientOfFiniteDifferences) { expect_gradient_of_finite_differences(small_image_unet(), image_shape()); }

TEST(Unet1d, HasTheGradientOfFiniteDifferences) { expect_gradient_of_finite_differences(small_unet(), {.dimension = 64}); }

TEST(PositionFeatures, AreThoseOfTheirDefinition) {
  const at::Tensor features = position_features(at::tensor({0.5F}), 4, 2.0);
  const double slow = 0.5 / std::sqrt(2.0);
  EXPECT_TRUE(at::allclose(features, at::tensor({std::cos(0.5F), static_cast<float>(std::cos(slow)), std::sin(0.5F), static_cast<float>(std::sin(slow))}).unsqueeze(0)));
}

TEST(KeyedDropout, IsTheSameForAnyBatchSplit) {
  const at::Tensor x = at::ones({6, 50});
  const at::Tensor ids = at::arange(10, 16, at::kLong);
  const at::Tensor whole = keyed_dropout(x, 0.3, RandomKey(9), 2, ids);
  const at::Tensor parts = at::cat({keyed_dropout(x.slice(0, 0, 2), 0.3, RandomKey(9), 2, ids.slice(0, 0, 2).contiguous()),
                                    keyed_dropout(x.slice(0, 2, 6), 0.3, RandomKey(9), 2, ids.slice(0, 2, 6).contiguous())});
  EXPECT_TRUE(at::equal(whole, parts));
  // 300 draws keep 70 %: three standard errors are 0.08.
  EXPECT_NEAR(whole.gt(0).to(at::kFloat).mean().item<double>(), 0.7, 0.08);
}

}  // namespace
}  // namespace unchannel
