#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/nn/flops.hpp>
#include <unchannel/nn/network.hpp>

namespace unchannel {
namespace {

TEST(Flops, OfALinearLayerAreTwoForEachWeightAndRow) {
  const at::Tensor x = at::ones({7, 5}), weight = at::ones({3, 5});
  EXPECT_EQ(count_flops([&] { at::linear(x, weight, at::ones({3})); }), 2.0 * 7 * 5 * 3);
  EXPECT_EQ(count_flops([&] { at::linear(x, weight); }), 2.0 * 7 * 5 * 3);
}

TEST(Flops, OfAConvolutionAreTwoForEachWeightAndPlace) {
  // Stride 2 halves 6 x 8 places; kernels of 3 x 3 on 4 planes.
  const at::Tensor x = at::ones({2, 4, 6, 8}), weight = at::ones({5, 4, 3, 3});
  EXPECT_EQ(count_flops([&] { at::conv2d(x, weight, {}, 2, 1); }), 2.0 * 2 * (3 * 4) * 5 * (4 * 3 * 3));
  EXPECT_EQ(count_flops([&] { at::conv1d(at::ones({2, 4, 8}), at::ones({5, 4, 3}), {}, 1, 1); }), 2.0 * 2 * 8 * 5 * (4 * 3));
}

TEST(Flops, OfAttentionAreThoseOfItsTwoProducts) {
  const at::Tensor part = at::ones({2, 3, 10, 4});  // batch, heads, places, planes of a head
  EXPECT_EQ(count_flops([&] { at::scaled_dot_product_attention(part, part, part); }), 2.0 * (2.0 * 2 * 3 * 10 * 10 * 4));
}

TEST(Flops, OfAPerceptronAreTwoForEachWeight) {
  ModelSettings settings;
  settings.width = 16;
  settings.depth = 2;
  const auto network = make_network(settings, {.dimension = 10}, RandomKey(1));
  double weights = 0.0;
  for (const auto& [name, tensor] : network->parameters()) weights += tensor.dim() == 2 ? static_cast<double>(tensor.numel()) : 0.0;
  NetworkInput input;
  input.x_BD = at::zeros({3, 10});
  input.t_B = at::ones({3});
  EXPECT_EQ(count_flops([&] { network->forward(input); }), 2.0 * 3 * weights);
}

TEST(Flops, StopBeingCountedAfterwards) {
  const at::Tensor x = at::ones({7, 5});
  const double once = count_flops([&] { at::mm(x, x.t()); });
  at::mm(x, x.t());
  EXPECT_EQ(count_flops([&] { at::mm(x, x.t()); }), once);
}

}  // namespace
}  // namespace unchannel
