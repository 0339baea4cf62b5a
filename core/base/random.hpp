#pragma once

#include <cstdint>
#include <string_view>

namespace unchannel {

/// What a random number is for. Every number is a pure function of (run key, purpose, global index), so neither batch splits
/// nor threads nor a resume can change it. The values are part of the run format: never renumber.
enum class Purpose : std::uint64_t {
  kModelInit = 1,
  kDataOrder = 2,
  kChannelTraining = 3,
  kChannelProbe = 4,
  kChannelEvaluation = 5,
  kInterpolantTime = 6,
  kInterpolantNoise = 7,
  kDropout = 8,
  kTransportNoise = 9,
  kPool = 10,
  kMixture = 11,
  kStart = 12,
  kSplit = 13,
  kMetric = 14,
  kSignalPrior = 15,
  kBaseline = 16,
  kVerification = 17,
};

/// A 64-bit Philox key and the operations that derive others from it; see unchannel/random.h.
class RandomKey {
 public:
  explicit RandomKey(std::uint64_t value) : value_(value) {}
  RandomKey derive(std::uint64_t tag) const;
  RandomKey derive(Purpose purpose) const { return derive(static_cast<std::uint64_t>(purpose)); }
  std::uint64_t value() const noexcept { return value_; }

  /// count standard normals of sample `id`, elements first … first + count.
  void normal(std::uint64_t id, std::uint32_t first, std::uint32_t count, float* out) const;
  /// count uniforms in (0, 1), 24 bits each.
  void uniform(std::uint64_t id, std::uint32_t first, std::uint32_t count, float* out) const;
  /// 64 random bits of (id, element). They share words with normals and uniforms: use a key of their own.
  std::uint64_t bits(std::uint64_t id, std::uint32_t element) const;

 private:
  std::uint64_t value_;
};

}  // namespace unchannel
