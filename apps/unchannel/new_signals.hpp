#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

// Shape legend: B rows of a block · D signal dimensions flattened
namespace unchannel {

/// Writes `count` new signals to `output`, their numbers as object ids, in blocks: what `make` returns for the numbers ids_B, [B, D]. Throws
/// InterruptedError on a stop signal and NumericalError for signals that are not finite; there is no file then.
void write_new_signals(const std::filesystem::path& output, const std::vector<std::int64_t>& shape, const std::string& origin, std::int64_t count,
                       std::int64_t block, const std::function<at::Tensor(const at::Tensor& ids_B)>& make);

}  // namespace unchannel
