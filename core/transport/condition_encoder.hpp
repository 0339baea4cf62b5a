#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

// Shape legend: B batch · P planes · S elements of a plane · C conditions
namespace unchannel {

/// Visible latents as network inputs: those with a value for each place of the signal become planes, the others conditions. Standardised by
/// means and deviations fixed before training, then asinh, so that an outlier cannot saturate the network.
class ConditionEncoder {
 public:
  struct Entry {
    std::string name;
    bool plane = false;     ///< size is a multiple of S
    double mean = 0.0;
    double deviation = 1.0;
    std::int64_t size = 1;  ///< values per sample
  };

  ConditionEncoder() = default;
  ConditionEncoder(std::vector<Entry> entries, std::int64_t plane_size) : entries_(std::move(entries)), plane_size_(plane_size) {}
  /// Fixes mean and deviation from sample values [B, …] of each visible latent. `plane_size` is S: all elements of a signal with one
  /// axis, height times width of an image.
  static ConditionEncoder fit(const std::map<std::string, at::Tensor>& visible, std::int64_t plane_size);

  std::int64_t planes() const;
  std::int64_t conditions() const;
  std::int64_t plane_size() const { return plane_size_; }
  const std::vector<Entry>& entries() const { return entries_; }

  /// Throws ShapeError naming the latent that is missing or has a wrong shape. Undefined tensors where there is nothing.
  at::Tensor planes_BPS(const std::map<std::string, at::Tensor>& latents) const;
  at::Tensor conditions_BC(const std::map<std::string, at::Tensor>& latents) const;

 private:
  at::Tensor encode(const Entry& entry, const std::map<std::string, at::Tensor>& latents) const;
  std::vector<Entry> entries_;
  std::int64_t plane_size_ = 1;
};

}  // namespace unchannel
