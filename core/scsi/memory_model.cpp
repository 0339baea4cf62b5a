#include "memory_model.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <vector>

namespace unchannel {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kLeastBufferMib = 16;
/// For what the model does not see: plugins, scratch pads, fragments. OOM is worse than a batch that could have been larger.
constexpr double kUsableShare = 0.75;
constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// A number in a file of the kernel; kUnlimited where there is none ("max", no such file).
std::int64_t number_in(const char* path) {
  std::ifstream in(path);
  std::int64_t value = 0;
  return in >> value ? value : kUnlimited;
}

/// The value in kiB behind `name` in a file like /proc/meminfo, in bytes.
std::int64_t proc_entry(const char* path, const std::string& name) {
  std::ifstream in(path);
  for (std::string word; in >> word;) {
    std::int64_t value = 0;
    if (word == name && in >> value) return value * 1024;
  }
  return kUnlimited;
}

std::int64_t left_of_address_space() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kUnlimited;
  const std::int64_t used = proc_entry("/proc/self/status", "VmSize:");
  return used == kUnlimited ? kUnlimited : std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - used);
}

std::int64_t left_of_control_group() {
  const std::int64_t limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  return limit == kUnlimited || used == kUnlimited ? kUnlimited : std::max<std::int64_t>(0, limit - used);
}

}  // namespace

bool is_out_of_memory(const std::string& what) {
  for (const char* sign : {"can't allocate memory", "out of memory", "bad_alloc", "could not create a memory object"}) {
    if (what.find(sign) != std::string::npos) return true;
  }
  return false;
}

std::int64_t MemoryModel::buffer_bytes(const TrainingSizes& sizes) const { return std::min(sizes.buffer_mib * kMebibyte, file_bytes); }

std::int64_t MemoryModel::total_bytes(const TrainingSizes& sizes) const {
  return fixed_bytes + sizes.pool * pool_row_bytes + buffer_bytes(sizes) +
         std::max(sizes.batch * step_signal_bytes, sizes.transport_batch * transport_row_bytes);
}

TrainingSizes MemoryModel::fitting(TrainingSizes wanted, std::int64_t available_bytes) const {
  const auto usable = static_cast<std::int64_t>(kUsableShare * static_cast<double>(available_bytes));
  while (total_bytes(wanted) > usable) {
    const std::int64_t step = wanted.batch * step_signal_bytes, transport = wanted.transport_batch * transport_row_bytes;
    struct Part {
      std::int64_t bytes, *size, least;
    };
    std::vector<Part> parts = {{std::max(step, transport), step >= transport ? &wanted.batch : &wanted.transport_batch, 1},
                               {buffer_bytes(wanted), &wanted.buffer_mib, kLeastBufferMib},
                               {wanted.pool * pool_row_bytes, &wanted.pool, 1}};
    std::erase_if(parts, [](const Part& part) { return *part.size / 2 < part.least; });
    if (parts.empty()) return {};
    const Part& largest = *std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.bytes < b.bytes; });
    *largest.size /= 2;
  }
  return wanted;
}

TrainingSizes sizes_of(const TrainSettings& settings) {
  const ScsiSettings& scsi = settings.scsi;
  const DataSettings& data = settings.data;
  std::int64_t rows = std::max(scsi.refresh_rows, data.early_stop_rows / 2);
  if (settings.start.kind == "linear" || settings.start.kind == "run") rows = std::max(rows, scsi.pool);
  if (!data.monitor_observations.empty()) rows = std::max(rows, data.monitor_rows);
  return {scsi.batch, scsi.pool, std::min(rows, settings.transport.batch), data.buffer_mib};
}

std::int64_t available_memory_bytes() {
  return std::min({proc_entry("/proc/meminfo", "MemAvailable:"), left_of_address_space(), left_of_control_group()});
}

std::string format_bytes(std::int64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / static_cast<double>(kMebibyte);
  return mebibytes < 1024 ? fmt::format("{:.3g} MiB", mebibytes) : fmt::format("{:.3g} GiB", mebibytes / 1024);
}

std::string out_of_memory_message(const MemoryModel& model, const TrainingSizes& wanted, std::int64_t available_bytes) {
  const std::string needs = fmt::format(
      "out of memory: about {} can be had, and this training needs about {}: {} for weights, gradients and moments, {} for a pool of {}, {} for "
      "data.buffer_mib = {}, {} for a step of scsi.batch = {} or a transport of transport.batch = {}.",
      format_bytes(available_bytes), format_bytes(model.total_bytes(wanted)), format_bytes(model.network_bytes),
      format_bytes(wanted.pool * model.pool_row_bytes), wanted.pool, format_bytes(model.buffer_bytes(wanted)), wanted.buffer_mib,
      format_bytes(std::max(wanted.batch * model.step_signal_bytes, wanted.transport_batch * model.transport_row_bytes)), wanted.batch,
      wanted.transport_batch);
  TrainingSizes fit = model.fitting(wanted, available_bytes);
  if (fit == TrainingSizes{}) return needs + " Not even a batch of 1 fits; make the network smaller or find more memory.";
  // The model sees less than there is: what did not fit does not fit.
  if (fit == wanted) fit.batch = std::max<std::int64_t>(1, fit.batch / 2);
  std::string remedy = fmt::format(" This would fit: scsi.batch = {}, scsi.pool = {}", fit.batch, fit.pool);
  if (fit.transport_batch != wanted.transport_batch) remedy += fmt::format(", transport.batch = {}", fit.transport_batch);
  if (fit.buffer_mib != wanted.buffer_mib) remedy += fmt::format(", data.buffer_mib = {}", fit.buffer_mib);
  return needs + remedy + ".";
}

}  // namespace unchannel
