#include <ATen/ATen.h>
#include <gtest/gtest.h>

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
  if (shape.planes > 0) input.planes_BPD = at::randn({batch, shape.planes, shape.dimension});
  if (shape.conditions > 0) input.conditions_BC = at::randn({batch, shape.conditions});
  input.ids_B = at::arange(batch, at::kLong);
  return input;
}

class Families : public testing::TestWithParam<std::string> {
 protected:
  ModelSettings settings() const {
    if (GetParam() == "unet1d") return small_unet();
    ModelSettings mlp;
    mlp.width = 16;
    mlp.depth = 2;
    return mlp;
  }
};

TEST_P(Families, StartAtZeroWithTheShapeAskedFor) {
  const NetworkShape shape{.dimension = 32, .planes = 2, .conditions = 3, .outputs = 2};
  const auto network = make_network(settings(), shape, RandomKey(5));
  const at::Tensor out = network->forward(input_for(shape, 4));
  EXPECT_EQ(out.sizes(), at::IntArrayRef({4, 2, 32}));
  EXPECT_EQ(out.abs().max().item<float>(), 0.0F);
}

TEST_P(Families, WeightsAreAFunctionOfTheKey) {
  const NetworkShape shape{.dimension = 16};
  const auto a = make_network(settings(), shape, RandomKey(5)), b = make_network(settings(), shape, RandomKey(5));
  const auto c = make_network(settings(), shape, RandomKey(6));
  bool differs = false;
  for (std::size_t i = 0; i < a->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(a->parameters()[i].second, b->parameters()[i].second)) << a->parameters()[i].first;
    differs = differs || !at::equal(a->parameters()[i].second, c->parameters()[i].second);
  }
  EXPECT_TRUE(differs);
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::Values("mlp", "unet1d"));

TEST(Unet1d, RefusesLengthsThatItsLevelsDoNotDivide) {
  EXPECT_THROW(make_network(small_unet(), NetworkShape{.dimension = 33}, RandomKey(1)), ConfigError);
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
