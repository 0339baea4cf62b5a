#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "../import_options.hpp"
#include "fit.hpp"

namespace unchannel {

/// Planes of the rows.
enum class ColourMode {
  as_first,  ///< those of the first picture; pictures with others are skipped
  grey,
  rgb
};

struct ImageImportOptions : ImportOptions {
  std::optional<ImageSize> size;  ///< without it every picture must have the size of the first
  FitMode fit = FitMode::crop;
  ColourMode colour = ColourMode::as_first;
  std::string under;  ///< archives: only entries below this folder, e.g. "train"
};

/// Pictures (*.png, *.jpg, *.jpeg, any case) of a folder and the folders below it, by path, into /signals [N, C, H, W].
///
/// Columns: object_id (place among the folder's pictures, broken ones counted), object_name (path below the folder); where pictures lie
/// in folders of their own, `class` (name of the folder) and `label` (its place among the sorted names). Levels 0 … 255, or 0 … 65535 of
/// 16-bit PNG files, become −1 … 1 unless options.scale says otherwise. Pictures that cannot be decoded, or differ in size or planes
/// from the first and no option says what to do, are skipped and named in the report; files with other names are not counted. Links to
/// files are followed, links to folders are not. Memory: one picture and a block of rows.
/// Throws DataError (no such folder, no pictures in it, output not writable) or ConfigError (options).
ImportReport import_image_folder(const std::filesystem::path& folder, const ImageImportOptions& options,
                                 const std::filesystem::path& output, const ImportProgress& progress = {});

/// The same for a tar, tar.gz or zip file of pictures, in the archive's order; the archive is read once. A damaged archive is a
/// DataError, and nothing is written. progress counts KiB of the archive.
ImportReport import_image_archive(const std::filesystem::path& archive, const ImageImportOptions& options,
                                  const std::filesystem::path& output, const ImportProgress& progress = {});

}  // namespace unchannel
