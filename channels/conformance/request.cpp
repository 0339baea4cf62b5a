#include "request.hpp"

#include <fmt/ranges.h>

#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>

namespace unchannel::conformance {
namespace {

constexpr std::int64_t kLongestAxis = std::int64_t{1} << 24;

}  // namespace

std::filesystem::path CheckRequest::folder() const { return config.has_parent_path() ? config.parent_path() : std::filesystem::path("."); }

void read_check_config(CheckRequest& request) {
  if (request.config.empty()) return;
  std::string id;
  std::vector<std::int64_t> shape;
  nlohmann::json latents;
  Config::read(request.config).fill([&](SettingsVisitor& v) {
    v.integers({"x_shape", "shape of one signal; absent: shapes are tried"}, shape, 1, kLongestAxis);
    v.section({"channel", "the channel to check"}, [&](SettingsVisitor& channel) {
      channel.text({"id", "id of the channel"}, id);
      channel.free_table({"parameters", "values of its parameters"}, request.parameters);
      channel.free_table({"latents", "sources of latents; not used by the checker"}, latents);
    });
  });
  if (request.channel.empty()) request.channel = id;
  if (!shape.empty()) request.x_shape = shape;
}

const std::vector<ChannelShape>& candidate_shapes() {
  static const std::vector<ChannelShape> kShapes = {{64}, {32, 32}, {3, 32, 32}, {1, 32, 32}, {16, 16, 16}, {32, 32, 2}, {1024}, {1}, {}};
  return kShapes;
}

std::string shape_text(const ChannelShape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace unchannel::conformance
