#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "plugin_instance.hpp"

namespace unchannel {

/// A buffer of a batch call under the name that the protocol gives it: "ids", "x", "latents/seeing", "y", "sample_status"…
struct CallBuffer {
  std::string name;
  const char* dtype = "float32";  ///< "float32", "float64", "int32", "int64", "uint64"
  unchannel_dtype element = kFloat32;
  ChannelShape shape;  ///< with the batch in front
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;    ///< in the region that carries it, a multiple of 64
  const void* read = nullptr;  ///< inputs: the caller's memory
  void* write = nullptr;       ///< outputs: the caller's memory
};

/// Every buffer of a call and its place.
struct CallLayout {
  std::vector<CallBuffer> inputs, outputs;
  std::uint64_t input_bytes = 0, output_bytes = 0;
};

/// What `call` reads and writes under the configuration of `channel`. `sample_status` [count] becomes an output. In `one_region`
/// (shared memory) outputs lie behind the inputs, otherwise both start at 0.
CallLayout lay_out(const PluginInstance& channel, const BatchCall& call, std::int32_t* sample_status, bool one_region);

/// Whether both place the same buffers at the same offsets; those of one configuration then have the same header.
bool same_places(const CallLayout& a, const CallLayout& b);

/// The message of a call without its type-independent fields: "type", "count", "key", "tensors", "outputs".
nlohmann::json call_header(const BatchCall& call, const CallLayout& layout);

/// A call with the pointer lists that it borrows.
struct OwnedCall {
  OwnedCall() = default;
  OwnedCall(const OwnedCall&) = delete;  // a copy would borrow from its original
  OwnedCall& operator=(const OwnedCall&) = delete;
  OwnedCall(OwnedCall&&) = default;

  BatchCall call;
  std::vector<const void*> latents;
  std::vector<void*> latents_out;
  std::int32_t* sample_status = nullptr;
};

/// Samples begin … begin + count − 1 of a call.
OwnedCall slice(const PluginInstance& channel, const BatchCall& call, std::int64_t begin, std::int64_t count);

/// The receiver's side of call_header: pointers into `inputs` and `outputs`. Throws ProtocolError when a buffer is missing, has another
/// type or shape than the configuration in force, or does not lie inside its region; ShapeError and ConfigError as
/// PluginInstance::check_call.
OwnedCall read_call(const PluginInstance& channel, const nlohmann::json& header, std::span<const char> inputs, std::span<char> outputs);

}  // namespace unchannel
