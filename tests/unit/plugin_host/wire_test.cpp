#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/call_layout.hpp>
#include <unchannel/plugin_host/keyed_header.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>
#include <unchannel/plugin_host/wire.hpp>

namespace unchannel {
namespace {

std::string frame(const nlohmann::json& header, const std::string& payload = {}) { return encode_frame(header, payload.size()) + payload; }

TEST(Wire, GivesBackWhatWasSentHoweverItIsCut) {
  const std::string stream =
      frame({{"type", "hello"}}) + frame({{"type", "simulate"}, {"count", 3}}, std::string("\0\1\2", 3)) + frame({{"type", ""}});
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameReader reader({.payload_bytes = 3});
    std::vector<Message> messages;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.feed(std::string_view(stream).substr(at, piece));
      while (auto message = reader.next()) messages.push_back(*message);
    }
    ASSERT_EQ(messages.size(), 3u) << piece;
    EXPECT_EQ(messages[0].type(), "hello");
    EXPECT_EQ(messages[1].header["count"], 3);
    EXPECT_EQ(messages[1].payload, std::string("\0\1\2", 3));
    EXPECT_TRUE(reader.idle());
  }
}

TEST(Wire, LiesOutTheDocumentedBytes) {
  // "UCW1", header length and payload length little-endian, JSON, payload: what a program without our code has to write.
  EXPECT_EQ(frame({{"type", "x"}}, "ab"), std::string("UCW1\x0c\0\0\0\x02\0\0\0\0\0\0\0{\"type\":\"x\"}ab", 30));
}

std::string refusal(const std::string& bytes) {
  FrameReader reader({.header_bytes = 1000, .payload_bytes = 100});
  reader.feed(bytes);
  try {
    return reader.next() ? "a message" : "more is awaited";
  } catch (const ProtocolError& error) {
    return error.what();
  }
}

TEST(Wire, RefusesAnnouncedSizesBeforeTheyArrive) {
  EXPECT_NE(refusal(encode_frame({{"type", "x"}}, 101)).find("announces 101 bytes of data; at most 100"), std::string::npos);
  EXPECT_NE(refusal(encode_frame({{"type", "x"}}, std::numeric_limits<std::uint64_t>::max())).find("announces"), std::string::npos);
  EXPECT_NE(refusal(std::string("UCW1\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16)).find("header of 4294967295 bytes"), std::string::npos);
  EXPECT_NE(refusal("hello").find("no 'UCW1'"), std::string::npos);
  EXPECT_NE(refusal(frame(nlohmann::json::array())).find("no JSON object"), std::string::npos);
  EXPECT_EQ(refusal("UC"), "more is awaited");
}

TEST(Wire, SurvivesDeepNesting) {
  std::string bytes = encode_frame({{"type", "x"}});
  const std::string deep(900, '[');
  const auto size = static_cast<std::uint32_t>(deep.size());
  std::memcpy(bytes.data() + 4, &size, sizeof size);
  EXPECT_NE(refusal(bytes.substr(0, 16) + deep).find("no JSON object"), std::string::npos);
}

TEST(Wire, NeverTakesGarbageForMoreThanItIs) {
  const std::string good = frame({{"type", "simulate"}, {"count", 3}, {"tensors", nlohmann::json::array({1, 2})}}, std::string(40, 'x'));
  std::mt19937 random(20240501);
  int whole = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good + good;
    for (int change = 0; change < 1 + round % 4; ++change) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    FrameReader reader({.header_bytes = 1000, .payload_bytes = 100});
    reader.feed(bytes);
    try {
      while (const auto message = reader.next()) {
        ++whole;
        EXPECT_TRUE(message->header.is_object());
        EXPECT_LE(message->payload.size(), 100u);
      }
    } catch (const ProtocolError&) {
      ++refused;
    }
  }
  EXPECT_GT(whole, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(KeyedHeader, IsKnownAgainWithAnotherKeyAndNothingElse) {
  const std::string text = R"({"count":2,"key":"00000000deadbeef","type":"simulate"})";
  auto header = KeyedHeader::make(text, 0xdeadbeef);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->key_of(text), 0xdeadbeefu);
  const std::string other = header->with_key(0x123456789abcdef0);
  EXPECT_EQ(other, R"({"count":2,"key":"123456789abcdef0","type":"simulate"})");
  EXPECT_EQ(KeyedHeader::make(text, 0xdeadbeef)->key_of(other), 0x123456789abcdef0u);
  EXPECT_FALSE(header->key_of(R"({"count":3,"key":"00000000deadbeef","type":"simulate"})"));
  EXPECT_FALSE(header->key_of(text + " "));
  EXPECT_FALSE(header->key_of(""));
  EXPECT_THROW(header->key_of(R"({"count":2,"key":"0000000g00000000","type":"simulate"})"), ProtocolError);
}

TEST(KeyedHeader, IsNotMadeWhereTheKeyCouldBeElsewhere) {
  for (const char* text : {R"({"key": "00000000deadbeef"})", R"({"type":"simulate"})", R"({"key":"00000000deadbee0"})",
                           R"({"key":"00000000deadbeef","record":{"key":"00000000deadbeef"}})", R"({"key":"00000000deadbeef","a":"\""})"}) {
    EXPECT_FALSE(KeyedHeader::make(text, 0xdeadbeef)) << text;
  }
}

TEST(Wire, KeysKeepTheir64Bits) {
  EXPECT_EQ(key_text(0xFEDCBA9876543210u), "fedcba9876543210");
  EXPECT_EQ(key_from_text("fedcba9876543210"), 0xFEDCBA9876543210u);
  for (const char* wrong : {"", "12", "fedcba987654321g", "fedcba98765432100", "-edcba9876543210"}) {
    EXPECT_THROW(key_from_text(wrong), ProtocolError) << wrong;
  }
}

TEST(Wire, InfinitiesTravelAsText) {
  const auto sent = with_texts_for_infinities({{"a", 1.5}, {"b", std::numeric_limits<double>::infinity()}, {"c", "text"}});
  EXPECT_EQ(sent, (nlohmann::json{{"a", 1.5}, {"b", "inf"}, {"c", "text"}}));
}

TEST(CallMessages, NeverLeadOutsideTheirData) {
  // Headers with random changes: either refused, or every pointer of the call lies inside the data (the call itself is made, for asan).
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  const PluginRegistry registry({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 1});
  const auto channel = PluginChannel::create(registry, "org.example.gain");
  channel->configure({6}, nlohmann::json::object());
  constexpr std::size_t B = 4;
  std::vector<std::uint64_t> ids(B, 7);
  std::vector<float> x(6 * B), y(6 * B), level(B), echo(6 * B);
  std::vector<std::int32_t> number(2 * B), status(B);
  const std::vector<const void*> latents = {level.data(), number.data(), echo.data(), nullptr};
  const BatchCall call{.kind = CallKind::kSimulate, .ids = ids, .count = B, .x = x.data(), .latents = latents, .result = y.data()};
  const CallLayout layout = lay_out(*channel, call, status.data(), false);
  const std::string good = call_header(call, layout).dump();
  const std::string input(layout.input_bytes, '\0');
  std::vector<char> output(layout.output_bytes);
  const auto attempt = [&](const std::string& text) {
    const auto header = nlohmann::json::parse(text, nullptr, false);
    if (!header.is_object()) return false;
    try {
      const OwnedCall read = read_call(*channel, header, input, output);
      channel->run(read.call);
      return true;
    } catch (const Error&) {
      return false;
    } catch (const nlohmann::json::exception&) {
      return false;
    }
  };
  ASSERT_TRUE(attempt(good));
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text = good;
    // Digits are what matters: counts, shapes, offsets.
    for (int change = 0; change < 3; ++change) {
      const std::size_t at = random() % text.size();
      text[at] = text[at] >= '0' && text[at] <= '9' ? static_cast<char>('0' + random() % 10)
                 : round % 5 == 0                   ? static_cast<char>(random())
                                                    : text[at];
    }
    accepted += attempt(text) ? 1 : 0;
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 5000);
  std::string huge = good;
  huge.replace(huge.find("\"count\":4"), 9, "\"count\":4611686018427387904");
  EXPECT_FALSE(attempt(huge));
}

}  // namespace
}  // namespace unchannel
