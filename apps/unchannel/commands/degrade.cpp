#include <ATen/ATen.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/scsi/observations.hpp>

#include "../run_config.hpp"
#include "commands.hpp"

// Shape legend: B spectra chosen · D pixels
namespace unchannel {
namespace {

struct DegradeArguments {
  std::string config, input, output, reference;
  std::vector<std::string> overrides, plugin_folders;
  std::uint64_t key = 0;
  double noise_factor = 3.0, least_snr = 8.0;
};

struct Spectra {
  at::Tensor flux_BD, ivar_BD, mask_BD;  ///< mask: 1 bad or missing
};

std::vector<std::uint64_t> rows_above(const DatasetReader& reader, double least_snr) {
  const auto snr = reader.numeric_column("snr");
  check<DataError>(snr.has_value() && reader.has_ivar() && reader.has_mask(),
                   "{}: degrade needs the columns snr, ivar and mask that unchannel import sdss writes.", reader.path().string());
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = 0; row < reader.rows(); ++row) {
    if ((*snr)[row] >= least_snr) rows.push_back(row);
  }
  check<DataError>(!rows.empty(), "{}: no spectrum has a signal-to-noise ratio of {} or more; lower --least-snr.", reader.path().string(),
                   least_snr);
  return rows;
}

/// A channel with another noise would not make what the written inverse variance says.
void check_noise_comes_from_ivar(const Channel& channel, const std::string& config) {
  for (const char* name : {"ivar", "mask"}) {
    const auto& latents = channel.latents();
    const bool declared = std::any_of(latents.begin(), latents.end(), [&](const LatentSpec& spec) { return spec.name == name; });
    check<ConfigError>(declared,
                       "{}: channel {} has no latent '{}' with these parameters, so its noise does not follow the spectra's own; set "
                       "channel.parameters.noise = \"ivar\".",
                       config, channel.id(), name);
  }
}

Spectra read_spectra(const DatasetReader& reader, const std::vector<std::uint64_t>& rows) {
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(reader.dim())};
  Spectra spectra{at::empty(shape), at::empty(shape), at::empty(shape, at::kByte)};
  const auto size = static_cast<std::size_t>(spectra.flux_BD.numel());
  reader.read_rows(rows, {spectra.flux_BD.mutable_data_ptr<float>(), size});
  reader.read_ivar(rows, {spectra.ivar_BD.mutable_data_ptr<float>(), size});
  reader.read_mask(rows, {spectra.mask_BD.mutable_data_ptr<std::uint8_t>(), size});
  return spectra;
}

/// Bad pixels replaced along straight lines between their good neighbours: the line spread must not smear what they hold.
at::Tensor bridged(const Spectra& spectra) {
  at::Tensor flux_BD = spectra.flux_BD.clone();
  for (std::int64_t b = 0; b < flux_BD.size(0); ++b) {
    float* flux = flux_BD[b].mutable_data_ptr<float>();
    const std::uint8_t* bad = spectra.mask_BD[b].const_data_ptr<std::uint8_t>();
    const std::int64_t pixels = flux_BD.size(1);
    std::int64_t last = -1;
    for (std::int64_t i = 0; i <= pixels; ++i) {
      if (i < pixels && bad[i] != 0) continue;
      for (std::int64_t j = last + 1; j < i; ++j) {
        if (last < 0 && i == pixels) break;  // nothing good in this spectrum
        const float left = last < 0 ? flux[i] : flux[last], right = i == pixels ? flux[last] : flux[i];
        const float share = last < 0 || i == pixels ? 0.0F : static_cast<float>(j - last) / static_cast<float>(i - last);
        flux[j] = left + share * (right - left);
      }
      last = i;
    }
  }
  return flux_BD;
}

/// All but close(): the two outputs appear together or, as far as the disk allows, not at all.
void write_spectra(DatasetWriter& writer, const DatasetReader& source, std::span<const std::uint64_t> rows, const at::Tensor& flux_BD,
                   const at::Tensor& ivar_BD, const at::Tensor& mask_BD, const nlohmann::json& provenance) {
  const auto size = static_cast<std::size_t>(flux_BD.numel());
  const at::Tensor flux = flux_BD.contiguous(), ivar = ivar_BD.contiguous(), mask = mask_BD.contiguous(), latent = mask.to(at::kFloat);
  writer.append({flux.const_data_ptr<float>(), size});
  writer.append_ivar({ivar.const_data_ptr<float>(), size});
  writer.append_mask({mask.const_data_ptr<std::uint8_t>(), size});
  writer.append_latent("mask", {source.dim()}, std::span(latent.const_data_ptr<float>(), size));
  writer.link_latent("ivar", "ivar");
  copy_metadata(source, rows, writer);
  writer.set_attribute("provenance", json_text(provenance));
}

void degrade(const DegradeArguments& arguments) {
  refuse_same_file("--output", arguments.output, {arguments.config, arguments.input});
  refuse_same_file("--reference", arguments.reference, {arguments.config, arguments.input, arguments.output});
  const DatasetReader reader(arguments.input, DatasetKind::observations);
  const std::vector<std::uint64_t> rows = rows_above(reader, arguments.least_snr);
  const Spectra spectra = read_spectra(reader, rows);
  const auto channel = open_channel(RunConfig::read(arguments.config, arguments.overrides), arguments.plugin_folders, arguments.input);
  check_noise_comes_from_ivar(*channel, arguments.config);
  DatasetWriter output(arguments.output, DatasetKind::observations, {reader.dim()});
  DatasetWriter reference(arguments.reference, DatasetKind::observations, {reader.dim()});
  // Own noise and added noise make `noise_factor` times the own standard deviation.
  const double factor2 = arguments.noise_factor * arguments.noise_factor;
  const Latents given = {{"ivar", spectra.ivar_BD / (factor2 - 1.0)}, {"mask", spectra.mask_BD.to(at::kInt)}};
  const at::Tensor ids_B = at::arange(static_cast<std::int64_t>(rows.size()), at::kLong);
  const at::Tensor degraded_BD = measure(*channel, bridged(spectra), given, RandomKey(arguments.key), ids_B, nullptr);
  const std::vector<FailedSample> failed = channel->take_failed_samples();
  check<PluginError>(failed.empty(), "channel {} failed on {} of {} spectra, the first in row {} of {}: {}. Nothing was written.",
                     channel->id(), failed.size(), rows.size(), failed.empty() ? 0 : rows[static_cast<std::size_t>(failed[0].row)],
                     arguments.input, failed.empty() ? std::string() : failed[0].reason);
  const nlohmann::json record = {{"command", "degrade"},
                                 {"unchannel_version", UNCHANNEL_VERSION},
                                 {"git", UNCHANNEL_GIT_REVISION},
                                 {"channel", channel->configuration()},
                                 {"input", arguments.input},
                                 {"input_sha256", sha256_file(arguments.input)},
                                 {"key", arguments.key},
                                 {"noise_factor", arguments.noise_factor},
                                 {"least_snr", arguments.least_snr}};
  write_spectra(output, reader, rows, degraded_BD, spectra.ivar_BD / factor2, spectra.mask_BD, record);
  write_spectra(reference, reader, rows, spectra.flux_BD, spectra.ivar_BD, spectra.mask_BD, record);
  output.close();
  reference.close();
  fmt::print("{} of {} spectra have a signal-to-noise ratio of {} or more; their noise is now {} times as large.\n", rows.size(),
             reader.rows(), arguments.least_snr, arguments.noise_factor);
}

}  // namespace

void add_degrade_command(CLI::App& app) {
  auto arguments = std::make_shared<DegradeArguments>();
  CLI::App* command =
      app.add_subcommand("degrade", "observe good spectra again through a worse spectrograph, to test restorations on real data");
  command->add_option("config", arguments->config, "TOML configuration; its [channel] table, with noise = \"ivar\", is used")->required();
  command->add_option("--input", arguments->input, "HDF5 file of unchannel import sdss")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write: degraded spectra with their inverse variance")->required();
  command->add_option("--reference", arguments->reference, "HDF5 file to write: the same spectra as they were, to compare with")
      ->required();
  command->add_option("--noise-factor", arguments->noise_factor, "standard deviation of the noise over the original's (default 3)")
      ->check(CLI::Range(1.01, 1e3));
  command->add_option("--least-snr", arguments->least_snr,
                      "median signal-to-noise ratio a pixel from which a spectrum is used (default 8)");
  command->add_option("--key", arguments->key, "key of the random numbers")->required();
  command->add_option("--set", arguments->overrides, "override a key of the configuration (repeatable)");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)");
  command->footer(
      "Then: unchannel restore RUN --input degraded.h5 --output restored.h5\n"
      "      unchannel evaluate --truth reference.h5 --restored restored.h5 --observed degraded.h5\n"
      "      (evaluate takes the reference's own noise off the error)\n"
      "Example: unchannel degrade configs/quasar/boss.toml --input spectra.h5 --key 1 --output degraded.h5 --reference reference.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk");
  command->callback([arguments] { degrade(*arguments); });
}

}  // namespace unchannel
