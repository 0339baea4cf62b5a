#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/diagnostics/residual_pvalue.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kM = 100;

// y = x + 0.5 offset + sigma n with a hidden offset per object: replicas must draw it anew.
class NoisyChannel : public Channel {
 public:
  explicit NoisyChannel(double sigma = 1) : sigma_(sigma) {
    LatentSpec offset;
    offset.name = "offset";
    latents_.push_back(offset);
  }
  std::string id() const override { return "test.noisy"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {kM}; }
  std::vector<std::int64_t> observation_shape() const override { return {kM}; }
  const std::vector<LatentSpec>& latents() const override { return latents_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor&) const override {
    return {{"offset", normals(key.derive(1), ids_B, 1).squeeze(1)}};
  }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    return x_BD + 0.5 * latents.at("offset").unsqueeze(1) + sigma_ * normals(key.derive(2), ids_B, kM);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  static at::Tensor normals(RandomKey key, const at::Tensor& ids_B, std::int64_t count) {
    at::Tensor n = at::empty({ids_B.size(0), count}, at::kFloat);
    for (std::int64_t b = 0; b < ids_B.size(0); ++b)
      key.normal(static_cast<std::uint64_t>(ids_B[b].item<std::int64_t>()), 0, static_cast<std::uint32_t>(count), n.mutable_data_ptr<float>() + b * count);
    return n;
  }
  double sigma_;
  std::vector<LatentSpec> latents_;
};

struct Data {
  at::Tensor x, y, ids;
};

// Observations of signals that the test knows.
Data make_data(std::int64_t objects, const NoisyChannel& channel) {
  Data data;
  data.ids = at::arange(objects, at::kLong);
  data.x = (at::arange(kM, at::kFloat) / 10).sin().unsqueeze(0) + data.ids.to(at::kFloat).unsqueeze(1) / 100;
  data.y = measure(channel, data.x, {}, RandomKey(77), data.ids);
  return data;
}

TEST(ResidualPvalue, IsUniformForTheTrueSignal) {
  const NoisyChannel channel;
  const Data data = make_data(400, channel);
  const at::Tensor p = residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.replicas = 19});
  // Exactly uniform on {1..20}/20: Kolmogorov distance of 400 draws exceeds 1.95/√400 with probability 0.001.
  const at::Tensor sorted = std::get<0>(p.sort());
  double distance = 0;
  for (std::int64_t k = 1; k <= 20; ++k) {
    const double share = (sorted <= static_cast<double>(k) / 20 + 1e-9).sum().item<double>() / 400;
    distance = std::max(distance, std::abs(share - static_cast<double>(k) / 20));
  }
  EXPECT_LT(distance, 1.95 / 20);
}

TEST(ResidualPvalue, FindsAnUnexplainedBumpAndAWrongNoiseLevel) {
  const NoisyChannel channel;
  Data data = make_data(20, channel);
  data.y.slice(1, 30, 50) += 1.5;  // 20 pixels at 1.5 σ each: seen at the width of 8
  EXPECT_LE(residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.replicas = 49}).max().item<double>(), 0.1);
  const Data loud = make_data(20, NoisyChannel(1.6));
  EXPECT_LE(residual_pvalues(channel, loud.x, loud.y, {}, RandomKey(1), loud.ids, {}, {.replicas = 49}).max().item<double>(), 0.1);
}

TEST(ResidualPvalue, MaskedPixelsDoNotCount) {
  const NoisyChannel channel;
  Data data = make_data(20, channel);
  at::Tensor valid = at::ones({20, kM}, at::kByte);
  valid.slice(1, 30, 50).zero_();
  const at::Tensor before = residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, valid, {.replicas = 19});
  data.y.slice(1, 30, 50).fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(at::equal(before, residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, valid, {.replicas = 19})));
}

TEST(ResidualPvalue, DoesNotDependOnTheBatch) {
  const NoisyChannel channel;
  const Data data = make_data(10, channel);
  const at::Tensor whole = residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.replicas = 19, .batch = 10});
  EXPECT_TRUE(at::equal(whole, residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.replicas = 19, .batch = 3})));
}

TEST(ResidualPvalue, GivenLatentsReplaceFreshOnes) {
  const NoisyChannel channel;
  const Data data = make_data(20, channel);
  // Told a wrong offset of 6 σ_offset = 3 noise σ, no replica is as far as the observation.
  const Latents wrong{{"offset", at::full({20}, 8.0, at::kFloat)}};
  EXPECT_NEAR(residual_pvalues(channel, data.x, data.y, wrong, RandomKey(1), data.ids, {}, {.replicas = 19}).max().item<double>(), 1.0 / 20, 1e-9);
}

TEST(ResidualPvalue, BadInputIsNamed) {
  const NoisyChannel channel;
  const Data data = make_data(4, channel);
  EXPECT_THROW(residual_pvalues(channel, data.x, data.y.slice(0, 0, 3), {}, RandomKey(1), data.ids), ShapeError);
  EXPECT_THROW(residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.replicas = 0}), ConfigError);
  EXPECT_THROW(residual_pvalues(channel, data.x, data.y, {}, RandomKey(1), data.ids, {}, {.widths = {101}}), ConfigError);
  EXPECT_THROW(residual_pvalues(channel, data.x, data.y / 0, {}, RandomKey(1), data.ids), DataError);
  EXPECT_THROW(residual_pvalues(channel, data.x, data.y, {{"offset", at::zeros({2})}}, RandomKey(1), data.ids), ShapeError);
}

}  // namespace
}  // namespace unchannel::diagnostics
