#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/report/spectra_figures.hpp>
#include <unchannel/scsi/observations.hpp>

#include "matched_rows.hpp"

// Shape legend: N objects · D signal pixels
namespace unchannel {

/// The observations a report is about, and what is known of them.
struct ReportObjects {
  ObservationBatch batch;
  at::Tensor ids_N;                            ///< int64: object ids where the file has them, else row numbers
  WantedObjects wanted;                        ///< the same for other files
  std::vector<std::string> names;              ///< empty: the file has none
  std::optional<std::vector<double>> redshift;
  report::PixelAxis axis;                      ///< of the signals
  std::vector<std::string> latents;            ///< names of all that the observation file has
  std::map<std::string, at::Tensor> scalars;   ///< latents with one number per object [N], also those hidden from the model
  std::string origin;                          ///< the observation file's own words, e.g. "semi-synthetic: …"
  at::Tensor truth_ND;                         ///< undefined without a truth
  nlohmann::json truth_provenance;             ///< null where the file has none

  bool has_object_ids() const { return wanted.ids.has_value(); }
  std::int64_t size() const { return ids_N.size(0); }
};

/// A latent with one number an object as float64 [N].
at::Tensor numbers_of(const LatentValues& values);

/// The first `rows` observations of `input`, and their true signals from `truth` (may be empty) matched by object_id, or by row where
/// neither file has ids. Throws DataError, ShapeError.
ReportObjects read_report_objects(const std::filesystem::path& input, const std::filesystem::path& truth, std::uint64_t rows,
                                  const Channel& channel);

}  // namespace unchannel
