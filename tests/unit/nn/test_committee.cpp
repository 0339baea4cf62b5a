#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/nn/network.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kMembers = 3;

/// Member m answers every input with the constant m + 1: all weights of its output layer are zero, its bias is set here.
std::unique_ptr<Network> constant_committee() {
  ModelSettings settings;
  settings.width = 8;
  settings.depth = 1;
  settings.members = kMembers;
  const at::NoGradGuard no_grad;
  auto network = make_network(settings, NetworkShape{.dimension = 4, .conditions = 1}, RandomKey(5));
  for (auto& [name, tensor] : network->parameters()) {
    if (name.ends_with("zero_output.bias")) at::Tensor(tensor).fill_(static_cast<double>(name[6] - '0') + 1.0);
  }
  return network;
}

NetworkInput input_for(const at::Tensor& member_B) {
  NetworkInput input;
  const std::int64_t rows = 5;
  input.x_BD = at::ones({rows, 4});
  input.t_B = at::full({rows}, 0.5);
  input.conditions_BC = at::zeros({rows, 1});
  input.ids_B = at::arange(rows, at::kLong);
  input.member_B = member_B;
  return input;
}

std::vector<float> first_values(const at::Tensor& out_BKD) {
  const at::Tensor column = out_BKD.select(1, 0).select(1, 0).contiguous();
  return {column.data_ptr<float>(), column.data_ptr<float>() + column.numel()};
}

TEST(Committee, ARowIsAnsweredByTheMemberItNames) {
  const at::NoGradGuard no_grad;
  const at::Tensor members = at::tensor({2, 0, 1, 0, 2}, at::kLong);
  EXPECT_EQ(first_values(constant_committee()->forward(input_for(members))), (std::vector<float>{3, 1, 2, 1, 3}));
}

TEST(Committee, NewRowsGetTheMeanOfAll) {
  const at::NoGradGuard no_grad;
  EXPECT_EQ(first_values(constant_committee()->forward(input_for({}))), (std::vector<float>{2, 2, 2, 2, 2}));
}

TEST(Committee, NoGradientReachesTheOtherMembers) {
  const auto network = constant_committee();
  for (auto& [name, tensor] : network->parameters()) at::Tensor(tensor).set_requires_grad(true);
  network->forward(input_for(at::zeros({5}, at::kLong))).sum().backward();
  for (const auto& [name, tensor] : network->parameters()) {
    EXPECT_EQ(tensor.grad().defined(), name.starts_with("member0.")) << name;
  }
}

}  // namespace
}  // namespace unchannel
