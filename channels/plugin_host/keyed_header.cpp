#include "keyed_header.hpp"

#include "wire.hpp"

namespace unchannel {
namespace {

constexpr std::string_view kName = "\"key\"";
constexpr std::string_view kBefore = "\"key\":\"";
constexpr std::size_t kDigits = 16;

}  // namespace

std::optional<KeyedHeader> KeyedHeader::make(std::string text, std::uint64_t key) {
  const std::size_t at = text.find(kName);
  const std::string expected = std::string(kBefore) + key_text(key) + '"';
  const bool certain = at != std::string::npos && text.compare(at, expected.size(), expected) == 0 &&
                       text.find(kName, at + 1) == std::string::npos && text.find('\\') == std::string::npos;
  if (!certain) return std::nullopt;
  return KeyedHeader(std::move(text), at + kBefore.size());
}

std::optional<std::uint64_t> KeyedHeader::key_of(std::string_view text) const {
  const std::size_t end = begin_ + kDigits;
  const std::string_view own = text_;
  if (text.size() != own.size() || text.substr(0, begin_) != own.substr(0, begin_) || text.substr(end) != own.substr(end)) {
    return std::nullopt;
  }
  return key_from_text(std::string(text.substr(begin_, kDigits)));
}

const std::string& KeyedHeader::with_key(std::uint64_t key) {
  text_.replace(begin_, kDigits, key_text(key));
  return text_;
}

}  // namespace unchannel
