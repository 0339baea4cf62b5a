#include "tensor_file.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{16} << 20;

struct TypeName {
  at::ScalarType type;
  const char* name;
};
constexpr std::array<TypeName, 5> kTypes = {
    {{at::kFloat, "F32"}, {at::kDouble, "F64"}, {at::kInt, "I32"}, {at::kLong, "I64"}, {at::kByte, "U8"}}};

const char* name_of(at::ScalarType type) {
  for (const TypeName& item : kTypes) {
    if (item.type == type) return item.name;
  }
  throw DataError(fmt::format("tensors of type {} cannot be stored in a checkpoint.", at::toString(type)));
}

at::Tensor read_one(std::ifstream& in, const nlohmann::json& entry, std::uint64_t data_begin, std::uint64_t data_bytes) {
  const std::string type_name = entry.at("dtype").get<std::string>();
  const TypeName* type = nullptr;
  for (const TypeName& item : kTypes) {
    if (type_name == item.name) type = &item;
  }
  check<DataError>(type != nullptr, "unknown type '{}'", type_name);
  const auto shape = entry.at("shape").get<std::vector<std::int64_t>>();
  const auto offsets = entry.at("data_offsets").get<std::array<std::uint64_t, 2>>();
  check<DataError>(offsets[0] <= offsets[1] && offsets[1] <= data_bytes, "data offsets {}–{} lie outside the file", offsets[0], offsets[1]);
  std::uint64_t bytes = at::elementSize(type->type);
  for (const std::int64_t size : shape) {
    check<DataError>(size >= 0 && (size == 0 || bytes <= data_bytes / static_cast<std::uint64_t>(size)), "shape is larger than the file");
    bytes *= static_cast<std::uint64_t>(size);
  }
  check<DataError>(bytes == offsets[1] - offsets[0], "{} bytes are stored where the shape needs {}", offsets[1] - offsets[0], bytes);
  at::Tensor tensor = at::empty(shape, type->type);
  in.seekg(static_cast<std::streamoff>(data_begin + offsets[0]));
  in.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(bytes));
  check<DataError>(in.good(), "the data end early");
  return tensor;
}

}  // namespace

void write_tensor_file(const std::filesystem::path& path, const TensorFile& content) {
  nlohmann::json header = {{"__metadata__", {{"text", content.text}}}};
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    const auto bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
    header[name] = {{"dtype", name_of(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = json_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();

  std::error_code ignored;  // only words depend on it
  const bool is_first = !std::filesystem::exists(path, ignored);
  AtomicFile file(path);
  {
    std::ofstream out(file.path(), std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(&length), sizeof(length));
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const auto& [name, tensor] : content.tensors) {
      const at::Tensor flat = tensor.contiguous();
      out.write(static_cast<const char*>(flat.data_ptr()), static_cast<std::streamsize>(flat.numel() * static_cast<std::int64_t>(flat.element_size())));
    }
    out.flush();
    check<DataError>(out.good(), "{}: could not be written: {}. Free space and {}.", path.string(), std::strerror(errno),
                     is_first ? "start again" : "resume; the previous checkpoint is intact");
  }
  file.commit();
}

TensorFile read_tensor_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  check<DataError>(in.good(), "{}: cannot be opened: {}.", path.string(), std::strerror(errno));
  in.seekg(0, std::ios::end);
  const auto size = static_cast<std::uint64_t>(in.tellg());
  in.seekg(0);
  std::uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof(length));
  check<DataError>(in.good() && length <= kMaxHeaderBytes && length <= size - sizeof(length),
                   "{}: is no checkpoint, or it was cut off: the header does not fit into the file.", path.string());
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  TensorFile content;
  try {
    const nlohmann::json header = nlohmann::json::parse(text);
    const std::uint64_t begin = sizeof(length) + length;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        content.text = entry.value("text", "");
      } else {
        content.tensors.emplace(name, read_one(in, entry, begin, size - begin));
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is no checkpoint: {}.", path.string(), error.what()));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: is damaged: {}. Use an older checkpoint.", path.string(), error.what()));
  }
  return content;
}

}  // namespace unchannel
