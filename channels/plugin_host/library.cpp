#define BOOST_DLL_USE_STD_FS
#include "library.hpp"

#include <link.h>

#include <boost/dll/shared_library.hpp>
#include <deque>
#include <map>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "description.hpp"
#include "process_state.hpp"

namespace unchannel {
namespace {

/// Boost wraps the text of dlerror in its own words; users need the former.
std::string dlerror_text(const std::string& what) {
  static const std::string kBegin = "(dlerror system message: ";
  const auto begin = what.find(kBegin);
  if (begin == std::string::npos) return what;
  const auto end = what.rfind(')');
  return what.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

}  // namespace

const unchannel_module& open_module(const std::filesystem::path& file, const std::function<void(const std::string&)>& before) {
  before("dlopen (its constructors)");
  const ProcessState state = ProcessState::capture();
  // Kept for ever: the destructor would unload code that threads, handlers or thread-local destructors of the plugin may still run.
  auto* handle = new boost::dll::shared_library;        // NOLINT(cppcoreguidelines-owning-memory)
  static std::deque<boost::dll::shared_library*> kept;  // so that leak checkers see it
  static std::mutex kept_mutex;
  {
    const std::lock_guard lock(kept_mutex);
    kept.push_back(handle);
  }
  try {
    handle->load(std::filesystem::absolute(file), boost::dll::load_mode::rtld_now);
  } catch (const std::system_error& error) {
    throw PluginError(fmt::format("cannot be loaded: {}.", dlerror_text(error.what())));
  }
  const std::string changed = state.difference(ProcessState::capture());
  if (!changed.empty()) {
    state.restore();
    throw PluginError(fmt::format("changes the process when it is loaded: {}. A plugin must leave them alone.", changed));
  }
  check<PluginError>(handle->has(UNCHANNEL_ENTRY_SYMBOL),
                     "has no symbol '{}', so it is a shared library but no plugin (export it with extern \"C\" and default visibility).",
                     UNCHANNEL_ENTRY_SYMBOL);
  before(UNCHANNEL_ENTRY_SYMBOL);
  const auto entry =
      reinterpret_cast<unchannel_entry_function>(&handle->get<std::remove_pointer_t<unchannel_entry_function>>(UNCHANNEL_ENTRY_SYMBOL));
  const unchannel_module* module = entry(UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR);
  check<PluginError>(module != nullptr, "its '{}' returns no module.", UNCHANNEL_ENTRY_SYMBOL);
  return *module;
}

Library& Library::load(const std::filesystem::path& file, const std::string& sha256) {
  static std::mutex mutex;
  static std::map<std::string, Library*> loaded;  // by canonical path
  const std::lock_guard lock(mutex);
  const std::string name = std::filesystem::weakly_canonical(file).string();
  const auto found = loaded.find(name);
  if (found != loaded.end()) {
    check<PluginError>(found->second->sha256_ == sha256,
                       "{}: was replaced since it was loaded. Start the program again to use the new one.", name);
    return *found->second;
  }
  try {
    check<PluginError>(sha256_file(file) == sha256, "has changed since it was probed. Install plugins by renaming, never by overwriting.");
    const unchannel_module& module = open_module(file, [](const std::string&) {});
    check_abi_version(module);
    return *(loaded[name] = new Library(file, sha256, &module));  // NOLINT(cppcoreguidelines-owning-memory): for ever, like the code
  } catch (const PluginError& error) {
    throw PluginError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

Library::Library(std::filesystem::path file, std::string sha256, const unchannel_module* module)
    : file_(std::move(file)), sha256_(std::move(sha256)), module_(module), host_({.name = file_.filename().string(), .library = file_}) {}

std::uint32_t Library::channel_index(const std::string& id) const {
  const std::uint32_t count = module_->channel_count();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (read_descriptor(*module_, i).id == id) return i;
  }
  throw PluginError(fmt::format("{}: holds no channel '{}'.", file_.string(), id));
}

void Library::acquire() {
  check<PluginError>(!broken_, "{}: reported MODULE_BROKEN earlier; start the program again.", file_.string());
  const std::lock_guard lock(users_mutex_);
  if (users_ == 0) check_status(module_->init(&host_.abi()), fmt::format("{}: init", file_.string()));
  ++users_;
}

void Library::release() {
  const std::lock_guard lock(users_mutex_);
  if (--users_ == 0 && !broken_) module_->shutdown();
}

std::vector<std::string> mapped_libraries() {
  std::vector<std::string> files;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* user) {
        if (info->dlpi_name && *info->dlpi_name) static_cast<std::vector<std::string>*>(user)->emplace_back(info->dlpi_name);
        return 0;
      },
      &files);
  return files;
}

}  // namespace unchannel
