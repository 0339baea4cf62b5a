// What the file is and what loading it does: elf-exports, elf-needed, load-now-local, scan-cost.
#include <dlfcn.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <unchannel/plugin_host/library.hpp>

#include "checks.hpp"
#include "dynamic_symbols.hpp"
#include "process_usage.hpp"
#include "subject.hpp"

namespace unchannel::conformance {
namespace {

struct Foreign {
  const char* begins;
  const char* what;
};
/// Libraries of which the host process has its own: a second one shares global state or symbols with it.
constexpr std::array kForeign = {
    Foreign{"libgomp", "OpenMP"},    Foreign{"libiomp5", "OpenMP"}, Foreign{"libomp", "OpenMP"},
    Foreign{"libblas", "BLAS"},      Foreign{"libcblas", "BLAS"},   Foreign{"libopenblas", "BLAS"},
    Foreign{"libmkl_", "BLAS"},      Foreign{"liblapack", "BLAS"},  Foreign{"libatlas", "BLAS"},
    Foreign{"libflexiblas", "BLAS"}, Foreign{"libblis", "BLAS"},    Foreign{"libcudart", "the CUDA runtime"},
    Foreign{"libtorch", "torch"},    Foreign{"libc10", "torch"},    Foreign{"libtbb", "a thread pool of its own"},
    Foreign{"libpython", "Python"},
};

const char* foreign(const std::string& file) {
  const std::string name = std::filesystem::path(file).filename().string();
  for (const Foreign& item : kForeign) {
    if (name.starts_with(item.begins)) return item.what;
  }
  return nullptr;
}

/// Names that old linkers export from every library without a version script.
bool is_linker_symbol(const std::string& name) {
  static constexpr std::array kLinker = {"_init", "_fini", "_edata", "_end", "__bss_start"};
  return std::find(kLinker.begin(), kLinker.end(), name) != kLinker.end();
}

}  // namespace

void check_elf_exports(const CheckRequest& request, nlohmann::json& detail) {
  const DynamicSymbols symbols = read_dynamic_symbols(request.file);
  std::string extra;
  int count = 0;
  bool entry = false;
  for (const std::string& name : symbols.exported) {
    entry = entry || name == UNCHANNEL_ENTRY_SYMBOL;
    if (name == UNCHANNEL_ENTRY_SYMBOL || is_linker_symbol(name)) continue;
    if (++count <= 3) extra += (extra.empty() ? "" : ", ") + name;
  }
  detail["exported"] = symbols.exported.size();
  check<CheckFailed>(entry, "exports no '{}'.", UNCHANNEL_ENTRY_SYMBOL);
  check<CheckFailed>(count == 0, "exports {} other symbol{}: {}{}.", count, count == 1 ? "" : "s", extra, count > 3 ? ", …" : "");
}

void check_elf_needed(const CheckRequest& request, nlohmann::json& detail) {
  const DynamicSymbols symbols = read_dynamic_symbols(request.file);
  detail["needed"] = symbols.needed;
  for (const std::string& name : symbols.needed) {
    check<CheckFailed>(foreign(name) == nullptr, "needs {}, which is {}; the host process has its own.", name, foreign(name));
  }
  // And what those need in turn. A library that cannot be loaded is the next check's business.
  const std::vector<std::string> before = mapped_libraries();
  if (!::dlopen(std::filesystem::absolute(request.file).c_str(), RTLD_NOW | RTLD_LOCAL)) return;
  for (const std::string& name : mapped_libraries()) {
    if (std::find(before.begin(), before.end(), name) != before.end()) continue;
    check<CheckFailed>(foreign(name) == nullptr, "pulls in {} through another library, which is {}; the host process has its own.", name,
                       foreign(name));
  }
}

void check_load_now_local(const CheckRequest& request, nlohmann::json&) {
  const PluginFile library(request.file);
  check<CheckFailed>(::dlsym(RTLD_DEFAULT, UNCHANNEL_ENTRY_SYMBOL) == nullptr,
                     "its '{}' becomes visible to other libraries although it is loaded privately (linked with -z global?).",
                     UNCHANNEL_ENTRY_SYMBOL);
  const PluginFile again(request.file);
  check<CheckFailed>(&again.module() == &library.module(), "'{}' gives another module the second time.", UNCHANNEL_ENTRY_SYMBOL);
}

void check_scan_cost(const CheckRequest& request, nlohmann::json& detail) {
  constexpr double kMostCpu_s = 0.5;
  constexpr std::int64_t kMostBytes = std::int64_t{128} << 20;
  const ProcessUsage before = ProcessUsage::now();
  const PluginFile library(request.file);
  const std::uint32_t channels = library.module().channel_count();
  for (std::uint32_t i = 0; i < channels; ++i) {
    library.module().channel_descriptor(i);
    library.module().get_table(i, UNCHANNEL_CORE_1);
  }
  const ProcessUsage described = ProcessUsage::now();
  CheckHost host(request.file);
  describe_module(library.module(), host.abi(), [](const std::string&) {});
  const ProcessUsage after = ProcessUsage::now();
  detail["cpu_s"] = after.cpu_s - before.cpu_s;
  detail["memory_bytes"] = after.resident_bytes - before.resident_bytes;
  check<CheckFailed>(described.threads == before.threads, "{} threads run after loading and asking for the descriptor; {} before.",
                     described.threads, before.threads);
  check<CheckFailed>(after.threads == described.threads, "{} threads run after init, create, destroy and shutdown; {} before.",
                     after.threads, described.threads);
  check<CheckFailed>(after.open_files == before.open_files, "{} files are open after the scan; {} before.", after.open_files,
                     before.open_files);
  check<CheckFailed>(after.cpu_s - before.cpu_s <= kMostCpu_s, "the scan takes {:.2f} s of CPU time; at most {} s are allowed.",
                     after.cpu_s - before.cpu_s, kMostCpu_s);
  check<CheckFailed>(after.resident_bytes - before.resident_bytes <= kMostBytes, "the scan takes {} MB of memory; at most {} are allowed.",
                     (after.resident_bytes - before.resident_bytes) >> 20, kMostBytes >> 20);
}

}  // namespace unchannel::conformance
