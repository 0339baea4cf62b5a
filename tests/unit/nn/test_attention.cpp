#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/nn/attention.hpp>
#include <unchannel/nn/autocast.hpp>

namespace unchannel {
namespace {

struct Case {
  std::int64_t batch, places, heads, planes;
};

at::Tensor qkv_for(const Case& shape, at::ScalarType type) {
  at::manual_seed(1);
  return at::randn({shape.batch, shape.places, 3, shape.heads, shape.planes}).to(type).set_requires_grad(true);
}

/// The definition in float64, one operation after the other.
at::Tensor reference(const at::Tensor& qkv) {
  const auto part = [&](std::int64_t i) { return qkv.select(2, i).transpose(1, 2); };
  const at::Tensor scores = at::matmul(part(0), part(1).transpose(2, 3)) / std::sqrt(static_cast<double>(qkv.size(4)));
  const at::Tensor powers = (scores - scores.amax(-1, true)).exp();
  return at::matmul(powers / powers.sum(-1, true), part(2)).transpose(1, 2);
}

double relative_error(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

/// Largest relative error of the value and of the gradient.
double largest_error(const Case& shape, at::ScalarType type) {
  const at::Tensor qkv = qkv_for(shape, type), wide = qkv.detach().to(at::kDouble).set_requires_grad(true);
  const at::Tensor out = attend(qkv), expected = reference(wide);
  const at::Tensor direction = at::randn(out.sizes()).to(type);
  out.backward(direction);
  expected.backward(direction.to(at::kDouble));
  return std::max(relative_error(out.detach(), expected.detach()), relative_error(qkv.grad(), wide.grad()));
}

class AttentionShapes : public testing::TestWithParam<Case> {};

TEST_P(AttentionShapes, AgreeWithTheDefinitionInFloat64) {
  // Sums of some hundred float32 products.
  EXPECT_LT(largest_error(GetParam(), at::kFloat), 1e-5);
}

TEST_P(AttentionShapes, InBfloat16AreWithinAFewRoundings) {
  // Weights, their gradients and each product are rounded to 2^-8 at most.
  EXPECT_LT(largest_error(GetParam(), at::kBFloat16), 2.0 * std::exp2(-8));
}

TEST_P(AttentionShapes, AreTheSameWithoutGradients) {
  const at::Tensor qkv = qkv_for(GetParam(), at::kFloat), out = attend(qkv).detach();
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(at::equal(attend(qkv), out));
}

// One head, several, odd sizes, and more places than are held for the backward pass.
INSTANTIATE_TEST_SUITE_P(All, AttentionShapes,
                         testing::Values(Case{2, 64, 1, 32}, Case{3, 48, 2, 16}, Case{1, 15, 3, 5}, Case{1, kLargestAttention + 8, 2, 8}));

TEST(Attention, KeepsFloat32ScoresUnderAutocast) {
  const at::NoGradGuard no_grad;
  const at::Tensor qkv = qkv_for({2, 64, 1, 32}, at::kFloat), expected = attend(qkv);
  const AutocastGuard autocast(true);
  EXPECT_TRUE(at::equal(attend(qkv), expected));
}

}  // namespace
}  // namespace unchannel
