#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace unchannel {

/// Throws ConfigError when `output`, given with `option`, is one of `inputs` by whatever name: links, "./", an absolute path. Empty paths
/// are passed over. A command calls it before it writes, since a finished output replaces the file of that name.
void refuse_same_file(std::string_view option, const std::filesystem::path& output, const std::vector<std::filesystem::path>& inputs);

}  // namespace unchannel
