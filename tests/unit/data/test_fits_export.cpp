#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/data/describe.hpp>
#include <unchannel/data/fits/fits_export.hpp>
#include <unchannel/data/spectra/log_lambda_grid.hpp>

#include "child_process.hpp"
#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

void write_source(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t dim, const std::string& medium = "vacuum") {
  DatasetWriter writer(path, DatasetKind::signals, {dim});
  std::vector<float> values(rows * dim), ivar(rows * dim, 4.0f);
  std::vector<std::uint8_t> mask(rows * dim, 0);
  std::vector<std::int64_t> ids(rows);
  std::vector<std::string> names(rows);
  for (std::uint64_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k) * 0.5f;
  for (std::uint64_t k = 0; k < rows; ++k) {
    mask[k * dim + k % dim] = 1;
    ids[k] = static_cast<std::int64_t>(1000 - k);
    names[k] = fmt::format("../odd name/{}", k);  // must not leave the folder
  }
  writer.append(values);
  writer.append_ivar(ivar);
  writer.append_mask(mask);
  writer.append_object_ids(ids);
  writer.append_object_names(names);
  writer.append_redshift(std::vector<double>(rows, 2.5));
  writer.set_wavelength({log_lambda_grid(1000, 1400, dim), medium, "rest"});
  writer.set_attribute("origin", "semi-synthetic: a test");
  writer.set_attribute("provenance", R"({"key": 3})");
  writer.close();
}

TEST(FitsExport, AstropyReadsValuesWavelengthsIdsAndProvenance) {
  UNCHANNEL_NEEDS_PYTHON("astropy");
  const TempDir folder;
  for (const std::string medium : {"vacuum", "air"}) {
    write_source(folder / "a.h5", 30, 100, medium);
    export_fits(DatasetReader(folder / "a.h5"), folder / (medium + ".fits"));
  }
  const std::string answer = PythonOracle::run(R"(
import sys, warnings, numpy as np
from astropy.io import fits
from astropy.wcs import WCS
warnings.simplefilter('error')  # a wrong checksum is a warning
for medium, ctype in ('vacuum', 'WAVE-LOG'), ('air', 'AWAV-LOG'):
    with fits.open(sys.argv[1] + '/' + medium + '.fits', checksum=True) as f:
        f.verify('exception')
        x = f['SIGNALS'].data
        assert x.shape == (30, 100) and (x.ravel() == np.arange(3000) * 0.5).all() and (f['IVAR'].data == 4).all()
        assert f['MASK'].data.sum() == 30 and f['MASK'].data[7, 7] == 1
        lam = f['WAVELENGTH'].data['wavelength']
        assert f['WAVELENGTH'].columns['wavelength'].unit == 'Angstrom' and f['WAVELENGTH'].header['MEDIUM'] == medium
        assert np.allclose(lam, np.geomspace(1000, 1400, 100), rtol=1e-12)
        h = f['SIGNALS'].header
        assert h['CTYPE1'] == ctype and h['CUNIT1'] == 'Angstrom'
        assert np.allclose(h['CRVAL1'] * np.exp(h['CDELT1'] * (np.arange(100) + 1 - h['CRPIX1']) / h['CRVAL1']), lam, rtol=1e-12)
        wcs = np.array(WCS(h).sub([1]).pixel_to_world_values(np.arange(100)))
        assert np.allclose(wcs * 1e10, lam, rtol=1e-9)
        o = f['OBJECTS'].data
        assert (o['row'] == np.arange(30)).all() and (o['object_id'] == 1000 - np.arange(30)).all() and o['object_name'][3] == '../odd name/3'
        assert f[0].header['ORIGIN'] == 'semi-synthetic: a test' and f[0].header['SRCFILE'] == 'a.h5' and len(f[0].header['SRCHASH']) == 64
        assert 'provenance: {"key": 3}' in str(f[0].header['HISTORY'])
print('agrees')
)",
                                               folder.path().string());
  EXPECT_EQ(answer, "agrees\n");
}

TEST(FitsExport, OneFileARowKeepsNamesInsideTheFolder) {
  UNCHANNEL_NEEDS_PYTHON("astropy");
  const TempDir folder;
  write_source(folder / "a.h5", 5, 100);
  EXPECT_EQ(export_fits_rows(DatasetReader(folder / "a.h5"), folder / "rows"), 5u);
  const std::string answer = PythonOracle::run(R"(
import sys, os, numpy as np
from astropy.io import fits
names = sorted(os.listdir(sys.argv[1]))
assert names == ['spectrum-.._odd_name_%d.fits' % k for k in range(5)], names
with fits.open(sys.argv[1] + '/' + names[2], checksum=True) as f:
    t = f['SPECTRUM'].data
    assert (t['flux'] == (200 + np.arange(100)) * 0.5).all() and t['mask'][2] == 1 and t['mask'].sum() == 1 and (t['ivar'] == 4).all()
    assert f['SPECTRUM'].columns['wavelength'].unit == 'Angstrom' and f[0].header['object_id'] == 998 and f[0].header['redshift'] == 2.5
print('agrees')
)",
                                               (folder / "rows").string());
  EXPECT_EQ(answer, "agrees\n");
  EXPECT_NE(thrown_message<DataError>([&] { export_fits_rows(DatasetReader(folder / "a.h5"), folder / "rows"); }).find("exists already"),
            std::string::npos);
}

TEST(FitsExport, ImagesKeepTheirShape) {
  UNCHANNEL_NEEDS_PYTHON("astropy");
  const TempDir folder;
  {
    DatasetWriter writer(folder / "a.h5", DatasetKind::observations, {3, 4});
    std::vector<float> values(24);
    for (std::size_t k = 0; k < 24; ++k) values[k] = static_cast<float>(k);
    writer.append(values);
    writer.close();
  }
  const DatasetReader source(folder / "a.h5");
  export_fits(source, folder / "a.fits");
  EXPECT_EQ(PythonOracle::run("import sys, numpy as np\nfrom astropy.io import fits\n"
                              "print((fits.getdata(sys.argv[1], 'OBSERVATIONS') == np.arange(24).reshape(2, 3, 4)).all())\n",
                              (folder / "a.fits").string()),
            "True\n");
  EXPECT_THROW(export_fits_rows(source, folder / "rows"), DataError);
}

TEST(FitsExport, FullDiskAndUnwritableFolderLeaveNothing) {
  const TempDir folder;
  write_source(folder / "a.h5", 2000, 100);
  std::filesystem::create_directory(folder / "out");
  const int status = test_support::run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    test_support::limit_resource(RLIMIT_FSIZE, 200'000);
    const DatasetReader source(folder / "a.h5");
    const std::string message = thrown_message<DataError>([&] { export_fits(source, folder / "out/a.fits"); });
    return message.find("is the disk full?") != std::string::npos && message.find("a.fits") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
  EXPECT_THROW(export_fits(DatasetReader(folder / "a.h5"), folder / "none/a.fits"), DataError);
}

TEST(DescribeDataFile, SaysShapeOriginRangeAndColumns) {
  const TempDir folder;
  write_source(folder / "a.h5", 30, 100);
  const std::string text = describe_data_file(folder / "a.h5");
  for (const std::string part : {"[30, 100] float32", "semi-synthetic: a test", "0 … 1499.5", "1000 … 1400 angstrom, vacuum, rest frame",
                                 "1 % of the elements are bad or missing", "redshift              2.5 … 2.5", "30 distinct", "key = 3"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

}  // namespace
}  // namespace unchannel
