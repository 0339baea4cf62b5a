#include "quasar_set.hpp"

#include <ATen/ATen.h>

#include <unchannel/base/error.hpp>
#include <unchannel/data/prior/quasar_draw.hpp>

namespace unchannel {
namespace {

/// Data files count objects from 0; nobody draws this many.
constexpr std::uint64_t kReferenceFirstIndex = std::uint64_t{1} << 50;

QuasarDrawOptions draw_options(const nlohmann::json& provenance) {
  QuasarDrawOptions options;
  options.key = provenance.value("key", options.key);
  options.first_index = kReferenceFirstIndex;
  options.rest_frame = provenance.value("frame", std::string("observed")) == "rest";
  options.redshift_min = provenance.value("redshift_min", options.redshift_min);
  options.redshift_max = provenance.value("redshift_max", options.redshift_max);
  options.wavelength_min_angstrom = provenance.value("wavelength_min_angstrom", options.wavelength_min_angstrom);
  options.wavelength_max_angstrom = provenance.value("wavelength_max_angstrom", options.wavelength_max_angstrom);
  options.pixels = provenance.value("pixels", options.pixels);
  options.forest = provenance.value("forest", options.forest);
  options.broad_absorption = provenance.value("broad_absorption", options.broad_absorption);
  return options;
}

}  // namespace

std::string reason_against_prior(const ReportObjects& objects, const QuasarPrior& prior) {
  const nlohmann::json& made = objects.truth_provenance;
  if (!made.is_object() || made.value("made_by", std::string()) != "unchannel import quasar-prior") {
    return "the true signals were not drawn by unchannel import quasar-prior";
  }
  if (made.value("prior_sha256", std::string()) != prior.sha256()) return "the true signals were drawn from another version of the prior than " + prior.source();
  return {};
}

baselines::QuasarReferences exact_references(const ReportObjects& objects, const QuasarPrior& prior) {
  const std::string reason = reason_against_prior(objects, prior);
  check<ConfigError>(reason.empty(), "{}", reason);
  const QuasarDrawOptions made = draw_options(objects.truth_provenance);
  check<ConfigError>(!made.forest && made.broad_absorption == 0, "the signals carry absorption, which the prior's Gaussians do not describe");
  for (const auto& [name, values] : objects.scalars) {
    check<ConfigError>(name == "snr" || name == "resolution", "the channel has the latent '{}'; references exist for line spread and white noise only",
                       name);
  }
  check<ConfigError>(objects.scalars.contains("snr"), "the observation file holds no /latents/snr, so the noise of each object is not known");
  baselines::QuasarReferenceInput input;
  input.wavelength_angstrom_D = objects.axis.position;
  input.rest_frame = made.rest_frame;
  input.redshift_min = made.redshift_min;
  input.redshift_max = made.redshift_max;
  const auto resolution = objects.scalars.find("resolution");
  input.lsf_fwhm_ln_lambda = resolution == objects.scalars.end() ? 0 : resolution->second.mean().item<double>();
  input.observed_BD = objects.batch.raw_BM;
  input.truth_BD = objects.truth_ND;
  input.snr_B = objects.scalars.at("snr");
  input.object_id_B = objects.ids_N;
  return baselines::quasar_references(prior, input);
}

report::SignalLaw quasar_signal_law(const ReportObjects& objects, const QuasarPrior& prior, std::int64_t reference_rows) {
  const QuasarDrawOptions options = draw_options(objects.truth_provenance);
  const auto draw = [&](std::int64_t first, std::int64_t count) {
    const QuasarDraw block = draw_quasar_prior(prior, options, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(count));
    at::Tensor signals = at::empty({count, objects.truth_ND.size(1)}, at::kFloat);
    std::copy(block.signals_BD.begin(), block.signals_BD.end(), signals.data_ptr<float>());
    return signals;
  };
  return report::SignalLaw(objects.truth_ND, draw, reference_rows);
}

}  // namespace unchannel
