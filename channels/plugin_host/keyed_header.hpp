#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace unchannel {

/// The header of a call as text. From one batch of a training to the next only its key changes, so both ends of a conversation keep the
/// header and exchange 16 digits in it instead of writing and reading the JSON each time.
class KeyedHeader {
 public:
  /// `text`: a header in JSON · `key`: what its "key" says. Nothing when the digits cannot be found for certain: white space before them,
  /// a second "key", escapes.
  static std::optional<KeyedHeader> make(std::string text, std::uint64_t key);

  /// Whether `text` is this header with some key in its place. Throws ProtocolError when there is something else there.
  std::optional<std::uint64_t> key_of(std::string_view text) const;
  const std::string& with_key(std::uint64_t key);

 private:
  KeyedHeader(std::string text, std::size_t begin) : text_(std::move(text)), begin_(begin) {}
  std::string text_;
  std::size_t begin_;  // of the digits
};

}  // namespace unchannel
