// What a training of several processes does beside its steps.
#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <limits>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/distributed/agreement.hpp>

#include "trainer.hpp"

namespace unchannel {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

/// Of the weights' bits.
std::string digest_of(const Network& network) {
  std::string digests;
  for (const auto& [name, tensor] : network.parameters()) {
    const at::Tensor values = tensor.detach().cpu().contiguous();
    digests += sha256_text({static_cast<const char*>(values.const_data_ptr()), static_cast<std::size_t>(values.nbytes())});
  }
  return sha256_text(digests);
}

}  // namespace

void Trainer::share_checkpoint() {
  if (ranks_.alone()) return;
  std::string bytes;
  together(ranks_, [&] {
    if (ranks_.first()) bytes = read_file(folder_.checkpoint_path(), kNoLimit);
  });
  ranks_.broadcast(bytes);
  together(ranks_, [&] {
    if (!ranks_.first()) write_file_atomically(folder_.checkpoint_path(), bytes);
  });
}

void Trainer::save_checkpoint() {
  if (!ranks_.alone()) check_same_weights(ranks_, digest_of(*student_));
  together(ranks_, [&] {
    if (ranks_.first()) write_checkpoint();
  });
}

std::pair<std::int64_t, std::int64_t> Trainer::refresh_share(std::int64_t rows) const {
  if (rows < ranks_.size()) return {0, rows};  // too few to share: every rank does all
  return share_of(rows, ranks_.rank(), ranks_.size());
}

at::Tensor Trainer::gathered(const at::Tensor& mine, std::int64_t rows) const {
  const at::Tensor own = mine.contiguous();
  std::vector<std::int64_t> shape = own.sizes().vec();
  shape[0] = rows;
  at::Tensor all = at::empty(shape, own.options());
  ranks_.gather_rows({static_cast<const std::byte*>(own.const_data_ptr()), own.nbytes()}, rows, {static_cast<std::byte*>(all.mutable_data_ptr()), all.nbytes()});
  return all;
}

ObservationBatch Trainer::gathered(const ObservationBatch& mine, std::int64_t rows) const {
  ObservationBatch all;
  const at::Tensor numbers = gathered(mine.row_numbers(), rows);
  all.rows.assign(numbers.const_data_ptr<std::int64_t>(), numbers.const_data_ptr<std::int64_t>() + rows);
  all.lifted_BD = gathered(mine.lifted_BD, rows);
  for (const auto& [name, values] : mine.latents) all.latents.emplace(name, gathered(values, rows));
  all.weight_B = gathered(mine.weight_B.defined() ? mine.weight_B : at::ones({mine.lifted_BD.size(0)}), rows);
  return all;
}

double Trainer::waiting_fraction() {
  std::array<float, 2> sums = {static_cast<float>(waiting_s_), static_cast<float>(working_s_)};
  ranks_.sum(sums);
  waiting_s_ = working_s_ = 0.0;
  return sums[1] > 0.0F ? sums[0] / sums[1] : 0.0;
}

}  // namespace unchannel
