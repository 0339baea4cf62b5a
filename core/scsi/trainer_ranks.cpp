// What a training of several processes does beside its steps.
#include <ATen/ATen.h>

#include <array>
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

at::Tensor Trainer::transport_share(const ObservationBatch& batch, const Integration& how) {
  const std::int64_t rows = batch.lifted_BD.size(0);
  const auto [begin, end] = share_of(rows, ranks_.rank(), ranks_.size());
  if (begin == end) return at::empty({0, batch.lifted_BD.size(1)}, at::kFloat);  // more ranks than rows
  const auto own = [begin = begin, end = end](const at::Tensor& values) { return values.defined() ? values.slice(0, begin, end) : values; };
  Latents visible = visible_latents(channel_, batch.latents);
  for (auto& [name, values] : visible) values = own(values);
  return model_->transport(teacher(), own(batch.lifted_BD), visible, how, key_.derive(Purpose::kTransportNoise),
                           at::arange(step_ * rows + begin, step_ * rows + end, at::kLong),
                           own(transporters_of(batch.row_numbers(), settings_.model)));
}

at::Tensor Trainer::gathered(const at::Tensor& mine_BD, std::int64_t rows) {
  if (ranks_.alone()) return mine_BD;
  const at::Tensor own_BD = mine_BD.contiguous();
  at::Tensor all_ND = at::empty({rows, own_BD.size(1)}, at::kFloat);
  ranks_.gather_rows({own_BD.const_data_ptr<float>(), static_cast<std::size_t>(own_BD.numel())}, rows,
                     {all_ND.mutable_data_ptr<float>(), static_cast<std::size_t>(all_ND.numel())});
  return all_ND;
}

double Trainer::waiting_fraction() {
  std::array<float, 2> sums = {static_cast<float>(waiting_s_), static_cast<float>(working_s_)};
  ranks_.sum(sums);
  waiting_s_ = working_s_ = 0.0;
  return sums[1] > 0.0F ? sums[0] / sums[1] : 0.0;
}

}  // namespace unchannel
