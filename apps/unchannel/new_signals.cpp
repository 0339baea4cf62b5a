#include "new_signals.hpp"

#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <algorithm>
#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/dataset.hpp>

namespace unchannel {
namespace {

void append_block(DatasetWriter& writer, const at::Tensor& x_BD, std::int64_t first) {
  check<NumericalError>(x_BD.isfinite().all().item<bool>(),
                        "sample: signals {} to {} are not finite; nothing was written. Train the generator further, or with a smaller "
                        "optimiser.learning_rate.",
                        first, first + x_BD.size(0) - 1);
  const at::Tensor rows = x_BD.contiguous();
  writer.append({rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
  std::vector<std::int64_t> ids(static_cast<std::size_t>(x_BD.size(0)));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = first + static_cast<std::int64_t>(i);
  writer.append_object_ids(ids);
}

}  // namespace

void write_new_signals(const std::filesystem::path& output, const std::vector<std::int64_t>& shape, const std::string& origin, std::int64_t count,
                       std::int64_t block, const std::function<at::Tensor(const at::Tensor& ids_B)>& make) {
  DatasetWriter writer(output, DatasetKind::signals, {shape.begin(), shape.end()});
  writer.set_attribute("origin", origin);
  Progress bar("sample", count);
  for (std::int64_t first = 0; first < count; first += block) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {} after {} of {} signals; nothing was written.", signal, first, count), signal);
    }
    const at::Tensor ids_B = at::arange(first, std::min(first + block, count), at::kLong);
    append_block(writer, make(ids_B), first);
    bar.update(first + ids_B.size(0));
  }
  bar.finish();
  writer.close();
}

}  // namespace unchannel
