#include <gtest/gtest.h>

#include <limits>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/data/spectra/sdss_import.hpp>

#include "child_process.hpp"
#include "python_oracle.hpp"
#include "synthetic_sdss.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::SyntheticSdss;
using test_support::TempDir;
using test_support::thrown_message;

/// Three spectra in the survey's layout.
void write_synthetic_spectra(const std::filesystem::path& folder) {
  for (int k = 0; k < 3; ++k) {
    SyntheticSdss spectrum(4600 - 7 * static_cast<std::size_t>(k));
    spectrum.fiber = k;
    EXPECT_EQ(spectrum.write(folder / fmt::format("spec-1234-56789-{:04}.fits", k), k == 1), 0);
  }
}

#define UNCHANNEL_NEEDS_SPECTRA()                  \
  if (std::getenv("UNCHANNEL_SPECTRA") == nullptr) \
  GTEST_SKIP() << "UNCHANNEL_SPECTRA is not set: name a folder of SDSS spec-*.fits files there to check real spectra"

template <class T>
void dump(std::ofstream& out, const std::vector<T>& values) {
  for (const T value : values) {
    const auto number = static_cast<double>(value);
    out.write(reinterpret_cast<const char*>(&number), sizeof(number));
  }
}

void expect_the_values_of_astropy(const std::filesystem::path& spectra) {
  const TempDir folder;
  const auto files = find_sdss_files({spectra});
  std::ofstream list(folder / "list");
  for (const auto& file : files) {
    const SdssSpectrum spectrum = read_sdss_spectrum(file);
    std::ofstream out(folder / (file.filename().string() + ".bin"), std::ios::binary);
    dump(out, spectrum.flux);
    dump(out, spectrum.log10_wavelength);
    dump(out, spectrum.ivar);
    dump(out, spectrum.and_mask);
    dump(out, spectrum.or_mask);
    list << fmt::format("{} {} {:.9g} {} {}\n", file.string(), spectrum.object_class, spectrum.redshift, spectrum.name,
                        spectrum.flux.size());
  }
  list.close();
  const std::string answer = PythonOracle::run(R"(
import sys, os, numpy as np
from astropy.io import fits
count = 0
for line in open(sys.argv[1] + '/list'):
    path, cls, z, name, size = line.split()
    ours = np.fromfile(sys.argv[1] + '/' + os.path.basename(path) + '.bin').reshape(5, int(size))
    with fits.open(path) as f:
        table, row = f[1].data, f[2].data[0]
        for k, column in enumerate(['flux', 'loglam', 'ivar', 'and_mask', 'or_mask']):
            theirs = table[column].astype(float)
            assert theirs.shape == ours[k].shape and np.all(np.abs(ours[k] - theirs) <= 1e-6 * np.abs(theirs)), (path, column)
        assert cls == row['CLASS'].strip() and abs(float(z) - row['Z']) <= 1e-6 * abs(row['Z'])
        assert name == '%d-%d-%04d' % (row['PLATE'], row['MJD'], row['FIBERID'])
    count += 1
print(count)
)",
                                               folder.path().string());
  EXPECT_EQ(std::stoul(answer), files.size());
}

TEST(SdssImport, EveryValueAgreesWithAstropyBeforeResampling) {
  UNCHANNEL_NEEDS_PYTHON("astropy");
  const TempDir folder;
  write_synthetic_spectra(folder.path());
  expect_the_values_of_astropy(folder.path());
}

TEST(SdssImport, EveryValueOfRealSpectraAgreesWithAstropyBeforeResampling) {
  UNCHANNEL_NEEDS_SPECTRA();
  UNCHANNEL_NEEDS_PYTHON("astropy");
  expect_the_values_of_astropy(std::getenv("UNCHANNEL_SPECTRA"));
}

void expect_the_flux_of_numpy(const std::filesystem::path& spectra) {
  const TempDir folder;
  SdssImportOptions options;
  const auto entries = import_sdss(find_sdss_files({spectra}), options, folder / "rest.h5");
  options.rest_frame = false;
  options.wavelength_min_angstrom = 4000;
  options.wavelength_max_angstrom = 5320;
  import_sdss(find_sdss_files({spectra}), options, folder / "observed.h5");
  EXPECT_GT(std::count_if(entries.begin(), entries.end(), [](const auto& entry) { return entry.imported; }), 0);
  // The integral of the flux over the fully covered output pixels, against exact overlaps with the survey's pixels.
  const std::string answer = PythonOracle::run(R"(
import sys, h5py, numpy as np
from astropy.io import fits
worst = 0
for name in 'rest', 'observed':
    f = h5py.File(sys.argv[2] + '/' + name + '.h5')
    lam = f['coordinates/wavelength'][:]
    inner = np.sqrt(lam[1:] * lam[:-1])
    edges = np.r_[lam[0] ** 2 / inner[0], inner, lam[-1] ** 2 / inner[-1]]
    assert f['latents/ivar'] == f['ivar'] and (f['latents/mask'][:] == f['mask'][:]).all() and f['latents/mask'].dtype == np.float32
    for i, source in enumerate(f['source_file'].asstr()):
        with fits.open(sys.argv[1] + '/' + source) as h:
            d = h[1].data
            x, flux, good = 10 ** d['loglam'].astype(float), d['flux'].astype(float), (d['ivar'] > 0) & (d['and_mask'] == 0)
        rest = x / (1 + f['redshift'][i])  # compared with astropy's in the test above
        scale = np.median(flux[good & (rest >= 1425) & (rest <= 1475)])
        assert abs(f['normalisation_factor'][i] / scale - 1) < 1e-9
        if name == 'rest': x = rest
        between = np.sqrt(x[1:] * x[:-1])
        e = np.r_[x[0] ** 2 / between[0], between, x[-1] ** 2 / between[-1]]
        # the integral of a step function up to any wavelength is a broken line
        integral = lambda v: np.diff(np.interp(edges, e, np.r_[0, np.cumsum(v * np.diff(e))]))
        cover = integral(good) / np.diff(edges)
        assert ((f['mask'][i] == 1) | (cover > 0.5 - 1e-9)).all() and ((f['mask'][i] == 0) | (cover < 0.5 + 1e-9)).all()
        assert (f['ivar'][i][f['mask'][i] == 1] == 0).all() and (f['observations'][i][f['mask'][i] == 1] == 0).all()
        full = cover > 1 - 1e-6
        before = integral(flux * good)[full].sum()
        after = (f['observations'][i].astype(float) * np.diff(edges))[full].sum() * scale
        worst = max(worst, abs(after / before - 1))
        y = f['observations'][i] * np.sqrt(f['ivar'][i])
        assert abs(f['snr'][i] / np.median(np.abs(y[f['mask'][i] == 0])) - 1) < 1e-5
assert worst < 1e-3, worst
print('conserved to', worst)
)",
                                               spectra.string() + " " + folder.path().string());
  EXPECT_TRUE(answer.starts_with("conserved")) << answer;
  ::testing::Test::RecordProperty("largest_relative_flux_change", answer);
}

TEST(SdssImport, NormalisedResampledFluxAgreesWithNumpyAndIsConserved) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  UNCHANNEL_NEEDS_PYTHON("astropy");
  const TempDir folder;
  write_synthetic_spectra(folder.path());
  expect_the_flux_of_numpy(folder.path());
}

TEST(SdssImport, NormalisedResampledFluxOfRealSpectraAgreesWithNumpyAndIsConserved) {
  UNCHANNEL_NEEDS_SPECTRA();
  UNCHANNEL_NEEDS_PYTHON("h5py");
  UNCHANNEL_NEEDS_PYTHON("astropy");
  expect_the_flux_of_numpy(std::getenv("UNCHANNEL_SPECTRA"));
}

TEST(SdssImport, EveryFileIsImportedOrSkippedWithItsReason) {
  const TempDir folder;
  SyntheticSdss good;
  ASSERT_EQ(good.write(folder / "spec-a.fits"), 0);
  ASSERT_EQ(good.write(folder / "spec-b-duplicate.fits"), 0);
  SyntheticSdss star;
  star.object_class = "STAR";
  star.write(folder / "spec-c-star.fits");
  SyntheticSdss near;
  near.redshift = 0.8f;
  near.write(folder / "spec-d-near.fits");
  SyntheticSdss negative;
  for (float& flux : negative.flux) flux = -flux;
  negative.write(folder / "spec-e-negative.fits");
  SyntheticSdss nan;
  nan.flux[1234] = std::numeric_limits<float>::quiet_NaN();
  nan.write(folder / "spec-f-nan.fits");
  std::filesystem::copy_file(folder / "spec-a.fits", folder / "spec-g-cut.fits");
  std::filesystem::resize_file(folder / "spec-g-cut.fits", 40'000);
  std::ofstream(folder / "spec-h-text.fits") << "no spectrum";
  std::ofstream(folder / "spec-i-empty.fits");
  SyntheticSdss late(4600, 3.65);
  late.fiber = 9;
  late.write(folder / "spec-j-late.fits");
  SyntheticSdss bytes;
  bytes.object_class = "S\xFFR";  // no UTF-8: the provenance, which is JSON, must not end the import
  bytes.write(folder / "spec-k-bytes.fits");
  const auto entries = import_sdss(find_sdss_files({folder.path()}), {}, folder / "out.h5");
  const std::vector<std::string> reasons{"",
                                         "was imported from another file",
                                         "class is STAR, not QSO",
                                         "which sets the normalisation, has 0 good pixels",
                                         "not positive",
                                         "flux is nan in pixel 1234",
                                         "is truncated",
                                         "is not a FITS file",
                                         "is not a FITS file",
                                         "good pixels cover",
                                         "class is S\xFFR, not QSO"};
  ASSERT_EQ(entries.size(), reasons.size());
  for (std::size_t k = 0; k < reasons.size(); ++k) {
    EXPECT_NE(entries[k].reason.find(reasons[k]), std::string::npos) << entries[k].file << ": " << entries[k].reason;
    EXPECT_EQ(entries[k].imported, reasons[k].empty()) << entries[k].reason;
  }
  const DatasetReader reader(folder / "out.h5");
  EXPECT_EQ(reader.rows(), 1u);
  EXPECT_EQ(reader.object_names()->at(0), "1234-56789-0007");
  EXPECT_NE(reader.attribute("provenance").find("spec-c-star.fits"), std::string::npos);
  EXPECT_NE(reader.attribute("provenance").find("class is S\uFFFDR, not QSO"), std::string::npos);
}

TEST(SdssImport, NothingIsWrittenWhenNothingCouldBeImported) {
  const TempDir folder;
  std::ofstream(folder / "spec-x.fits") << "no spectrum";
  const auto entries = import_sdss(find_sdss_files({folder.path()}), {}, folder / "out.h5");
  EXPECT_FALSE(entries.at(0).imported);
  EXPECT_FALSE(std::filesystem::exists(folder / "out.h5"));
  EXPECT_THROW(find_sdss_files({folder / "none"}), DataError);
  EXPECT_THROW(import_sdss({}, {}, folder / "none/out.h5"), DataError);
}

TEST(SdssImport, TruncationsAndDamageNeverCrash) {
  const TempDir folder;
  ASSERT_EQ(SyntheticSdss(300).write(folder / "good.fits"), 0);
  std::ifstream in(folder / "good.fits", std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const int status = test_support::run_in_child([&] {
    std::uint64_t state = 4321;
    for (int round = 0; round < 600; ++round) {
      std::string bad = good;
      if (round < 60) {
        bad.resize(bad.size() * static_cast<std::size_t>(round) / 60);
      } else {
        for (int flip = 0; flip < 6; ++flip) {
          state = state * 6364136223846793005u + 1442695040888963407u;
          bad[(state >> 33) % bad.size()] = static_cast<char>(state >> 24);
        }
      }
      std::ofstream(folder / "bad.fits", std::ios::binary) << bad;
      try {
        read_sdss_spectrum(folder / "bad.fits");
        if (round < 55) return 1;  // less than the tables need
      } catch (const DataError& error) {
        if (std::string(error.what()).find("bad.fits") == std::string::npos) return 2;
      }
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(SdssImport, NonFiniteValuesOnPixelsThatAreBadAnywayAreAccepted) {
  const TempDir folder;
  SyntheticSdss spectrum;
  spectrum.flux[805] = std::numeric_limits<float>::infinity();  // ivar = 0 there
  ASSERT_EQ(spectrum.write(folder / "a.fits"), 0);
  EXPECT_EQ(read_sdss_spectrum(folder / "a.fits").flux[805], 0.0);
  spectrum.ivar[810] = -1;
  ASSERT_EQ(spectrum.write(folder / "a.fits"), 0);
  EXPECT_NE(thrown_message<DataError>([&] { read_sdss_spectrum(folder / "a.fits"); }).find("ivar is -1 in pixel 810"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
