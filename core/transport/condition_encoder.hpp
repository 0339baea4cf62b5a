#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

// Shape legend: B batch · P planes · D data dimension · C conditions
namespace unchannel {

/// Visible latents as network inputs: those of the signal's shape become planes, small ones become conditions. Standardised by
/// means and deviations fixed before training, then asinh, so that an outlier cannot saturate the network.
class ConditionEncoder {
 public:
  struct Entry {
    std::string name;
    bool plane = false;
    double mean = 0.0;
    double deviation = 1.0;
    std::int64_t size = 1;  ///< values per sample
  };

  ConditionEncoder() = default;
  explicit ConditionEncoder(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  /// Fixes mean and deviation from sample values [B, …] of each visible latent; `dimension` is D.
  static ConditionEncoder fit(const std::map<std::string, at::Tensor>& visible, std::int64_t dimension);

  std::int64_t planes() const;
  std::int64_t conditions() const;
  const std::vector<Entry>& entries() const { return entries_; }

  /// Throws ShapeError naming the latent that is missing or has a wrong shape. Undefined tensors where there is nothing.
  at::Tensor planes_BPD(const std::map<std::string, at::Tensor>& latents) const;
  at::Tensor conditions_BC(const std::map<std::string, at::Tensor>& latents) const;

 private:
  at::Tensor encode(const Entry& entry, const std::map<std::string, at::Tensor>& latents) const;
  std::vector<Entry> entries_;
};

}  // namespace unchannel
