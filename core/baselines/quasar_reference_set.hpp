#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/data/prior/quasar_prior.hpp>

#include "quasar_reference.hpp"

// Shape legend: B objects · D pixels
namespace unchannel::baselines {

/// One set of semi-synthetic quasars seen through the spectrograph with the offset off.
struct QuasarReferenceInput {
  std::vector<double> wavelength_angstrom_D{};
  bool rest_frame = false;
  double redshift_min = 2.75, redshift_max = 3.25;
  double lsf_fwhm_ln_lambda = 0;  ///< mean full width at half maximum of the line-spread function
  at::Tensor observed_BD{};
  at::Tensor truth_BD{};            ///< only for σ = mean |H x| / SNR, where `sigma_B` is undefined
  at::Tensor snr_B{};
  at::Tensor sigma_B{};
  at::Tensor object_id_B{};         ///< int64
};

/// The reference rows of the headline table.
struct QuasarReferences {
  at::Tensor linear_BD;      ///< best linear estimator with the clean moments (one map for all noise levels)
  ExactPosterior exact;
  double mmse_bound = 0;     ///< √ mean posterior variance: RMSE of the posterior mean if the line spread were exactly the mean one
};

/// The key of the one exact draw that every run is compared with.
RandomKey reference_key();

/// Throws ConfigError (wavelengths not evenly spaced in ln λ, redshifts outside the prior), ShapeError, DataError.
QuasarReferences quasar_references(const QuasarPrior& prior, const QuasarReferenceInput& input);

}  // namespace unchannel::baselines
