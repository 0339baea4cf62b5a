// Requests and answers of the UM-Bridge client without a network. Answers are untrusted: the fuzz test compares the reader with the JSON
// library's own tree.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <unchannel/sdk/error.hpp>

#include "answers.hpp"
#include "protocol.hpp"
#include "url.hpp"

namespace {

using nlohmann::json;
using umbridge::Refusal;
using unchannel::sdk::Failure;

/// What reading `answer` as two vectors of 1 and 2 numbers ends with: 0 or the sample status, and the reason.
std::pair<int32_t, std::string> outcome(const std::string& answer, std::vector<double>* values = nullptr) {
  const std::vector<int64_t> sizes{1, 2};
  std::vector<double> own(3, 777);
  try {
    umbridge::read_output(answer, sizes, true, values != nullptr ? *values : own);
    return {UNCHANNEL_SAMPLE_OK, ""};
  } catch (const Refusal& refusal) {
    return {refusal.sample_status(), refusal.what()};
  }
}

template <class Body>
std::string reason(Body&& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

TEST(UmBridgeUrl, TakesHostPortAndPath) {
  const auto url = umbridge::parse_url("http://model.example:4242/a/b/");
  EXPECT_EQ(url.host, "model.example");
  EXPECT_EQ(url.port, "4242");
  EXPECT_EQ(url.path, "/a/b");
  EXPECT_EQ(umbridge::parse_url("http://[::1]:80").host, "::1");
  EXPECT_EQ(umbridge::parse_url("http://[::1]:81").host_header(), "[::1]:81");
  EXPECT_EQ(umbridge::parse_url("http://host").port, "80");
}

TEST(UmBridgeUrl, RefusesWhatItCannotReachAndSaysTheRule) {
  const std::pair<const char*, const char*> cases[] = {
      {"https://host", "TLS"},           {"host:4242", "http://"},      {"http://host:0", "65535"},     {"http://host:65536", "65535"},
      {"http://host:", "65535"},         {"http://host:4a", "65535"},   {"http://:4242", "host"},       {"http://a@host", "user"},
      {"http://host/?q", "query"},       {"http://[::1", "bracket"},    {"http://[::1]4242", "colon"},  {"", "http://"},
      {"http://host\r\nX: y", "spaces"}, {"http://host/a b", "spaces"}, {"http://h\xC3\xB6st", "ASCII"}};
  for (const auto& [url, rule] : cases) {
    EXPECT_NE(reason([&] { umbridge::parse_url(url); }).find(rule), std::string::npos) << url;
  }
}

TEST(UmBridgeRequests, CarryEachFloatAsTheExactDoubleAndSplitXByInputSizes) {
  const umbridge::Requests requests("a \"model\"", umbridge::checked_config("{\"level\": 2}"));
  const std::vector<float> x{0.1F, -3e-39F, 3.4e38F};
  const std::vector<int64_t> sizes{0, 2, 0, 1};
  const json parsed = json::parse(requests.gradient(1, 3, x, sizes, x));
  EXPECT_EQ(parsed["name"], "a \"model\"");
  EXPECT_EQ(parsed["config"]["level"], 2);
  EXPECT_EQ(parsed["outWrt"], 1);
  EXPECT_EQ(parsed["inWrt"], 3);
  ASSERT_EQ(parsed["input"].size(), 4U);
  EXPECT_TRUE(parsed["input"][0].empty());
  EXPECT_EQ(parsed["input"][1][0].get<double>(), static_cast<double>(x[0]));
  EXPECT_EQ(parsed["input"][1][1].get<double>(), static_cast<double>(x[1]));
  EXPECT_EQ(parsed["input"][3][0].get<double>(), static_cast<double>(x[2]));
  EXPECT_EQ(parsed["sens"].size(), 3U);
}

TEST(UmBridgeRequests, RefuseAConfigThatIsNoObjectAndTextThatIsNoUtf8) {
  for (const char* text : {"", "[]", "1", "{", "{\"a\": nan}", "{} {}"}) {
    EXPECT_NE(reason([&] { umbridge::checked_config(text); }).find("JSON object"), std::string::npos) << text;
  }
  EXPECT_NE(reason([] { umbridge::checked_config(std::string(100, '[')); }).find("nested"), std::string::npos);
  EXPECT_NE(reason([] { umbridge::Requests("\xFF", "{}"); }).find("UTF-8"), std::string::npos);
}

TEST(UmBridgeAnswers, AreReadWhereverOutputStandsAndOtherMembersAreSkipped) {
  std::vector<double> values(3, 777);
  EXPECT_EQ(outcome(R"({"a": [[[1]], {"output": 5}], "output": [[1], [2.5, -3e2]], "b": "output"})", &values).first, 0);
  EXPECT_EQ(values, (std::vector<double>{1, 2.5, -300}));
}

TEST(UmBridgeAnswers, OfTheWrongFormFailTheSampleWithTheDeclaredSize) {
  const std::pair<const char*, const char*> cases[] = {{R"({"output": [[1], [2]]})", "vector 1 has 1 numbers where the model declares 2"},
                                                       {R"({"output": [[1], [2, 3, 4]]})", "vector 1 has more than the 2 numbers"},
                                                       {R"({"output": [[1]]})", "1 vectors where the model declares 2"},
                                                       {R"({"output": [[1], [2, 3], []]})", "more than 2 vectors"},
                                                       {R"({"output": [1, 2, 3]})", "where a list of numbers is due"},
                                                       {R"({"output": [[[1]], [2, 3]]})", "nested too deeply"},
                                                       {R"({"output": 3})", "where a list of numbers is due"},
                                                       {R"({"output": [["1"], [2, 3]]})", "text"},
                                                       {R"({"output": [[true], [2, 3]]})", "true or false"},
                                                       {R"({"output": {"0": 1}})", "object"},
                                                       {R"({"output": [[1], [2, 3]], "output": [[1], [2, 3]]})", "twice"},
                                                       {R"({"result": [[1], [2, 3]]})", "no list \"output\""},
                                                       {R"([[1], [2, 3]])", "no list \"output\""},
                                                       {R"({"output": [[1], [2, 3]]} x)", "not JSON"},
                                                       {R"({"output": [[1], [2, 3])", "not JSON"},
                                                       {"<html>It works!</html>", "not JSON"},
                                                       {"", "not JSON"}};
  for (const auto& [answer, rule] : cases) {
    const auto [status, text] = outcome(answer);
    EXPECT_EQ(status, umbridge::kSampleBadAnswer) << answer;
    EXPECT_NE(text.find(rule), std::string::npos) << answer << ": " << text;
  }
}

TEST(UmBridgeAnswers, WithNonFiniteNumbersInAnySpellingAreNotFinite) {
  for (const char* number : {"null", "nan", "NaN", "-inf", "inf", "Infinity", "-Infinity", "1e300"}) {
    EXPECT_EQ(outcome(std::string(R"({"comment": "nan \" inf", "output": [[)") + number + "], [2, 3]]}").first, UNCHANNEL_SAMPLE_NOT_FINITE)
        << number;
  }
  EXPECT_EQ(outcome(R"({"output": [[nane], [2, 3]]})").first, umbridge::kSampleBadAnswer);
}

TEST(UmBridgeAnswers, ThatReportAnErrorAreModelErrors) {
  const auto [status, text] = outcome(R"({"error": {"type": "InvalidOutput", "message": "solver diverged"}})");
  EXPECT_EQ(status, umbridge::kSampleModelError);
  EXPECT_EQ(text, "InvalidOutput: solver diverged");
  EXPECT_EQ(outcome(R"({"error": 3})").first, umbridge::kSampleModelError);
}

TEST(UmBridgeAnswers, NestedAMillionDeepAreRefusedWithoutBuildingThem) {
  const std::string deep(1000000, '[');
  EXPECT_EQ(outcome(deep).first, umbridge::kSampleBadAnswer);
  EXPECT_EQ(outcome("{\"a\": " + deep).first, umbridge::kSampleBadAnswer);
  EXPECT_FALSE(umbridge::is_shallow(deep));
  EXPECT_TRUE(umbridge::is_shallow("\"" + deep + "\""));
  EXPECT_NE(reason([&] { umbridge::read_sizes("{\"inputSizes\": " + deep, "inputSizes"); }).find("no UM-Bridge answer"), std::string::npos);
}

TEST(UmBridgeAnswers, ToConfigureAreCheckedForSense) {
  EXPECT_EQ(umbridge::read_sizes(R"({"inputSizes": [2, 0, 1]})", "inputSizes"), (umbridge::Sizes{2, 0, 1}));
  for (const char* list : {"[]", "[0]", "[-1]", "[1.5]", "3", "[\"1\"]", "[1099511627777]", "[1099511627776, 1]", "[1e30]", "[[1]]"}) {
    EXPECT_NE(reason([&] { umbridge::read_sizes(std::string("{\"outputSizes\": ") + list + "}", "outputSizes"); }), "accepted") << list;
  }
  EXPECT_EQ(reason([] { umbridge::check_info(R"({"protocolVersion": 1, "models": ["a", "b"]})", "b"); }), "accepted");
  EXPECT_NE(reason([] { umbridge::check_info(R"({"protocolVersion": 1.0, "models": ["a", "b"]})", "c"); }).find("It has: a, b"),
            std::string::npos);
  EXPECT_NE(reason([] { umbridge::check_info(R"({"protocolVersion": 0.9})", "c"); }).find("0.9"), std::string::npos);
  const auto support = umbridge::read_support(R"({"support": {"Evaluate": true, "Gradient": "yes", "ApplyHessian": true}})");
  EXPECT_TRUE(support.evaluate);
  EXPECT_FALSE(support.gradient);
  EXPECT_FALSE(support.apply_jacobian);
}

TEST(UmBridgeHttpStatus, TellsWhatAnotherSampleWouldNotChange) {
  const auto status_of = [](unsigned http, const char* answer) {
    try {
      umbridge::refuse_http_status(http, answer);
    } catch (const Failure& failure) {
      return failure.status();
    } catch (const Refusal& refusal) {
      return refusal.sample_status();
    }
  };
  EXPECT_EQ(status_of(500, "Internal Server Error"), umbridge::kSampleModelError);
  EXPECT_EQ(status_of(500, R"({"error": {"type": "InvalidOutput", "message": "m"}})"), umbridge::kSampleModelError);
  EXPECT_EQ(status_of(400, R"({"error": {"type": "InvalidInput", "message": "m"}})"), UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
  EXPECT_EQ(status_of(400, R"({"error": {"type": "ModelNotFound", "message": "m"}})"), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(status_of(404, "nothing"), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(status_of(301, ""), UNCHANNEL_BAD_ARGUMENT);
  for (const unsigned overload : {408U, 429U, 502U, 503U, 504U}) {
    EXPECT_EQ(status_of(overload, ""), UNCHANNEL_RETRYABLE);
  }
}

/// 0, NOT_FINITE or BadAnswer by the JSON library's tree; nothing where the tree keeps the last of two members and so cannot tell.
std::optional<int32_t> status_by_tree(const std::string& text) {
  const json tree = json::parse(text, nullptr, false);
  if (!tree.is_object() || !tree.contains("output") || tree.contains("error")) {
    return std::nullopt;
  }
  const json& lists = tree["output"];
  const size_t sizes[] = {1, 2};
  bool finite = true;
  if (!lists.is_array() || lists.size() != 2) {
    return umbridge::kSampleBadAnswer;
  }
  for (size_t k = 0; k < 2; ++k) {
    if (!lists[k].is_array() || lists[k].size() != sizes[k]) {
      return umbridge::kSampleBadAnswer;
    }
    for (const json& number : lists[k]) {
      if (!number.is_number() && !number.is_null()) {
        return umbridge::kSampleBadAnswer;
      }
      finite = finite && number.is_number() && std::abs(number.get<double>()) < 3.4e38;
    }
  }
  return finite ? UNCHANNEL_SAMPLE_OK : UNCHANNEL_SAMPLE_NOT_FINITE;
}

TEST(UmBridgeAnswers, MutatedAtRandomAgreeWithTheJsonTreeOrAreRefused) {
  const std::string seeds[] = {R"({"output": [[1.5], [-2, 3e1]]})", R"({"o": {"a": [1, "]"]}, "output": [[null], [0.1, 7]], "z": 1})"};
  const std::string alphabet = "[]{}\",:.-+eE0123456789 natruefls\\u\xFF\x01";
  int compared = 0, accepted = 0;
  for (uint64_t i = 0; i < 60000; ++i) {
    std::string text = seeds[i % 2];
    uint32_t element = 0;
    const auto below = [&](size_t count) { return unchannel_below(unchannel_word(20, i, element++, 0), static_cast<uint32_t>(count)); };
    for (uint32_t change = 0, changes = 1 + below(3); change < changes && !text.empty(); ++change) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = alphabet[below(alphabet.size())];
          break;
        case 1:
          text.insert(at, 1, alphabet[below(alphabet.size())]);
          break;
        case 2:
          text.erase(at, 1 + below(4));
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(8)));
      }
    }
    std::vector<double> values(3, 777);
    const auto [status, what] = outcome(text, &values);
    const auto expected = status_by_tree(text);
    // A doubled "output" is refused here, while the tree keeps one of them.
    if (!expected || what.find("twice") != std::string::npos) {
      EXPECT_NE(status, UNCHANNEL_SAMPLE_OK) << text;
      continue;
    }
    ++compared;
    ASSERT_EQ(status, *expected) << text << "\n" << what;
    if (status == UNCHANNEL_SAMPLE_OK) {
      const json tree = json::parse(text);
      ASSERT_EQ(values, (std::vector<double>{tree["output"][0][0], tree["output"][1][0], tree["output"][1][1]})) << text;
      ++accepted;
    }
  }
  EXPECT_GT(compared, 2500);
  EXPECT_GT(accepted, 1000);
}

}  // namespace
