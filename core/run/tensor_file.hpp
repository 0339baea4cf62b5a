#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

namespace unchannel {

/// Named tensors and one text, as a checkpoint holds them.
struct TensorFile {
  std::map<std::string, at::Tensor> tensors;
  std::string text;
};

/// Writes the file atomically in the public safetensors layout: 8 bytes header length, JSON header, raw little-endian data; the
/// text is the header's `__metadata__.text`. Types: float32, float64, int32, int64, uint8. Throws DataError (disk full…).
void write_tensor_file(const std::filesystem::path& path, const TensorFile& content);

/// Reads such a file. Header, types, shapes and offsets are checked against the file's size before memory is taken.
/// Throws DataError naming the file and what is wrong.
TensorFile read_tensor_file(const std::filesystem::path& path);

}  // namespace unchannel
