#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <unchannel/baselines/quasar_reference_set.hpp>
#include <unchannel/data/prior/quasar_prior.hpp>
#include <unchannel/report/comparison.hpp>

#include "report_objects.hpp"

namespace unchannel {

/// Why the signals of `objects` are no draw of this prior (another origin, another version of the prior); empty when they are.
std::string reason_against_prior(const ReportObjects& objects, const QuasarPrior& prior);

/// The exact references of the semi-synthetic set, where they exist: Gaussian signals (no absorption), line spread and white noise of
/// known SNR as the only latents. Throws ConfigError with the reason otherwise.
baselines::QuasarReferences exact_references(const ReportObjects& objects, const QuasarPrior& prior);

/// The law of clean signals of this set, from `reference_rows` independent draws that share no object with any data file.
report::SignalLaw quasar_signal_law(const ReportObjects& objects, const QuasarPrior& prior, std::int64_t reference_rows);

}  // namespace unchannel
