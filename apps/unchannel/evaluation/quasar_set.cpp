#include "quasar_set.hpp"

#include <ATen/ATen.h>

#include <unchannel/base/error.hpp>
#include <unchannel/data/prior/quasar_draw.hpp>

namespace unchannel {
namespace {

/// Data files count objects from 0; nobody draws this many.
constexpr std::uint64_t kReferenceFirstIndex = std::uint64_t{1} << 50;

/// One value of a provenance that `unchannel import quasar-prior` wrote, or `otherwise` where it is missing.
template <class T>
T recorded(const nlohmann::json& provenance, const char* key, const T& otherwise) {
  try {
    return provenance.value(key, otherwise);
  } catch (const nlohmann::json::exception&) {
    throw DataError(
        fmt::format("the provenance of the true signals has {} = {}, a type that unchannel import quasar-prior does not write. Import "
                    "the signals again.",
                    key, provenance.at(key).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)));
  }
}

QuasarDrawOptions draw_options(const nlohmann::json& provenance) {
  QuasarDrawOptions options;
  options.key = recorded(provenance, "key", options.key);
  options.first_index = kReferenceFirstIndex;
  options.rest_frame = recorded(provenance, "frame", std::string("observed")) == "rest";
  options.redshift_min = recorded(provenance, "redshift_min", options.redshift_min);
  options.redshift_max = recorded(provenance, "redshift_max", options.redshift_max);
  options.wavelength_min_angstrom = recorded(provenance, "wavelength_min_angstrom", options.wavelength_min_angstrom);
  options.wavelength_max_angstrom = recorded(provenance, "wavelength_max_angstrom", options.wavelength_max_angstrom);
  options.pixels = recorded(provenance, "pixels", options.pixels);
  options.forest = recorded(provenance, "forest", options.forest);
  options.broad_absorption = recorded(provenance, "broad_absorption", options.broad_absorption);
  return options;
}

}  // namespace

QuasarSet quasar_set(const ReportObjects& objects) {
  QuasarSet set;
  set.truth_provenance = objects.truth_provenance;
  set.truth_ND = objects.truth_ND;
  set.observed_ND = objects.batch.raw_BM;
  set.ids_N = objects.ids_N;
  if (objects.axis.is_wavelength) set.wavelength_angstrom = objects.axis.position;
  set.latents = objects.latents;
  set.scalars = objects.scalars;
  return set;
}

std::string reason_against_prior(const nlohmann::json& truth_provenance, const QuasarPrior& prior) {
  if (!truth_provenance.is_object() || recorded(truth_provenance, "made_by", std::string()) != "unchannel import quasar-prior") {
    return "the true signals were not drawn by unchannel import quasar-prior";
  }
  if (recorded(truth_provenance, "prior_sha256", std::string()) != prior.sha256()) {
    return "the true signals were drawn from another version of the prior than " + prior.source();
  }
  return {};
}

std::string reason_against_references(const QuasarSet& set, const QuasarPrior& prior) {
  if (std::string reason = reason_against_prior(set.truth_provenance, prior); !reason.empty()) return reason;
  const QuasarDrawOptions made = draw_options(set.truth_provenance);
  if (made.forest || made.broad_absorption != 0) return "the signals carry absorption, which the prior's Gaussians do not describe";
  if (set.wavelength_angstrom.empty()) return "the wavelengths of the signals are not known";
  for (const std::string& name : set.latents) {
    if (name != "snr" && name != "resolution") {
      return fmt::format("the channel has the latent '{}'; references exist for line spread and white noise only", name);
    }
  }
  if (!set.scalars.contains("snr"))
    return "the observation file holds no /latents/snr with one number an object, so the noise is not known";
  return {};
}

baselines::QuasarReferences exact_references(const QuasarSet& set, const QuasarPrior& prior) {
  const std::string reason = reason_against_references(set, prior);
  check<ConfigError>(reason.empty(), "{}", reason);
  const QuasarDrawOptions made = draw_options(set.truth_provenance);
  baselines::QuasarReferenceInput input;
  input.wavelength_angstrom_D = set.wavelength_angstrom;
  input.rest_frame = made.rest_frame;
  input.redshift_min = made.redshift_min;
  input.redshift_max = made.redshift_max;
  const auto resolution = set.scalars.find("resolution");
  input.lsf_fwhm_ln_lambda = resolution == set.scalars.end() ? 0 : resolution->second.mean().item<double>();
  input.observed_BD = set.observed_ND;
  input.truth_BD = set.truth_ND;
  input.snr_B = set.scalars.at("snr");
  input.object_id_B = set.ids_N;
  return baselines::quasar_references(prior, input);
}

report::SignalLaw quasar_signal_law(const QuasarSet& set, const QuasarPrior& prior, std::int64_t reference_rows) {
  const QuasarDrawOptions options = draw_options(set.truth_provenance);
  const auto draw = [&](std::int64_t first, std::int64_t count) {
    const QuasarDraw block = draw_quasar_prior(prior, options, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count));
    at::Tensor signals = at::empty({count, set.truth_ND.size(1)}, at::kFloat);
    std::copy(block.signals_BD.begin(), block.signals_BD.end(), signals.data_ptr<float>());
    return signals;
  };
  return report::SignalLaw(set.truth_ND, {draw, reference_rows, set.truth_ND.size(0)});
}

}  // namespace unchannel
