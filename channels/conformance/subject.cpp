#include "subject.hpp"

#include <dlfcn.h>

#include <cstring>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/library.hpp>
#include <unchannel/plugin_host/parameters.hpp>
#include <unchannel/plugin_host/program_plugin.hpp>

#include "program_module.hpp"
#include "step.hpp"

namespace unchannel::conformance {
namespace {

constexpr unsigned char kUntouched = 0xA5;

std::uint32_t find_channel(const unchannel_module& module, const std::string& id) {
  const std::uint32_t count = module.channel_count();
  check<CheckFailed>(count > 0, "the library holds no channel.");
  if (id.empty()) return 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (read_descriptor(module, i).id == id) return i;
  }
  throw CheckFailed(fmt::format("the library holds no channel '{}'.", id));
}

ChannelShape shape_of(std::int32_t ndim, const std::int64_t* extents, const std::string& what) {
  check<CheckFailed>(ndim >= 0 && ndim <= UNCHANNEL_MAX_NDIM, "configure gives {} {} axes.", what, ndim);
  return {extents, extents + ndim};
}

}  // namespace

PluginFile::PluginFile(const std::filesystem::path& file, const std::string& channel) {
  if (is_program_plugin(file)) {
    module_ = &program_module(file, channel);
    return;
  }
  // Never closed: code of the plugin may still run when the process ends.
  set_step("loading (dlopen and constructors)");
  handle_ = ::dlopen(std::filesystem::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle_) {
    const char* text = ::dlerror();
    throw CheckFailed(fmt::format("cannot be loaded: {}.", text ? text : "no reason given"));
  }
  const auto entry = reinterpret_cast<unchannel_entry_function>(::dlsym(handle_, UNCHANNEL_ENTRY_SYMBOL));
  check<CheckFailed>(entry != nullptr, "has no symbol '{}'.", UNCHANNEL_ENTRY_SYMBOL);
  set_step(UNCHANNEL_ENTRY_SYMBOL);
  module_ = entry(UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR);
  set_step(kOurselves);
  check<CheckFailed>(module_ != nullptr, "its '{}' returns no module.", UNCHANNEL_ENTRY_SYMBOL);
  check_abi_version(*module_);
  check<CheckFailed>(module_->init && module_->shutdown && module_->channel_count && module_->channel_descriptor && module_->get_table,
                     "the module table has empty entries.");
}

bool Layout::operator==(const Layout& other) const {
  const auto same = [](const LatentLayout& a, const LatentLayout& b) { return a.active == b.active && a.shape == b.shape; };
  return x_shape == other.x_shape && y_shape == other.y_shape && canonical == other.canonical && workspace_bytes == other.workspace_bytes &&
         workspace_bytes_per_sample == other.workspace_bytes_per_sample &&
         std::equal(latents.begin(), latents.end(), other.latents.begin(), other.latents.end(), same);
}

Instance::Instance(Subject& subject) : subject_(subject) {
  take_plugin_error();
  set_step("create");
  const std::int32_t status = subject.core().create(&subject.host().abi(), &instance_);
  const std::string error = take_plugin_error();
  check<CheckFailed>(status == UNCHANNEL_OK, "create answers {}: {}", status_name(status), error.empty() ? "no reason given." : error);
}

Instance::~Instance() {
  set_step("destroy");
  subject_.core().destroy(instance_);
  set_step(kOurselves);
}

Instance::Configured Instance::configure(const ChannelShape& x_shape, const std::vector<nlohmann::json>& values) {
  Lent& lent = lent_.emplace_back();
  lent.x_shape = x_shape;
  lent.json = values;
  lent.values = to_values(subject_.description().parameters, lent.json);
  return send(lent);
}

Instance::Configured Instance::configure_raw(const ChannelShape& x_shape, const std::vector<unchannel_value>& values) {
  Lent& lent = lent_.emplace_back();
  lent.x_shape = x_shape;
  lent.values = values;
  return send(lent);
}

Instance::Configured Instance::send(Lent& lent) {
  const std::size_t latent_count = subject_.description().latents.size();
  for (const auto& value : lent.values) lent.pointers.push_back(&value);
  std::vector<unchannel_latent_shape> shapes(latent_count);
  std::vector<unchannel_latent_shape*> shape_pointers;
  for (auto& shape : shapes) {
    std::memset(&shape, kUntouched, sizeof shape);
    shape_pointers.push_back(&shape);
  }
  unchannel_configure_args args{};
  args.struct_size = sizeof args;
  args.x_shape = lent.x_shape.data();
  args.x_ndim = static_cast<std::int32_t>(lent.x_shape.size());
  args.value_count = static_cast<std::uint32_t>(lent.values.size());
  args.values = lent.pointers.data();
  unchannel_configure_result result;
  std::memset(&result, kUntouched, sizeof result);
  result.struct_size = sizeof result;
  result.next = nullptr;
  result.latent_shapes = shape_pointers.data();
  result.latent_count = static_cast<std::uint32_t>(latent_count);
  const unchannel_configure_result result_before = result;
  const auto shapes_before = shapes;

  take_plugin_error();
  Configured outcome;
  set_step("configure");
  outcome.status = subject_.core().configure(instance_, &args, &result);
  set_step(kOurselves);
  outcome.error = take_plugin_error();
  if (outcome.status == UNCHANNEL_OK) {
    accept(result, shapes, lent.x_shape);
  } else {
    outcome.touched = std::memcmp(&result, &result_before, sizeof result) != 0 ||
                      (latent_count > 0 && std::memcmp(shapes.data(), shapes_before.data(), latent_count * sizeof shapes[0]) != 0);
  }
  return outcome;
}

void Instance::accept(const unchannel_configure_result& result, const std::vector<unchannel_latent_shape>& shapes,
                      const ChannelShape& x_shape) {
  Layout next;
  next.x_shape = x_shape;
  next.x_size = element_count(x_shape, "x");
  next.y_shape = shape_of(result.y_ndim, result.y_shape, "y");
  next.y_size = element_count(next.y_shape, "y");
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string name = "latent " + subject_.description().latents[i].id;
    LatentLayout latent;
    check<CheckFailed>(shapes[i].active == 0 || shapes[i].active == 1, "configure does not say whether {} is active (it wrote {}).", name,
                       shapes[i].active);
    latent.active = shapes[i].active != 0;
    if (latent.active) latent.shape = shape_of(shapes[i].ndim, shapes[i].extent, name);
    if (latent.active) latent.size = element_count(latent.shape, name);
    next.latents.push_back(std::move(latent));
  }
  check<CheckFailed>(result.canonical != nullptr, "configure returns no canonical configuration.");
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;  // what a plugin that never wrote the field leaves is far above
  check<CheckFailed>(result.workspace_bytes < kMostBytes && result.workspace_bytes_per_sample < kMostBytes,
                     "configure asks for a workspace of {} + {} bytes a sample (did it write both fields?).", result.workspace_bytes,
                     result.workspace_bytes_per_sample);
  next.canonical = result.canonical;
  next.workspace_bytes = result.workspace_bytes;
  next.workspace_bytes_per_sample = result.workspace_bytes_per_sample;
  layout_ = std::move(next);
}

Subject::Subject(CheckRequest request, std::uint32_t threads)
    : request_(std::move(request)), library_(request_.file, request_.channel), host_(request_.file, threads) {
  index_ = find_channel(module(), request_.channel);
  set_step("init");
  check_status(module().init(&host_.abi()), "init");
  description_ = read_descriptor(module(), index_);
  core_ = &core_table(module(), index_);
  const Instance schema(*this);
  description_.parameters = read_parameters(*core_, schema.raw());
  description_.latents = read_latents(*core_, schema.raw());
}

Subject::~Subject() {
  set_step("shutdown");
  module().shutdown();
  set_step(kOurselves);
}

void Subject::restart() {
  set_step("shutdown or init after it");
  module().shutdown();
  take_plugin_error();
  const std::int32_t status = module().init(&host_.abi());
  const std::string error = take_plugin_error();
  check<CheckFailed>(status == UNCHANNEL_OK, "init after shutdown answers {}: {}", status_name(status),
                     error.empty() ? "no reason given." : error);
}

namespace {

std::vector<ChannelShape> shapes_to_try(const CheckRequest& request) {
  return request.x_shape ? std::vector<ChannelShape>{*request.x_shape} : candidate_shapes();
}

}  // namespace

std::vector<nlohmann::json> Subject::values() const {
  try {
    return resolve_parameters(description_.id, description_.parameters, request_.parameters, request_.folder());
  } catch (const ConfigError& error) {
    throw CheckFailed(fmt::format("no configuration to check with: {} Give the values with --config FILE.toml.", error.what()));
  }
}

std::unique_ptr<Instance> Subject::configured_with(const std::vector<nlohmann::json>& values) {
  auto instance = create();
  for (const ChannelShape& shape : shapes_to_try(request_)) {
    const std::int32_t status = instance->configure(shape, values).status;
    if (status == UNCHANNEL_OK) return instance;
    if (status == UNCHANNEL_RETRYABLE) break;  // a server that is not there: the shape is not what it minds
  }
  return nullptr;
}

std::unique_ptr<Instance> Subject::configured() {
  auto instance = create();
  const auto shapes = shapes_to_try(request_);
  std::string first_words;
  for (const ChannelShape& shape : shapes) {
    const Instance::Configured outcome = instance->configure(shape, values());
    if (outcome.status == UNCHANNEL_OK) return instance;
    const std::string words = outcome.error.empty() ? "nothing." : outcome.error;
    if (outcome.status == UNCHANNEL_RETRYABLE) throw CheckUnavailable("configure answers RETRYABLE: " + words);
    if (first_words.empty()) first_words = words;
  }
  throw CheckFailed(
      fmt::format("configure accepts none of the signal shapes tried; of {} it says: {} Give x_shape with --config FILE.toml.",
                  shape_text(shapes.front()), first_words));
}

}  // namespace unchannel::conformance
