// The UM-Bridge client against servers that die, stall and talk nonsense. What a failure costs (a sample, a call, a configuration) is the
// table in plugins/umbridge/README.md.
#include <unchannel/random.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "model_server.hpp"
#include "umbridge_case.hpp"

namespace {

using namespace std::chrono_literals;
using unchannel::test::Array;
using unchannel::test::http;
using unchannel::test::json;
using unchannel::test::ModelServer;
using unchannel::test::signals;
using unchannel::test::UmBridgeChannel;
using Clock = std::chrono::steady_clock;

constexpr int32_t kTimedOut = UNCHANNEL_SAMPLE_PLUGIN, kModelError = kTimedOut + 1, kBadAnswer = kTimedOut + 2;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Sample i of signals() reaches the server with this first number.
bool is_sample(const json& request, int i) { return request["input"][0][0] == i + 1; }

/// All samples but those in `failed` (with their statuses) are fine and correct; failed ones are zero.
void expect_only(const UmBridgeChannel& channel, const Array<float>& y, const std::map<int64_t, int32_t>& failed) {
  ASSERT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
  for (int64_t i = 0; i < y.shape()[0]; ++i) {
    const auto found = failed.find(i);
    EXPECT_EQ(channel.sample_status[static_cast<size_t>(i)], found == failed.end() ? UNCHANNEL_SAMPLE_OK : found->second) << "sample " << i;
    // the first row of the matrix times (1, 10, 100) (i + 1)
    EXPECT_EQ(y.row(i)[0], found == failed.end() ? 321 * static_cast<float>(i + 1) : 0.0F) << "sample " << i;
  }
}

TEST(UmBridgeFailures, RefusedConfigurationsSayWhyAndKeepTheFormerOne) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  const std::string info_ok = R"({"protocolVersion": 1.0, "models": ["forward"]})";
  const auto refused = [&](const std::string& function, const std::string& answer, const std::string& because) {
    ModelServer bad;
    bad.on(function, [&](const json&, int) { return answer; });
    EXPECT_EQ(channel.connect(bad.url()), UNCHANNEL_BAD_ARGUMENT) << answer;
    EXPECT_NE(channel.error.find(because), std::string::npos) << channel.error;
    EXPECT_NE(channel.error.find(bad.url()), std::string::npos) << "the message names no place: " << channel.error;
  };
  refused("/Info", http(R"({"protocolVersion": 1.0, "models": ["a", "b"]})"), "It has: a, b");
  refused("/Info", http(R"({"protocolVersion": 2.5, "models": ["forward"]})"), "2.5");
  refused("/Info", http("<html>hello</html>"), "no UM-Bridge answer");
  refused("/Info", http("no", "404 Not Found"), "check host, port and path");
  refused("/Info", http("", "302 Found", "Location: http://elsewhere/\r\n"), "not followed");
  refused("/Info", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP");
  refused("/ModelInfo", http(R"({"support": {"Evaluate": false}})"), "does not support Evaluate");
  refused("/InputSizes", http(R"({"inputSizes": [2, -1]})"), "whole numbers");
  refused("/InputSizes", http(R"({"error": {"type": "ModelNotFound", "message": "gone"}})", "400 Bad Request"), "ModelNotFound: gone");
  refused("/OutputSizes", http("oops", "500 Internal Server Error"), "HTTP 500: oops");
  EXPECT_EQ(channel.connect("https://127.0.0.1"), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.connect(server.url(), {{"config", "[1]"}}), UNCHANNEL_BAD_ARGUMENT);
  expect_only(channel, channel.simulate(1, signals(2), {}), {});
}

TEST(UmBridgeFailures, NoServerIsRetryableAfterTheConnectTimeout) {
  std::string url;
  {
    ModelServer gone;
    url = gone.url();
  }
  UmBridgeChannel channel;
  const auto start = Clock::now();
  EXPECT_EQ(channel.connect(url), UNCHANNEL_RETRYABLE);
  EXPECT_GE(seconds_since(start), 0.4);
  EXPECT_LT(seconds_since(start), 10);
  EXPECT_NE(channel.error.find("no connection within connect_timeout_s = 0.5"), std::string::npos) << channel.error;
  EXPECT_NE(channel.error.find(url), std::string::npos) << channel.error;
}

TEST(UmBridgeFailures, ConnectionsClosedByTheServerAreOpenedAgain) {
  ModelServer server;
  UmBridgeChannel channel;
  // Odd requests: a polite "Connection: close"; every fourth: the connection breaks without an answer.
  server.on("/Evaluate", [](const json& request, int number) -> std::optional<std::string> {
    return number % 4 == 2 ? std::nullopt
                           : std::optional(http(ModelServer::evaluate(request), "200 OK", number % 2 == 1 ? "Connection: close\r\n" : ""));
  });
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  expect_only(channel, channel.simulate(1, signals(12), {}), {});
  EXPECT_GT(server.connections(), 5);
}

TEST(UmBridgeFailures, ASampleThatBreaksTheConnectionEveryTimeFailsAlone) {
  ModelServer server;
  UmBridgeChannel channel;
  server.on("/Evaluate", [](const json& request, int) {
    return is_sample(request, 2) ? std::nullopt : std::optional(http(ModelServer::evaluate(request)));
  });
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  expect_only(channel, channel.simulate(1, signals(5), {}), {{2, kTimedOut}});
  EXPECT_EQ(server.requests("/Evaluate"), 4 + 3);
  ASSERT_EQ(channel.logged.size(), 1U);
  EXPECT_NE(channel.logged[0].find("sample 2 of the batch failed: the server closed the connection"), std::string::npos)
      << channel.logged[0];
}

TEST(UmBridgeFailures, AServerThatDiesIsRetryableAndItsSuccessorIsUsed) {
  UmBridgeChannel channel;
  auto server = std::make_unique<ModelServer>();
  server->on("/Evaluate", [&server](const json& request, int number) -> std::optional<std::string> {
    if (number == 3) {
      server->die();
      return std::nullopt;
    }
    return http(ModelServer::evaluate(request));
  });
  ASSERT_EQ(channel.connect(server->url()), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, signals(6), {});
  EXPECT_EQ(channel.status, UNCHANNEL_RETRYABLE);
  EXPECT_NE(channel.error.find("/Evaluate: no connection within connect_timeout_s"), std::string::npos) << channel.error;
  server = std::make_unique<ModelServer>();
  ASSERT_EQ(channel.connect(server->url()), UNCHANNEL_OK) << channel.error;
  expect_only(channel, channel.simulate(1, signals(6), {}), {});
}

TEST(UmBridgeFailures, ASampleThatStallsFailsAloneAtItsDeadline) {
  ModelServer server;
  UmBridgeChannel channel;
  server.on("/Evaluate", [&server](const json& request, int) {
    return is_sample(request, 1) ? server.hang() : std::optional(http(ModelServer::evaluate(request)));
  });
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 0.5}}), UNCHANNEL_OK) << channel.error;
  const auto start = Clock::now();
  expect_only(channel, channel.simulate(1, signals(4), {}), {{1, kTimedOut}});
  EXPECT_GE(seconds_since(start), 0.45);
  ASSERT_EQ(channel.logged.size(), 1U);
  EXPECT_NE(channel.logged[0].find("no answer within call_timeout_s = 0.5 s, though the server is alive"), std::string::npos);
}

TEST(UmBridgeFailures, AServerThatTricklesMeetsTheSameDeadline) {
  ModelServer server;
  UmBridgeChannel channel;
  // Claims a long body and sends one chunk a request: the rest never comes, and every byte so far looks alive.
  server.on("/Evaluate", [](const json&, int) { return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"output\": [["; });
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 0.3}}), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, signals(1), {});
  EXPECT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
  EXPECT_EQ(channel.sample_status[0], kTimedOut);
}

TEST(UmBridgeFailures, AModelThatStallsThreeTimesInARowIsRetryable) {
  ModelServer server;
  UmBridgeChannel channel;
  server.on("/Evaluate", [&server](const json&, int) { return server.hang(); });
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 0.2}}), UNCHANNEL_OK) << channel.error;
  channel.simulate(1, signals(50), {});
  EXPECT_EQ(channel.status, UNCHANNEL_RETRYABLE);
  EXPECT_NE(channel.error.find("3 times in a row"), std::string::npos) << channel.error;
  EXPECT_EQ(server.requests("/Evaluate"), 3);
}

TEST(UmBridgeFailures, AServerWithoutAnySignOfLifeIsRetryableAtOnce) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 0.2}, {"connect_timeout_s", 0.3}}), UNCHANNEL_OK) << channel.error;
  server.on("/Evaluate", [&server](const json&, int) { return server.hang(); });
  server.on("/Info", [&server](const json&, int) { return server.hang(); });
  channel.simulate(1, signals(50), {});
  EXPECT_EQ(channel.status, UNCHANNEL_RETRYABLE);
  EXPECT_NE(channel.error.find("does not answer /Info either"), std::string::npos) << channel.error;
  EXPECT_EQ(server.requests("/Evaluate"), 1);
}

TEST(UmBridgeFailures, BadAnswersCostTheirOwnSampleWithADocumentedStatus) {
  ModelServer server;
  UmBridgeChannel channel;
  const std::vector<std::pair<std::string, int32_t>> answers{
      {http(R"({"output": [[1], [2]]})"), kBadAnswer},
      {http(R"({"output": [[1], [2, 3, 4]]})"), kBadAnswer},
      {http("{\"output\": [[nan], [2, 3]] }"), UNCHANNEL_SAMPLE_NOT_FINITE},
      {http(R"({"output": [[null], [2, 3]]})"), UNCHANNEL_SAMPLE_NOT_FINITE},
      {http("I am no JSON"), kBadAnswer},
      {http("500 Internal Server Error", "500 Internal Server Error"), kModelError},
      {http(R"({"error": {"type": "InvalidInput", "message": "x too large"}})", "400 Bad Request"), UNCHANNEL_SAMPLE_OUT_OF_DOMAIN},
      {http(std::string(5000, ' ')), kBadAnswer},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + std::string(5000, '[') + "\r\n0\r\n\r\n", kBadAnswer},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", kBadAnswer},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", kBadAnswer},
      {"\x16\x03\x01 this is TLS, surely\r\n\r\n", kBadAnswer},
  };
  const auto count = static_cast<int64_t>(answers.size());
  server.on("/Evaluate", [&answers](const json& request, int) {
    for (size_t i = 0; i < answers.size(); ++i) {
      if (is_sample(request, static_cast<int>(2 * i))) {
        return answers[i].first;
      }
    }
    return http(ModelServer::evaluate(request));
  });
  ASSERT_EQ(channel.connect(server.url(), {{"max_response_bytes", int64_t{2000}}}), UNCHANNEL_OK) << channel.error;
  std::map<int64_t, int32_t> failed;
  for (int64_t i = 0; i < count; ++i) {
    failed[2 * i] = answers[static_cast<size_t>(i)].second;
  }
  expect_only(channel, channel.simulate(1, signals(2 * count), {}), failed);  // the good ones in between prove that nothing is out of step
  EXPECT_EQ(channel.logged.size(), 10U);
  EXPECT_NE(channel.logged.back().find("Further failures are not logged"), std::string::npos);
  const auto mean = channel.mean(signals(2 * count), {});
  EXPECT_EQ(mean.row(0)[0], 0);
  EXPECT_EQ(mean.row(1)[0], 642);
}

TEST(UmBridgeFailures, AnOverloadedServerIsRetryableAndAForgottenModelABadArgument) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"connections", int64_t{3}}}), UNCHANNEL_OK) << channel.error;
  server.on("/Evaluate", [](const json&, int) { return http("busy", "503 Service Unavailable"); });
  channel.simulate(1, signals(9), {});
  EXPECT_EQ(channel.status, UNCHANNEL_RETRYABLE);
  EXPECT_NE(channel.error.find("/Evaluate: HTTP 503"), std::string::npos) << channel.error;
  server.on("/Evaluate", [](const json&, int) { return http(R"({"error": {"type": "ModelNotFound", "message": "no"}})", "400 Bad"); });
  channel.simulate(1, signals(9), {});
  EXPECT_EQ(channel.status, UNCHANNEL_BAD_ARGUMENT);
  EXPECT_NE(channel.error.find("started again with another model"), std::string::npos) << channel.error;
  server.on("/Evaluate", [](const json& request, int) { return http(ModelServer::evaluate(request)); });
  expect_only(channel, channel.simulate(1, signals(9), {}), {});
}

TEST(UmBridgeFailures, ASignalThatIsNotFiniteFailsWithoutARequest) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  auto x = signals(3);
  x.row(1)[2] = std::numeric_limits<float>::infinity();
  expect_only(channel, channel.simulate(1, x, {}), {{1, UNCHANNEL_SAMPLE_NOT_FINITE}});
  EXPECT_EQ(server.requests("/Evaluate"), 2);
}

TEST(UmBridgeFailures, StopsSoonWhenTheHostAsksAndIsUsableAfterwards) {
  static std::atomic<bool> stop{false};
  static const unchannel_host_should_stop_1 kService{[](const unchannel_host*) -> int32_t { return stop ? 1 : 0; }};
  stop = false;
  ModelServer server;
  UmBridgeChannel channel;
  channel.services[UNCHANNEL_SERVICE_SHOULD_STOP_1] = &kService;
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 1000.0}, {"connections", int64_t{2}}}), UNCHANNEL_OK) << channel.error;
  server.on("/Evaluate", [&server](const json&, int) {
    stop = true;
    return server.hang();
  });
  const auto start = Clock::now();
  channel.simulate(1, signals(5), {});
  EXPECT_EQ(channel.status, UNCHANNEL_CANCELLED);
  EXPECT_LT(seconds_since(start), 20);  // 0.05 s on an idle machine, 1000 s without the question
  stop = false;
  server.on("/Evaluate", [](const json& request, int) { return http(ModelServer::evaluate(request)); });
  expect_only(channel, channel.simulate(1, signals(5), {}), {});
}

TEST(UmBridgeFailures, RandomDamageToHttpAnswersNeverBreaksTheInstance) {
  ModelServer server;
  UmBridgeChannel channel;
  ASSERT_EQ(channel.connect(server.url(), {{"call_timeout_s", 0.05}, {"max_response_bytes", int64_t{2000}}}), UNCHANNEL_OK)
      << channel.error;
  server.on("/Evaluate", [](const json& request, int number) {
    std::string answer = http(ModelServer::evaluate(request));
    if (number % 2 == 1) {
      return answer;  // intact: must be understood whatever came before it
    }
    uint32_t element = 0;
    const auto below = [&](size_t count) {
      return unchannel_below(unchannel_word(21, static_cast<uint64_t>(number), element++, 0), static_cast<uint32_t>(count));
    };
    for (uint32_t change = 0; change < 2; ++change) {
      const size_t at = below(answer.size());
      switch (below(3)) {
        case 0:
          answer[at] = static_cast<char>(below(256));
          break;
        case 1:
          answer.insert(at, answer.substr(below(answer.size()), below(30)));
          break;
        default:
          answer.erase(at, 1 + below(10));
      }
    }
    return answer;
  });
  int failed_samples = 0, failed_calls = 0, fine = 0;
  for (int batch = 0; batch < 100; ++batch) {
    channel.simulate(1, signals(4), {});
    ASSERT_TRUE(channel.status == UNCHANNEL_OK || channel.status == UNCHANNEL_RETRYABLE || channel.status == UNCHANNEL_BAD_ARGUMENT)
        << channel.status << ": " << channel.error;
    failed_calls += channel.status == UNCHANNEL_OK ? 0 : 1;
    for (const int32_t status : channel.sample_status) {
      (status == UNCHANNEL_SAMPLE_OK ? fine : failed_samples) += channel.status == UNCHANNEL_OK ? 1 : 0;
    }
  }
  EXPECT_GT(failed_samples, 50);
  EXPECT_GT(fine, 50);
  server.on("/Evaluate", [](const json& request, int) { return http(ModelServer::evaluate(request)); });
  ASSERT_EQ(channel.connect(server.url()), UNCHANNEL_OK) << channel.error;
  expect_only(channel, channel.simulate(1, signals(4), {}), {});
}

}  // namespace
