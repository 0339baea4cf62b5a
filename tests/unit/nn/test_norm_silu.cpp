#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/nn/norm_kernel.hpp>
#include <unchannel/nn/norm_silu.hpp>

namespace unchannel {
namespace {

/// What goes in and is differentiated; float64 copies of it are the oracle's.
struct Inputs {
  at::Tensor h, weight, bias, scale_shift;

  std::vector<at::Tensor> all() const {
    std::vector<at::Tensor> list = {h, weight, bias};
    if (scale_shift.defined()) list.push_back(scale_shift);
    return list;
  }
};

Inputs inputs_for(at::IntArrayRef sizes, bool scaled) {
  at::manual_seed(1);
  const std::int64_t planes = sizes[1];
  // Means far from zero next to the deviation: squares must be centred before they are summed.
  Inputs in{(at::randn(sizes) + 5.0).contiguous(at::MemoryFormat::ChannelsLast), at::randn({planes}), at::randn({planes}), {}};
  if (scaled) in.scale_shift = at::randn({sizes[0], 2 * planes});
  for (at::Tensor& tensor : in.all()) tensor.set_requires_grad(true);
  return in;
}

/// In float64, one operation after the other.
at::Tensor reference(const Inputs& in, std::int64_t groups) {
  at::Tensor inner = at::group_norm(in.h, groups, in.weight, in.bias, 1e-5);
  if (in.scale_shift.defined()) {
    const auto parts = in.scale_shift.unsqueeze(2).unsqueeze(3).chunk(2, 1);
    inner = (parts[0] + 1.0) * inner + parts[1];
  }
  return inner * at::sigmoid(inner);
}

Inputs in_float64(const Inputs& in) {
  Inputs wide{in.h.detach().to(at::kDouble), in.weight.detach().to(at::kDouble), in.bias.detach().to(at::kDouble), {}};
  if (in.scale_shift.defined()) wide.scale_shift = in.scale_shift.detach().to(at::kDouble);
  for (at::Tensor& tensor : wide.all()) tensor.set_requires_grad(true);
  return wide;
}

double relative_error(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

torch::nn::GroupNorm norm_of(const Inputs& in, std::int64_t groups) {
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(groups, in.h.size(1)));
  norm->weight = in.weight;
  norm->bias = in.bias;
  return norm;
}

double largest_gradient_error(const Inputs& in, const Inputs& wide) {
  double largest = 0.0;
  for (std::size_t i = 0; i < in.all().size(); ++i) largest = std::max(largest, relative_error(in.all()[i].grad(), wide.all()[i].grad()));
  return largest;
}

/// Largest relative error of the value and of every gradient.
double largest_error(const Inputs& in, std::int64_t groups) {
  torch::nn::GroupNorm norm = norm_of(in, groups);
  const Inputs wide = in_float64(in);
  const at::Tensor out = norm_silu(in.h, norm, in.scale_shift), expected = reference(wide, groups);
  const at::Tensor direction = at::randn(out.sizes());
  out.backward(direction.to(out.scalar_type()));
  expected.backward(direction.to(out.scalar_type()).to(at::kDouble));
  return std::max(relative_error(out.detach(), expected.detach()), largest_gradient_error(in, wide));
}

struct Shape {
  std::vector<std::int64_t> sizes;
  std::int64_t groups;
};

class NormSiluShapes : public testing::TestWithParam<Shape> {};

TEST_P(NormSiluShapes, AgreeWithSeparateOperationsInFloat64) {
  // Float32 values of mean 5 and deviation 1: their rounding alone is 6e-8 · 5 of the deviation, sums of thousands add some of it.
  for (const bool scaled : {false, true}) EXPECT_LT(largest_error(inputs_for(GetParam().sizes, scaled), GetParam().groups), 5e-6) << scaled;
}

TEST_P(NormSiluShapes, InBfloat16AreRoundedOnce) {
  for (const bool scaled : {false, true}) {
    Inputs in = inputs_for(GetParam().sizes, scaled);
    in.h = in.h.detach().to(at::kBFloat16).set_requires_grad(true);
    // One rounding to 8 bits is 2^-8 at most.
    EXPECT_LT(largest_error(in, GetParam().groups), std::exp2(-8)) << scaled;
  }
}

/// A number that depends on everything in `outputs`, each by a direction of its own. All but the first go through a concatenation, whose
/// gradients are slices of wider images.
at::Tensor use_of(const std::vector<at::Tensor>& outputs) {
  at::manual_seed(4);
  at::Tensor total;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const at::Tensor seen = i == 0 ? outputs[i] : at::cat({at::ones_like(outputs[i]), outputs[i]}, 1);
    const at::Tensor direction = at::randn(seen.sizes()).to(at::kBFloat16).to(seen.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor part = (seen * direction).sum();
    total = i == 0 ? part : total + part;
  }
  return total;
}

double error_beside_other_users(const Shape& shape, bool silu, at::ScalarType type) {
  Inputs in = inputs_for(shape.sizes, false);
  const std::int64_t groups = shape.groups;
  in.h = in.h.detach().to(type).set_requires_grad(true);
  const Inputs wide = in_float64(in);
  torch::nn::GroupNorm norm = norm_of(in, groups);
  const SharedNorm got = silu ? norm_silu_shared(in.h, norm) : norm_shared(in.h, norm);
  EXPECT_TRUE(at::equal(got.input_BPHW, in.h) && at::equal(got.again_BPHW, in.h));
  const at::Tensor expected = silu ? reference(wide, groups) : at::group_norm(wide.h, groups, wide.weight, wide.bias, 1e-5);
  use_of({got.out_BPHW, got.input_BPHW, got.again_BPHW}).backward();
  use_of({expected, wide.h, wide.h}).backward();
  return std::max(relative_error(got.out_BPHW.detach(), expected.detach()), largest_gradient_error(in, wide));
}

TEST_P(NormSiluShapes, AddTheGradientsOfTheInputsOtherUsers) {
  for (const bool silu : {false, true}) {
    EXPECT_LT(error_beside_other_users(GetParam(), silu, at::kFloat), 5e-6) << silu;
    EXPECT_LT(error_beside_other_users(GetParam(), silu, at::kBFloat16), std::exp2(-8)) << silu;
  }
}

TEST_P(NormSiluShapes, SplitTheGradientOfWhatTheyHaveJoined) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    Inputs in = inputs_for(GetParam().sizes, false);
    const std::int64_t planes = in.h.size(1), first_planes = 1 + planes / 2;
    in.h = in.h.detach().to(type);
    const Inputs wide = in_float64(in);
    torch::nn::GroupNorm norm = norm_of(in, GetParam().groups);
    at::Tensor first = in.h.slice(1, 0, first_planes).contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(true);
    at::Tensor second = in.h.slice(1, first_planes).contiguous(at::MemoryFormat::ChannelsLast).set_requires_grad(true);
    const SharedNorm got = norm_silu_joined(first, second, norm);
    EXPECT_TRUE(at::equal(got.input_BPHW, in.h));
    const at::Tensor expected = reference(wide, GetParam().groups);
    use_of({got.out_BPHW, got.input_BPHW}).backward();
    use_of({expected, wide.h}).backward();
    in.h = in.h.clone().set_requires_grad(true);
    in.h.mutable_grad() = at::cat({first.grad(), second.grad()}, 1);
    const double error = std::max(relative_error(got.out_BPHW.detach(), expected.detach()), largest_gradient_error(in, wide));
    EXPECT_LT(error, type == at::kFloat ? 5e-6 : std::exp2(-8)) << type;
  }
}

// Few planes, whose places share a row of the kernel; one column of places, as along a line; as many planes as a row has; odd sizes.
INSTANTIATE_TEST_SUITE_P(All, NormSiluShapes,
                         testing::Values(Shape{{2, 16, 1, 64}, 2}, Shape{{3, 12, 5, 6}, 3}, Shape{{2, 320, 4, 4}, 32}, Shape{{1, 7, 3, 5}, 1}));

TEST(NormSilu, IsTheSameForAnyBatchSplit) {
  const at::NoGradGuard no_grad;
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(4, 16));
  at::manual_seed(2);
  const at::Tensor h = at::randn({5, 16, 4, 6}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor parts = at::cat({norm_silu(h.slice(0, 0, 2), norm), norm_silu(h.slice(0, 2, 5), norm)});
  EXPECT_TRUE(at::equal(norm_silu(h, norm), parts));
}

TEST(NormSilu, PassesOnWhatIsNotANumber) {
  const at::NoGradGuard no_grad;
  torch::nn::GroupNorm norm(torch::nn::GroupNormOptions(1, 4));
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    at::Tensor h = at::ones({1, 4, 2, 2}, type);
    h[0][1][0][1] = std::nan("");
    EXPECT_TRUE(norm_silu(h, norm).isnan().all().item<bool>());
  }
}

void expect_silu(const NormKernel<float>& kernel) {
  std::vector<float> z, y;
  for (float value = -100.0F; value <= 100.0F; value += 0.01F) z.push_back(value);
  y.resize(z.size());
  const std::vector<float> zero(z.size(), 0.0F), one(z.size(), 1.0F);
  const auto width = static_cast<std::int64_t>(z.size());
  kernel.apply_silu({1, width, width}, z.data(), zero.data(), one.data(), zero.data(), y.data());
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double exact = z[i] / (1.0 + std::exp(-static_cast<double>(z[i])));
    // The header's claim: 4 units in the last place, 2^-24 · 2 each.
    ASSERT_NEAR(y[i], exact, 4.0 * std::exp2(-23) * std::abs(exact) + 1e-38 * std::abs(z[i])) << z[i];
  }
}

TEST(NormKernel, SiluIsAsAccurateAsStatedInEveryVersion) {
  expect_silu(kernel_portable::float_kernel);
  expect_silu(norm_kernel<float>());
}

}  // namespace
}  // namespace unchannel
