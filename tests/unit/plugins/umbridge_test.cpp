// The UM-Bridge client against a server that behaves. Oracle: the server's matrix, multiplied here.
#include <unchannel/random.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model_server.hpp"
#include "umbridge_case.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::http;
using unchannel::test::json;
using unchannel::test::ModelServer;
using unchannel::test::signals;
using unchannel::test::UmBridgeChannel;

/// y = A x in float64.
std::array<double, 3> product(const float* x, bool transposed = false) {
  std::array<double, 3> y{};
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) {
      y[r] += (transposed ? ModelServer::kMatrix[c][r] : ModelServer::kMatrix[r][c]) * static_cast<double>(x[c]);
    }
  }
  return y;
}

/// Every row of `got` is A (or its transpose) times the row of `x`. All numbers of these tests are small multiples of 1/8: exact.
void expect_product(const Array<float>& got, const Array<float>& x, bool transposed = false) {
  for (int64_t i = 0; i < x.shape()[0]; ++i) {
    for (size_t d = 0; d < 3; ++d) {
      EXPECT_EQ(static_cast<double>(got.row(i)[d]), product(x.row(i), transposed)[d]) << "sample " << i << " element " << d;
    }
  }
}

/// Outputs of another size than inputs.
void declare_outputs(ModelServer& server, const std::string& sizes, const std::string& answer) {
  server.on("/OutputSizes", [=](const json&, int) { return http("{\"outputSizes\": " + sizes + "}"); });
  server.on("/Evaluate", [=](const json&, int) { return http("{\"output\": " + answer + "}"); });
}

TEST(UmBridge, DescribesItselfWithoutTouchingTheNetwork) {
  ModelServer server;
  UmBridgeChannel plain(0), deterministic(1);
  EXPECT_STREQ(plain.descriptor->id, "org.unchannel.umbridge");
  EXPECT_EQ(plain.descriptor->determinism, UNCHANNEL_DETERMINISM_NONE);
  EXPECT_STREQ(deterministic.descriptor->id, "org.unchannel.umbridge.deterministic");
  EXPECT_EQ(deterministic.descriptor->determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  EXPECT_EQ(plain.core->parameter_count(plain.instance), deterministic.core->parameter_count(deterministic.instance));
  EXPECT_NE(plain.extension<void>(UNCHANNEL_VJP_1), nullptr);
  EXPECT_EQ(server.connections(), 0);
}

TEST(UmBridge, SplitsXOverTheInputVectorsAndJoinsTheOutputVectors) {
  ModelServer server;
  for (const uint32_t channel_index : {0U, 1U}) {
    UmBridgeChannel channel(channel_index);
    ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
    EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{3}));
    const auto x = signals(5);
    expect_product(channel.simulate(1, x, {}), x);
    EXPECT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
    expect_product(channel.mean(x, {}), x);
  }
}

TEST(UmBridge, FlattensAnyShapeAndReturnsItWhereSizesAgree) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {}, {1, 3, 1}), UNCHANNEL_OK) << channel.error;
  EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{1, 3, 1}));
  Array<float> x({2, 1, 3, 1});
  x.values = signals(2).values;
  expect_product(channel.simulate(1, x, {}), x);
}

TEST(UmBridge, SendsNameAndConfigWithEveryRequest) {
  ModelServer server;
  std::mutex mutex;
  json seen;
  server.on("/Evaluate", [&](const json& request, int) {
    const std::lock_guard lock(mutex);
    seen = request;
    return http(ModelServer::evaluate(request));
  });
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"model", "other"}, {"config", "{\"level\": [2, 0.5]}"}}), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, signals(1), {});
  EXPECT_EQ(seen["name"], "other");
  EXPECT_EQ(seen["config"], json::parse(R"({"level": [2, 0.5]})"));
}

TEST(UmBridge, RefusesAnotherNumberOfElementsAndNamesBoth) {
  ModelServer server;
  UmBridgeChannel channel;
  EXPECT_EQ(channel.connect(server.url(), {}, {2, 2}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("takes 3 numbers (input sizes [2, 1]), but x has 4 elements (shape [2, 2])"), std::string::npos)
      << channel.error;
}

TEST(UmBridge, OffersDerivativesOnlyWhereModelInfoSaysSo) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"noise_sigma", 1.0}}), UNCHANNEL_OK) << channel.error;
  for (const char* id : {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_JVP_1, UNCHANNEL_LOGLIK_1}) {
    EXPECT_NE(channel.extension<void>(id), nullptr) << id;
  }
  EXPECT_EQ(channel.extension<void>(UNCHANNEL_LIFT_1), nullptr);
  server.on("/ModelInfo", [](const json&, int) { return http(R"({"support": {"Evaluate": true, "Gradient": false}})"); });
  ASSERT_EQ(channel.connect(server.url(), {{"noise_sigma", 1.0}}), UNCHANNEL_OK) << channel.error;
  EXPECT_NE(channel.extension<void>(UNCHANNEL_MEAN_1), nullptr);
  for (const char* id : {UNCHANNEL_VJP_1, UNCHANNEL_JVP_1, UNCHANNEL_LOGLIK_1}) {
    EXPECT_EQ(channel.extension<void>(id), nullptr) << id;
  }
  EXPECT_EQ(channel.connect(server.url(), {{"lift", "gradient"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("supports Gradient"), std::string::npos) << channel.error;
}

TEST(UmBridge, DerivativesAreThoseOfTheMatrixSummedOverAllVectors) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"connections", int64_t{3}}}), UNCHANNEL_OK) << channel.error;
  const auto x = signals(4), v = signals(4);
  expect_product(channel.vjp(x, v, {}), v, true);
  EXPECT_EQ(server.requests("/Gradient"), 4 * 2 * 2);
  Array<float> derivative({4, 3}, 777);
  ASSERT_EQ(channel.jvp(x, v, derivative), UNCHANNEL_OK) << channel.error;
  expect_product(derivative, v);
  EXPECT_EQ(server.requests("/ApplyJacobian"), 4 * 2 * 2);
}

TEST(UmBridge, NoiseIsThePhiloxNormalOfTheSampleForAnyBatchSplit) {
  ModelServer server;
  UmBridgeChannel channel;
  constexpr double kSigma = 0.25;
  constexpr uint64_t kKey = 77;
  ASSERT_EQ(channel.connect(server.url(), {{"noise_sigma", kSigma}, {"connections", int64_t{2}}}), UNCHANNEL_OK) << channel.error;
  const auto x = signals(6);
  const auto y = channel.simulate(kKey, x, {}, 1000);
  const uint64_t key = unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (int64_t i = 0; i < 6; ++i) {
    for (size_t d = 0; d < 3; ++d) {
      const auto mean = static_cast<float>(product(x.row(i))[d]);
      EXPECT_EQ(y.row(i)[d],
                mean + static_cast<float>(kSigma) * unchannel_normal(key, 1000 + static_cast<uint64_t>(i), static_cast<uint32_t>(d), 0));
    }
  }
  Array<float> last({2, 3});
  std::copy_n(x.row(4), 6, last.values.begin());
  const auto again = channel.simulate(kKey, last, {}, 1004);
  EXPECT_TRUE(std::equal(again.values.begin(), again.values.end(), y.row(4)));
  expect_product(channel.mean(x, {}), x);
}

TEST(UmBridge, LoglikIsGaussianAroundTheModelWithItsGradient) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"noise_sigma", 0.5}}), UNCHANNEL_OK) << channel.error;
  const auto x = signals(2);
  Array<float> y({2, 3}), residual({2, 3}), gradient;
  double expected[2] = {};
  for (int64_t i = 0; i < 2; ++i) {
    for (size_t d = 0; d < 3; ++d) {
      residual.row(i)[d] = static_cast<float>(d) - 0.5F;
      y.row(i)[d] = static_cast<float>(product(x.row(i))[d]) + residual.row(i)[d];
      expected[i] += -std::log(0.5 * std::sqrt(2 * std::numbers::pi)) - 0.5 * std::pow(static_cast<double>(residual.row(i)[d]) / 0.5, 2);
    }
  }
  const auto value = channel.loglik(y, x, {}, &gradient);
  EXPECT_NEAR(value[0], expected[0], 1e-12);
  EXPECT_NEAR(value[1], expected[1], 1e-12);
  for (int64_t i = 0; i < 2; ++i) {
    for (size_t d = 0; d < 3; ++d) {
      EXPECT_EQ(static_cast<double>(gradient.row(i)[d]), 4 * product(residual.row(i), true)[d]);
    }
  }
}

TEST(UmBridge, NeedsALiftWhereSizesDifferAndSaysWhichOnes) {
  ModelServer server;
  UmBridgeChannel channel;
  declare_outputs(server, "[2]", "[[5, 6]]");
  EXPECT_EQ(channel.connect(server.url()), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("2 outputs and 3 inputs"), std::string::npos) << channel.error;
  EXPECT_NE(channel.error.find("lift = \"pad\""), std::string::npos) << channel.error;
  declare_outputs(server, "[4]", "[[5, 6, 7, 8]]");
  EXPECT_EQ(channel.connect(server.url(), {{"lift", "pad"}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("4 and 3"), std::string::npos) << channel.error;
}

TEST(UmBridge, LiftPadIsTheObservationFollowedByZeros) {
  ModelServer server;
  UmBridgeChannel channel;
  declare_outputs(server, "[2]", "[[5, 6]]");
  ASSERT_EQ(channel.connect(server.url(), {{"lift", "pad"}}), UNCHANNEL_OK) << channel.error;
  EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{2}));
  const auto y = channel.simulate(1, signals(2), {});
  EXPECT_EQ(y.values, (std::vector<float>{5, 6, 5, 6}));
  EXPECT_EQ(channel.lift(y, {}).values, (std::vector<float>{5, 6, 0, 5, 6, 0}));
}

TEST(UmBridge, LiftGradientIsTheScaledBackProjectionAtZero) {
  ModelServer server;
  UmBridgeChannel channel;
  std::atomic<bool> at_zero = true;
  server.on("/Gradient", [&at_zero](const json& request, int) {
    at_zero = at_zero && request["input"] == json::parse("[[0.0, 0.0], [0.0]]");
    return http(ModelServer::derivative(request, true));
  });
  ASSERT_EQ(channel.connect(server.url(), {{"lift", "gradient"}, {"lift_scale", 0.5}}), UNCHANNEL_OK) << channel.error;
  const auto y = signals(2);
  const auto lifted = channel.lift(y, {});
  for (int64_t i = 0; i < 2; ++i) {
    for (size_t d = 0; d < 3; ++d) {
      EXPECT_EQ(static_cast<double>(lifted.row(i)[d]), 0.5 * product(y.row(i), true)[d]);
    }
  }
  EXPECT_TRUE(at_zero);
}

TEST(UmBridge, KeepsItsConnectionOpen) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, signals(20), {});
  channel.simulate(2, signals(20), {});
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.requests("/Evaluate"), 40);
}

TEST(UmBridge, HasAsManyRequestsUnderWayAsItIsAllowedConnections) {
  ModelServer server;
  UmBridgeChannel channel;
  server.on("/Evaluate", [&server](const json& request, int) {
    server.hang(std::chrono::milliseconds(50));
    return http(ModelServer::evaluate(request));
  });
  ASSERT_EQ(channel.connect(server.url(), {{"connections", int64_t{4}}}), UNCHANNEL_OK) << channel.error;
  const auto x = signals(12);
  expect_product(channel.simulate(1, x, {}), x);
  EXPECT_EQ(server.most_at_once(), 4);
  EXPECT_EQ(server.connections(), 4);
}

TEST(UmBridge, DocumentedDefaultsAreThePluginsOwn) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.configure({3}, {{"url", server.url()}}), UNCHANNEL_OK) << channel.error;
  std::string own = channel.canonical;
  const std::string given = "url = \"" + server.url() + "\"";
  ASSERT_EQ(own.find(given), 0U) << own;
  own.replace(0, given.size(), std::string("url = \"") + channel.core->parameter(channel.instance, 0)->default_text + "\"");
  EXPECT_EQ(unchannel::test::documented_parameters(UNCHANNEL_SOURCE_DIR "/plugins/umbridge/umbridge.toml"), own);
}

}  // namespace
