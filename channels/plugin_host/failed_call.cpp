#include "failed_call.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <vector>

#include "call_layout.hpp"
#include "wire.hpp"

namespace unchannel {
namespace {

/// A channel's id comes from the plugin and becomes part of a file name.
std::string file_name_part(std::string text) {
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  return text.substr(0, 100);
}

}  // namespace

nlohmann::json hello_message(std::uint64_t shared_bytes) {
  nlohmann::json message = {{"type", "hello"}, {"protocol", kProtocolVersion}, {"host", "unchannel " UNCHANNEL_VERSION}};
  if (shared_bytes > 0) message["shared_memory"] = {{"descriptor", 3}};
  return message;
}

nlohmann::json create_message(const std::string& channel, std::uint32_t threads) {
  return {{"type", "create"}, {"channel", channel}, {"threads", threads}};
}

nlohmann::json configure_message(const ChannelShape& x_shape, const nlohmann::json& parameters) {
  return {{"type", "configure"}, {"x_shape", x_shape}, {"parameters", with_texts_for_infinities(parameters)}};
}

std::filesystem::path save_failed_call(const std::filesystem::path& folder, const PluginInstance& channel, const BatchCall& call,
                                       const std::string& reason) {
  std::vector<std::int32_t> sample_status(static_cast<std::size_t>(call.count));
  const CallLayout layout = lay_out(channel, call, sample_status.data(), false);
  std::string payload(layout.input_bytes, '\0');
  for (const CallBuffer& buffer : layout.inputs)
    std::copy_n(static_cast<const char*>(buffer.read), buffer.bytes, payload.data() + buffer.offset);
  nlohmann::json header = call_header(call, layout);
  const PluginFile file = channel.file();
  header["record"] = {{"file", file.path.string()},
                      {"sha256", file.sha256},
                      {"channel_version", channel.description().version},
                      {"canonical", channel.canonical()},
                      {"reason", reason}};
  const std::string text = encode_frame(hello_message(0)) + encode_frame(create_message(channel.description().id, 1)) +
                           encode_frame(configure_message(channel.x_shape(), channel.parameters())) + encode_frame(header, payload.size()) +
                           payload;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check<DataError>(!error, "{}: cannot be made: {}.", folder.string(), error.message());
  const std::string first = call.ids.empty() ? "batch" : std::to_string(call.ids[0]);
  const std::filesystem::path target = folder / fmt::format("{}-{}-{}-{}.ucw", file_name_part(channel.description().id),
                                                            call_name(call.kind), first, sha256_text(text).substr(0, 12));
  write_file_atomically(target, text);
  return target;
}

}  // namespace unchannel
