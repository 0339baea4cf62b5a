#include "output_file.hpp"

#include "error.hpp"

namespace unchannel {
namespace {

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code error;
  if (std::filesystem::equivalent(a, b, error) && !error) return true;
  // Files that do not exist yet have no identity: their names are compared, with the links of the folders followed.
  const auto name_of = [](const std::filesystem::path& path) {
    std::error_code failed;
    const std::filesystem::path whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
    return failed ? path.lexically_normal() : whole;
  };
  return name_of(a) == name_of(b);
}

}  // namespace

void refuse_same_file(std::string_view option, const std::filesystem::path& output, const std::vector<std::filesystem::path>& inputs) {
  for (const std::filesystem::path& input : inputs) {
    check<ConfigError>(output.empty() || input.empty() || !is_same_file(output, input),
                       "{} {}: is the same file as {}, which would be lost. Choose another name for the output.", option, output.string(),
                       input.string());
  }
}

}  // namespace unchannel
