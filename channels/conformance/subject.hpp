#pragma once

#include <unchannel/channel.h>

#include <deque>
#include <memory>
#include <string>
#include <unchannel/plugin_host/description.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>
#include <vector>

#include "check_host.hpp"
#include "request.hpp"
#include "verdict.hpp"

namespace unchannel::conformance {

/// The library as every check loads it: plain dlopen, nothing put right afterwards, so that what a plugin does to the process is seen. A
/// program plugin stands behind program_module instead and has no handle.
class PluginFile {
 public:
  /// Throws CheckFailed with the reason (text of dlerror, no entry, other interface version).
  explicit PluginFile(const std::filesystem::path& file) : PluginFile(file, "") {}
  /// `channel`: the one that a program plugin is asked for.
  PluginFile(const std::filesystem::path& file, const std::string& channel);
  const unchannel_module& module() const noexcept { return *module_; }
  void* handle() const noexcept { return handle_; }

 private:
  void* handle_ = nullptr;
  const unchannel_module* module_ = nullptr;
};

/// What configure settled.
struct Layout {
  ChannelShape x_shape, y_shape;
  std::int64_t x_size = 0, y_size = 0;
  std::vector<LatentLayout> latents;
  std::uint64_t workspace_bytes = 0, workspace_bytes_per_sample = 0;
  std::string canonical;
  bool operator==(const Layout& other) const;
};

class Subject;

/// An instance, spoken to through the C tables alone. What configure was lent stays alive as long as the instance: whether the plugin keeps
/// pointers is the business of the check no-retain.
class Instance {
 public:
  explicit Instance(Subject& subject);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance();

  struct Configured {
    std::int32_t status = 0;
    std::string error;
    bool touched = false;  ///< refused, and still wrote into the result
  };
  /// `values`: one JSON value for each parameter. When it answers OK the result is checked (CheckFailed) and layout() is the new one.
  Configured configure(const ChannelShape& x_shape, const std::vector<nlohmann::json>& values);
  /// The same with the values as they are, right or wrong.
  Configured configure_raw(const ChannelShape& x_shape, const std::vector<unchannel_value>& values);

  Subject& subject() const noexcept { return subject_; }
  void* raw() const noexcept { return instance_; }
  const Layout& layout() const noexcept { return layout_; }
  template <class Table>
  const Table* extension(const char* id) const;

 private:
  struct Lent {
    ChannelShape x_shape;
    std::vector<nlohmann::json> json;
    std::vector<unchannel_value> values;
    std::vector<const unchannel_value*> pointers;
  };
  Configured send(Lent& lent);
  void accept(const unchannel_configure_result& result, const std::vector<unchannel_latent_shape>& shapes, const ChannelShape& x_shape);

  Subject& subject_;
  void* instance_ = nullptr;
  Layout layout_;
  std::deque<Lent> lent_;
};

/// One channel of the file under examination, initialised.
class Subject {
 public:
  /// Throws CheckFailed when the library cannot be loaded, has no such channel or fails to start.
  explicit Subject(CheckRequest request, std::uint32_t threads = 1);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject();

  const CheckRequest& request() const noexcept { return request_; }
  const unchannel_module& module() const noexcept { return library_.module(); }
  const unchannel_core_1& core() const noexcept { return *core_; }
  std::uint32_t index() const noexcept { return index_; }
  const ChannelDescription& description() const noexcept { return description_; }
  CheckHost& host() noexcept { return host_; }

  /// Values of all parameters: those of the request, the rest by default. Throws CheckFailed when a required one is missing.
  std::vector<nlohmann::json> values() const;
  std::unique_ptr<Instance> create() { return std::make_unique<Instance>(*this); }
  /// An instance under the request's configuration. Throws CheckFailed when no shape is accepted.
  std::unique_ptr<Instance> configured();
  /// The same with other values; nullptr when configure refuses them.
  std::unique_ptr<Instance> configured_with(const std::vector<nlohmann::json>& values);

  /// shutdown and init again. No instance may be alive.
  void restart();

 private:
  CheckRequest request_;
  PluginFile library_;
  CheckHost host_;
  std::uint32_t index_ = 0;
  const unchannel_core_1* core_ = nullptr;
  ChannelDescription description_;
};

template <class Table>
const Table* Instance::extension(const char* id) const {
  return static_cast<const Table*>(subject_.core().get_extension(instance_, id));
}

}  // namespace unchannel::conformance
