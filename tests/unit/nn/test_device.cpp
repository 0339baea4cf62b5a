#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/device.hpp>

namespace unchannel {
namespace {

ModelSettings small(const std::string& device) {
  ModelSettings settings;
  settings.width = 16;
  settings.depth = 2;
  settings.device = device;
  return settings;
}

TEST(Device, AutoIsTheGpuWhereThereIsOne) {
  EXPECT_EQ(device_named("auto").is_cuda(), torch::cuda::is_available());
  EXPECT_TRUE(device_named("cpu").is_cpu());
}

TEST(Device, CudaIsRefusedWhereThereIsNone) {
  if (torch::cuda::is_available()) GTEST_SKIP() << "there is a GPU";
  EXPECT_THROW(make_network(small("cuda"), {.dimension = 4}, RandomKey(1)), ConfigError);
}

TEST(Device, NetworkAnswersAndLearnsOnTheGpuAsOnTheCpu) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "no GPU";
  NetworkInput input;
  input.x_BD = at::randn({8, 4});
  input.t_B = at::rand({8});
  std::vector<at::Tensor> gradients;
  for (const char* device : {"cpu", "cuda"}) {
    const auto network = make_network(small(device), {.dimension = 4}, RandomKey(1));
    for (auto& [name, tensor] : network->parameters()) at::Tensor(tensor).set_requires_grad(true);
    const at::Tensor out = network->forward(input);
    EXPECT_TRUE(out.is_cpu());
    (out - input.x_BD.unsqueeze(1)).square().mean().backward();
    gradients.push_back(network->parameters().back().second.grad().cpu());
  }
  EXPECT_TRUE(at::allclose(gradients[0], gradients[1], 1e-4, 1e-5));
}

}  // namespace
}  // namespace unchannel
