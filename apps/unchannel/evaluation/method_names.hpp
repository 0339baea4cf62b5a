#pragma once

#include <array>
#include <string_view>

/// The rows of the comparison table; figures look methods up by these names.
namespace unchannel::method_names {

inline constexpr const char* kObserved = "observed";
inline constexpr const char* kStart = "start alone";
inline constexpr const char* kFactorAnalysis = "linear-Gaussian";
inline constexpr const char* kTikhonov = "Tikhonov, tuned on truth";
inline constexpr const char* kOracle = "SI oracle";
inline constexpr const char* kScsi = "SCSI";
inline constexpr const char* kBestLinear = "best linear estimator";
inline constexpr const char* kPosteriorMean = "exact posterior mean";
inline constexpr const char* kPosteriorDraw = "one exact posterior draw";

inline constexpr std::array<std::string_view, 9> kAll = {kObserved, kStart,      kFactorAnalysis, kTikhonov,     kOracle,
                                                         kScsi,     kBestLinear, kPosteriorMean,  kPosteriorDraw};

}  // namespace unchannel::method_names
