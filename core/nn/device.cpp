#include "device.hpp"

#include <torch/cuda.h>
#include <torch/nn.h>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

class DeviceNetwork final : public Network {
 public:
  DeviceNetwork(std::unique_ptr<Network> network, c10::Device device) : network_(std::move(network)), device_(device) {
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : network_->parameters()) at::Tensor(tensor).set_data(tensor.to(device_));
  }

  at::Tensor forward(const NetworkInput& input) override {
    NetworkInput moved = input;
    for (at::Tensor* tensor : {&moved.x_BD, &moved.t_B, &moved.planes_BPS, &moved.conditions_BC}) {
      if (tensor->defined()) *tensor = tensor->to(device_);
    }
    return network_->forward(moved).to(at::kCPU);
  }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override { return network_->parameters(); }

 private:
  std::unique_ptr<Network> network_;
  c10::Device device_;
};

}  // namespace

std::string native_device() { return torch::cuda::is_available() ? "cuda" : "cpu"; }

c10::Device device_named(const std::string& name) {
  const std::string device = name == "auto" ? native_device() : name;
  check<ConfigError>(device != "cuda" || torch::cuda::is_available(),
                     "model.device = \"cuda\": this build's LibTorch has no CUDA, or this machine no GPU it can use. Set model.device = \"auto\" or \"cpu\"; "
                     "for a GPU, build the preset cuda against a LibTorch with CUDA.");
  return c10::Device(device);
}

std::unique_ptr<Network> on_device(std::unique_ptr<Network> network, c10::Device device) {
  return device.is_cpu() ? std::move(network) : std::make_unique<DeviceNetwork>(std::move(network), device);
}

}  // namespace unchannel
