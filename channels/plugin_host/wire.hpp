#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unchannel/base/error.hpp>

namespace unchannel {

/// Version of docs/reference/worker_protocol.md.
constexpr int kProtocolVersion = 1;

/// One message: a JSON object and bulk data.
struct Message {
  nlohmann::json header;
  std::string payload;
  std::string type() const;  ///< header["type"], "" when it is no string
};

/// A message whose header has not been read.
struct RawMessage {
  std::string header;
  std::string payload;
};

/// Bytes that are no message of the protocol.
class ProtocolError : public PluginError {
 public:
  using PluginError::PluginError;
};

/// What a reader accepts; larger frames are refused before anything is allocated for them.
struct FrameLimits {
  std::uint32_t header_bytes = std::uint32_t{1} << 20;
  std::uint64_t payload_bytes = 0;
};

/// The 16 bytes in front and the JSON text; the payload follows on the wire. Texts that are no UTF-8 are repaired with U+FFFD.
std::string encode_frame(const nlohmann::json& header, std::uint64_t payload_bytes = 0);
/// The same of a header that is JSON text already.
std::string encode_frame_text(std::string_view header, std::uint64_t payload_bytes = 0);

/// Throws ProtocolError when the header is no JSON object.
Message read_message(RawMessage raw);

/// Takes bytes as they arrive and gives messages. Memory grows with what has arrived, not with what a frame promises.
class FrameReader {
 public:
  explicit FrameReader(FrameLimits limits) : limits_(limits) {}
  void set_payload_limit(std::uint64_t bytes) { limits_.payload_bytes = bytes; }

  void feed(std::string_view bytes) { bytes_.append(bytes); }
  /// The next whole message, or nothing until more has been fed. Throws ProtocolError; the stream is then lost.
  std::optional<RawMessage> next_raw();
  std::optional<Message> next();
  /// Nothing of an unfinished message has arrived.
  bool idle() const { return bytes_.empty(); }

 private:
  FrameLimits limits_;
  std::string bytes_;
};

/// Keys are 16 hexadecimal digits in messages: JSON numbers of other languages hold 53 bits. Throws ProtocolError.
std::string key_text(std::uint64_t key);
std::uint64_t key_from_text(const std::string& text);

/// JSON has no infinity: infinite and undefined numbers of a flat object travel as the strings "inf", "-inf", "nan".
nlohmann::json with_texts_for_infinities(nlohmann::json object);

}  // namespace unchannel
