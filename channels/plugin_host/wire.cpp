#include "wire.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

constexpr std::string_view kMagic = "UCW1";
constexpr std::size_t kPrefixBytes = 16;

}  // namespace

std::string Message::type() const {
  const auto found = header.find("type");
  return found != header.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string encode_frame(const nlohmann::json& header, std::uint64_t payload_bytes) {
  return encode_frame_text(json_text(header), payload_bytes);
}

std::string encode_frame_text(std::string_view header, std::uint64_t payload_bytes) {
  std::string frame;
  frame.reserve(kPrefixBytes + header.size());
  frame.assign(kPrefixBytes, '\0');
  frame += header;
  const auto header_bytes = static_cast<std::uint32_t>(header.size());
  std::memcpy(frame.data(), kMagic.data(), kMagic.size());
  std::memcpy(frame.data() + 4, &header_bytes, sizeof header_bytes);
  std::memcpy(frame.data() + 8, &payload_bytes, sizeof payload_bytes);
  return frame;
}

std::optional<RawMessage> FrameReader::next_raw() {
  // What has arrived of the magic must be right: somebody who prints "hello" is told at once and not after 16 bytes.
  const std::size_t seen = std::min(bytes_.size(), kMagic.size());
  check<ProtocolError>(std::string_view(bytes_).substr(0, seen) == kMagic.substr(0, seen),
                       "the stream holds something that is no message (no 'UCW1' where one must begin).");
  if (bytes_.size() < kPrefixBytes) return std::nullopt;
  std::uint32_t header_bytes = 0;
  std::uint64_t payload_bytes = 0;
  std::memcpy(&header_bytes, bytes_.data() + 4, sizeof header_bytes);
  std::memcpy(&payload_bytes, bytes_.data() + 8, sizeof payload_bytes);
  check<ProtocolError>(header_bytes <= limits_.header_bytes, "a message announces a header of {} bytes; at most {} are accepted.",
                       header_bytes, limits_.header_bytes);
  check<ProtocolError>(payload_bytes <= limits_.payload_bytes, "a message announces {} bytes of data; at most {} are expected.",
                       payload_bytes, limits_.payload_bytes);
  const std::uint64_t whole = kPrefixBytes + header_bytes + payload_bytes;
  if (bytes_.size() < whole) return std::nullopt;
  const char* begin = bytes_.data() + kPrefixBytes;
  RawMessage message{std::string(begin, header_bytes), std::string(begin + header_bytes, payload_bytes)};
  bytes_.erase(0, whole);
  return message;
}

Message read_message(RawMessage raw) {
  Message message{nlohmann::json::parse(raw.header, nullptr, false), std::move(raw.payload)};
  check<ProtocolError>(message.header.is_object(), "the header of a message is no JSON object.");
  return message;
}

std::optional<Message> FrameReader::next() {
  if (auto raw = next_raw()) return read_message(*std::move(raw));
  return std::nullopt;
}

std::string key_text(std::uint64_t key) { return fmt::format("{:016x}", key); }

std::uint64_t key_from_text(const std::string& text) {
  std::uint64_t key = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), key, 16);
  check<ProtocolError>(text.size() == 16 && end.ec == std::errc() && end.ptr == text.data() + text.size(),
                       "'{}' is no key of 16 hexadecimal digits.", text.substr(0, 32));
  return key;
}

nlohmann::json with_texts_for_infinities(nlohmann::json object) {
  for (auto& value : object) {
    if (!value.is_number_float() || std::isfinite(value.get<double>())) continue;
    const double number = value.get<double>();
    value = std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
  }
  return object;
}

}  // namespace unchannel
