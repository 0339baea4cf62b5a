#include "call_layout.hpp"

#include <algorithm>
#include <type_traits>

#include "wire.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kAlignment = 64;

struct ElementType {
  const char* name;
  unchannel_dtype element;
  std::uint64_t bytes() const { return element.bits / 8; }
};
constexpr ElementType kF32{"float32", kFloat32}, kF64{"float64", {UNCHANNEL_DTYPE_FLOAT, 64, 1}},
    kI32{"int32", {UNCHANNEL_DTYPE_INT, 32, 1}}, kU64{"uint64", {UNCHANNEL_DTYPE_UINT, 64, 1}};

ElementType latent_type(std::int32_t dtype) { return {latent_type_name(dtype), latent_dtype(dtype)}; }

CallBuffer make_buffer(std::string name, ElementType type, std::int64_t count, const ChannelShape& shape) {
  CallBuffer buffer;
  buffer.name = std::move(name);
  buffer.dtype = type.name;
  buffer.element = type.element;
  buffer.shape.push_back(count);
  buffer.shape.insert(buffer.shape.end(), shape.begin(), shape.end());
  buffer.bytes = type.bytes();
  for (const std::int64_t extent : buffer.shape) {
    // Saturates: a count from the wire may be anything, and no region is that large.
    if (__builtin_mul_overflow(buffer.bytes, static_cast<std::uint64_t>(extent), &buffer.bytes)) buffer.bytes = UINT64_MAX / 2;
  }
  return buffer;
}

std::uint64_t place(std::vector<CallBuffer>& buffers, std::uint64_t begin) {
  for (CallBuffer& buffer : buffers) {
    buffer.offset = begin;
    begin += (buffer.bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  return begin;
}

const char* result_name(CallKind kind) {
  switch (kind) {
    case CallKind::kLift:
      return "x";
    case CallKind::kVjp:
    case CallKind::kLoglik:
      return "gradient";
    default:
      return "y";
  }
}

const ChannelShape& result_shape(const PluginInstance& channel, CallKind kind) {
  return kind == CallKind::kSimulate || kind == CallKind::kMean ? channel.y_shape() : channel.x_shape();
}

nlohmann::json describe(const std::vector<CallBuffer>& buffers) {
  nlohmann::json list = nlohmann::json::array();
  for (const CallBuffer& buffer : buffers) {
    list.push_back({{"name", buffer.name}, {"dtype", buffer.dtype}, {"shape", buffer.shape}, {"offset", buffer.offset}});
  }
  return list;
}

/// Looks for `expected` in a message's list and returns where it lies; nullptr when it is not there.
const char* find_buffer(const nlohmann::json& list, const CallBuffer& expected, std::span<const char> region) {
  for (const nlohmann::json& item : list) {
    if (item.at("name") != expected.name) continue;
    check<ProtocolError>(item.at("dtype") == expected.dtype, "{}: must be {}.", expected.name, expected.dtype);
    check<ProtocolError>(item.at("shape").get<ChannelShape>() == expected.shape, "{}: has another shape than the configuration in force.",
                         expected.name);
    const auto offset = item.at("offset").get<std::uint64_t>();
    check<ProtocolError>(offset % 8 == 0 && offset <= region.size() && expected.bytes <= region.size() - offset,
                         "{}: does not lie inside the data that came with the call.", expected.name);
    return region.data() + offset;
  }
  return nullptr;
}

CallKind kind_of(const nlohmann::json& header) {
  const auto type = header.at("type").get<std::string>();
  for (int kind = 0; kind <= static_cast<int>(CallKind::kLoglik); ++kind) {
    if (type == call_name(static_cast<CallKind>(kind))) return static_cast<CallKind>(kind);
  }
  throw ProtocolError(fmt::format("'{}' is no call.", type.substr(0, 64)));
}

/// Elements of one sample, as bytes.
std::size_t row_bytes(const ChannelShape& shape, std::uint64_t element_bytes) {
  std::size_t bytes = element_bytes;
  for (const std::int64_t extent : shape) bytes *= static_cast<std::size_t>(extent);
  return bytes;
}

template <class T>
T* advance(T* pointer, std::int64_t rows, std::size_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return pointer ? reinterpret_cast<T*>(reinterpret_cast<Byte*>(pointer) + static_cast<std::size_t>(rows) * bytes) : nullptr;
}
const void* advance(const void* pointer, std::int64_t rows, std::size_t bytes) {
  return advance(static_cast<const char*>(pointer), rows, bytes);
}
void* advance(void* pointer, std::int64_t rows, std::size_t bytes) { return advance(static_cast<char*>(pointer), rows, bytes); }

}  // namespace

CallLayout lay_out(const PluginInstance& channel, const BatchCall& call, std::int32_t* sample_status, bool one_region) {
  CallLayout layout;
  const std::int64_t B = call.count;
  const auto input = [&](std::string name, ElementType type, const ChannelShape& shape, const void* data) {
    if (!data) return;
    layout.inputs.push_back(make_buffer(std::move(name), type, B, shape));
    layout.inputs.back().read = data;
  };
  const auto output = [&](std::string name, ElementType type, const ChannelShape& shape, void* data) {
    if (!data) return;
    layout.outputs.push_back(make_buffer(std::move(name), type, B, shape));
    layout.outputs.back().write = data;
  };
  const auto& latents = channel.description().latents;
  const auto& layouts = channel.latent_layouts();
  input("ids", kU64, {}, call.ids.empty() ? nullptr : call.ids.data());
  input("x", kF32, channel.x_shape(), call.x);
  input("y", kF32, channel.y_shape(), call.y);
  input("cotangent", kF32, channel.y_shape(), call.cotangent);
  for (std::size_t i = 0; i < call.latents.size(); ++i) {
    input("latents/" + latents[i].id, latent_type(latents[i].dtype), layouts[i].shape, call.latents[i]);
  }
  for (std::size_t i = 0; i < call.latents_out.size(); ++i) {
    output("latents/" + latents[i].id, latent_type(latents[i].dtype), layouts[i].shape, call.latents_out[i]);
  }
  output(result_name(call.kind), kF32, result_shape(channel, call.kind), call.result);
  output("loglik", kF64, {}, call.loglik);
  output("sample_status", kI32, {}, sample_status);
  layout.input_bytes = place(layout.inputs, 0);
  const std::uint64_t begin = one_region ? layout.input_bytes : 0;
  layout.output_bytes = place(layout.outputs, begin) - begin;
  return layout;
}

bool same_places(const CallLayout& a, const CallLayout& b) {
  const auto same = [](const CallBuffer& left, const CallBuffer& right) {
    return left.offset == right.offset && left.bytes == right.bytes && left.name == right.name && left.shape == right.shape;
  };
  return std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), b.inputs.end(), same) &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same);
}

nlohmann::json call_header(const BatchCall& call, const CallLayout& layout) {
  return {{"type", call_name(call.kind)},        {"count", call.count},
          {"key", key_text(call.key)},           {"tensors", describe(layout.inputs)},
          {"outputs", describe(layout.outputs)}, {"output_bytes", layout.output_bytes}};
}

OwnedCall slice(const PluginInstance& channel, const BatchCall& call, std::int64_t begin, std::int64_t count) {
  OwnedCall part;
  const auto& latents = channel.description().latents;
  const auto& layouts = channel.latent_layouts();
  const auto latent_row = [&](std::size_t i) {
    return row_bytes(layouts[i].shape, static_cast<std::uint64_t>(latent_bytes(latents[i].dtype)));
  };
  for (std::size_t i = 0; i < call.latents.size(); ++i) part.latents.push_back(advance(call.latents[i], begin, latent_row(i)));
  for (std::size_t i = 0; i < call.latents_out.size(); ++i) part.latents_out.push_back(advance(call.latents_out[i], begin, latent_row(i)));
  const std::size_t x_row = row_bytes(channel.x_shape(), 4), y_row = row_bytes(channel.y_shape(), 4);
  part.call = call;
  part.call.count = count;
  if (!call.ids.empty()) part.call.ids = call.ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  part.call.x = advance(call.x, begin, x_row);
  part.call.y = advance(call.y, begin, y_row);
  part.call.cotangent = advance(call.cotangent, begin, y_row);
  part.call.result = advance(call.result, begin, row_bytes(result_shape(channel, call.kind), 4));
  part.call.loglik = advance(call.loglik, begin, sizeof(double));
  part.call.latents = part.latents;
  part.call.latents_out = part.latents_out;
  return part;
}

OwnedCall read_call(const PluginInstance& channel, const nlohmann::json& header, std::span<const char> inputs, std::span<char> outputs) {
  OwnedCall owned;
  BatchCall& call = owned.call;
  call.kind = kind_of(header);
  call.count = header.at("count").get<std::int64_t>();
  check<ProtocolError>(call.count >= 0, "count = {} is no batch size.", call.count);
  call.key = key_from_text(header.at("key").get<std::string>());
  const auto& latents = channel.description().latents;
  const auto input = [&](const std::string& name, ElementType type, const ChannelShape& shape) {
    return find_buffer(header.at("tensors"), make_buffer(name, type, call.count, shape), inputs);
  };
  const auto output = [&](const std::string& name, ElementType type, const ChannelShape& shape) {
    return const_cast<char*>(find_buffer(header.at("outputs"), make_buffer(name, type, call.count, shape), outputs));
  };
  const char* ids = input("ids", kU64, {});
  if (ids) call.ids = {reinterpret_cast<const std::uint64_t*>(ids), static_cast<std::size_t>(call.count)};
  call.x = reinterpret_cast<const float*>(input("x", kF32, channel.x_shape()));
  call.y = reinterpret_cast<const float*>(input("y", kF32, channel.y_shape()));
  call.cotangent = reinterpret_cast<const float*>(input("cotangent", kF32, channel.y_shape()));
  call.result = reinterpret_cast<float*>(output(result_name(call.kind), kF32, result_shape(channel, call.kind)));
  call.loglik = reinterpret_cast<double*>(output("loglik", kF64, {}));
  owned.sample_status = reinterpret_cast<std::int32_t*>(output("sample_status", kI32, {}));
  const bool draws = call.kind == CallKind::kDrawLatents;
  for (std::size_t i = 0; i < latents.size() && i < channel.latent_layouts().size(); ++i) {
    const std::string name = "latents/" + latents[i].id;
    const ChannelShape& shape = channel.latent_layouts()[i].shape;
    if (draws) owned.latents_out.push_back(output(name, latent_type(latents[i].dtype), shape));
    if (!draws) owned.latents.push_back(input(name, latent_type(latents[i].dtype), shape));
  }
  call.latents = owned.latents;
  call.latents_out = owned.latents_out;
  const bool needs_ids = draws || call.kind == CallKind::kSimulate;
  const bool complete = (!needs_ids || ids) && (draws || call.kind == CallKind::kLift || call.x) &&
                        (call.kind != CallKind::kLift || call.y) && (call.kind != CallKind::kVjp || call.cotangent) &&
                        (call.kind != CallKind::kLoglik || (call.y && call.loglik)) &&
                        (draws || call.kind == CallKind::kLoglik || call.result) && owned.sample_status;
  check<ProtocolError>(complete, "{}: a buffer that this call needs is missing.", call_name(call.kind));
  channel.check_call(call);
  return owned;
}

}  // namespace unchannel
