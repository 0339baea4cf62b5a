#include <torch/nn.h>

#include <vector>

#include "families.hpp"

// Shape legend: B batch · I inputs · J polynomials in t · D data dimension · K outputs
namespace unchannel {
namespace {

/// Chebyshev polynomials T₀ … T_degree of 2t − 1: [B] → [B, J].
at::Tensor chebyshev_features(const at::Tensor& t_B, std::int64_t degree) {
  const at::Tensor u_B = 2.0 * t_B - 1.0;
  std::vector<at::Tensor> values = {at::ones_like(u_B), u_B};
  while (static_cast<std::int64_t>(values.size()) <= degree) values.push_back(2.0 * u_B * values.back() - values[values.size() - 2]);
  return at::stack(values, 1);
}

/// Σ_j T_j(2t − 1) (A_j [x, planes, conditions] + c_j): what the drift of Gaussian signals, noise and start is (docs/theory/gaussian_recursion.md),
/// up to polynomials in t of degree `depth`.
struct Affine : torch::nn::Module {
  Affine(const ModelSettings& settings, const NetworkShape& shape) : shape_(shape), degree_(settings.depth) {
    const std::int64_t inputs = shape.dimension + shape.planes * shape.plane_size() + shape.conditions + 1;
    weight_ = register_parameter("zero_output", at::zeros({shape.outputs * shape.dimension, (degree_ + 1) * inputs}));
  }

  at::Tensor forward(const NetworkInput& input) {
    std::vector<at::Tensor> parts = {input.x_BD};
    if (shape_.planes > 0) parts.push_back(input.planes_BPS.flatten(1));
    if (shape_.conditions > 0) parts.push_back(input.conditions_BC);
    parts.push_back(at::ones({input.x_BD.size(0), 1}, input.x_BD.options()));
    const at::Tensor x_B1I = at::cat(parts, 1).unsqueeze(1), t_BJ1 = chebyshev_features(input.t_B, degree_).unsqueeze(2);
    const at::Tensor out = (t_BJ1 * x_B1I).flatten(1).matmul(weight_.t());
    return out.to(at::kFloat).view({-1, shape_.outputs, shape_.dimension});
  }

  NetworkShape shape_;
  std::int64_t degree_;
  at::Tensor weight_;
};

}  // namespace

std::unique_ptr<Network> make_affine(const ModelSettings& settings, const NetworkShape& shape) {
  return std::make_unique<ModuleNetwork<Affine>>(std::make_shared<Affine>(settings, shape));
}

}  // namespace unchannel
