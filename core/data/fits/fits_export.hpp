#pragma once

#include <cstdint>
#include <filesystem>

#include "../dataset.hpp"

namespace unchannel {

/// Writes a data file as one FITS file, atomically, row order kept:
///   primary HDU   no data; ORIGIN, NORMALIS (normalisation), SRCFILE, SRCHASH (SHA-256 of the data file), DATE, HISTORY (provenance);
///   SIGNALS or OBSERVATIONS   float32 image, NAXIS1 the fastest axis of a row, last axis the rows; for a log-linear
///                 wavelength grid the WCS of FITS paper III, CTYPE1 = WAVE-LOG (vacuum) or AWAV-LOG (air),
///                 λ = CRVAL1 exp(CDELT1 (p − CRPIX1) / CRVAL1);
///   IVAR, MASK    images of the same shape, where the data file has them;
///   WAVELENGTH    table, column `wavelength` [D] with TUNIT (always, also when the WCS says the same);
///   OBJECTS       table, one line a row: `row`, object_id, object_name, redshift and every other column of the data file.
/// Every HDU carries DATASUM and CHECKSUM. Rows are copied in blocks: memory does not grow with the file. Throws DataError.
void export_fits(const DatasetReader& source, const std::filesystem::path& output);

/// Writes one FITS file a row into `folder` (made if missing), named after object_name, else object_id, else the row: a table with
/// the columns wavelength (where known), flux, ivar and mask, and the row's object columns as keywords. Returns the number of files.
/// Only for rows of rank 1. Throws DataError, also when a file of that name was there before.
std::uint64_t export_fits_rows(const DatasetReader& source, const std::filesystem::path& folder);

}  // namespace unchannel
