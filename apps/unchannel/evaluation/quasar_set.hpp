#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <unchannel/baselines/quasar_reference_set.hpp>
#include <unchannel/data/prior/quasar_prior.hpp>
#include <unchannel/report/comparison.hpp>

#include "report_objects.hpp"

// Shape legend: N objects · D pixels
namespace unchannel {

/// Observations with their true signals, and what the files say of both: all that decides whether exact references exist.
struct QuasarSet {
  nlohmann::json truth_provenance;  ///< null where the file has none
  at::Tensor truth_ND, observed_ND, ids_N;
  std::vector<double> wavelength_angstrom;    ///< [D], empty where unknown
  std::vector<std::string> latents;           ///< names of all latents in the observation file
  std::map<std::string, at::Tensor> scalars;  ///< those with one number an object [N]
};

QuasarSet quasar_set(const ReportObjects& objects);

/// Why the true signals are no draw of this prior (another origin, another version of the prior); empty when they are. Throws DataError
/// where the provenance holds a value of the wrong type.
std::string reason_against_prior(const nlohmann::json& truth_provenance, const QuasarPrior& prior);

/// Why there are no exact references of this set; empty where there are: Gaussian signals (no absorption) of this prior, line spread and
/// white noise of known SNR as the only latents. Throws DataError like reason_against_prior.
std::string reason_against_references(const QuasarSet& set, const QuasarPrior& prior);

/// The exact references of the semi-synthetic set. Throws ConfigError with the reason where there are none, DataError.
baselines::QuasarReferences exact_references(const QuasarSet& set, const QuasarPrior& prior);

/// The law of clean signals of this set, from `reference_rows` independent draws that share no object with any data file.
report::SignalLaw quasar_signal_law(const QuasarSet& set, const QuasarPrior& prior, std::int64_t reference_rows);

}  // namespace unchannel
