#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>

#include "child_process.hpp"
#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;
using ::testing::Test;

// N rows, D elements: value = 1000 row + column, so that every misplaced element shows.
std::vector<float> ramp(std::uint64_t first, std::uint64_t count, std::uint64_t dim) {
  std::vector<float> values(count * dim);
  for (std::uint64_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(1000 * (first + k / dim) + k % dim);
  return values;
}

void write_full_file(const std::filesystem::path& path, std::uint64_t rows, std::uint64_t dim) {
  DatasetWriter writer(path, DatasetKind::observations, {dim});
  for (std::uint64_t first = 0; first < rows; first += 7) {  // uneven blocks cross chunk borders
    const std::uint64_t count = std::min<std::uint64_t>(7, rows - first);
    writer.append(ramp(first, count, dim));
    writer.append_ivar(std::vector<float>(count * dim, 2.0f));
    std::vector<std::uint8_t> mask(count * dim, 0);
    mask[0] = 1;
    writer.append_mask(mask);
    std::vector<std::int64_t> ids(count);
    std::iota(ids.begin(), ids.end(), static_cast<std::int64_t>(first) + 100);
    writer.append_object_ids(ids);
    writer.append_latent("angle", {2}, std::span<const float>(ramp(first, count, 2)));
    writer.append_latent("shift", {}, std::span<const std::int64_t>(ids));
    std::vector<std::string> names;
    std::vector<double> redshift;
    for (std::uint64_t k = 0; k < count; ++k) {
      names.push_back(fmt::format("object {}", first + k));
      redshift.push_back(0.5 * static_cast<double>(first + k));
    }
    writer.append_object_names(names);
    writer.append_redshift(redshift);
  }
  WavelengthAxis axis{std::vector<double>(dim), "vacuum", "rest"};
  for (std::uint64_t k = 0; k < dim; ++k) axis.angstrom[k] = 1000.0 + static_cast<double>(k);
  writer.set_wavelength(axis);
  writer.link_latent("ivar", "ivar");
  writer.set_attribute("origin", "test");
  writer.close();
}

TEST(Dataset, EverythingWrittenIsReadBackInAnyOrder) {
  const TempDir folder;
  write_full_file(folder / "a.h5", 100, 5);
  const DatasetReader reader(folder / "a.h5");
  EXPECT_EQ(reader.kind(), DatasetKind::observations);
  ASSERT_EQ(reader.rows(), 100u);
  ASSERT_EQ(reader.dim(), 5u);
  std::vector<float> block(30 * 5);
  reader.read_rows(20, 30, block);
  EXPECT_EQ(block, ramp(20, 30, 5));
  const std::vector<std::uint64_t> indices{99, 0, 50, 51, 52, 0, 7};
  std::vector<float> picked(indices.size() * 5);
  reader.read_rows(indices, picked);
  for (std::size_t k = 0; k < indices.size(); ++k) EXPECT_EQ(picked[5 * k + 3], static_cast<float>(1000 * indices[k] + 3));
  const auto angle = std::get<std::vector<float>>(reader.read_latent("angle", indices));
  EXPECT_EQ(angle[2 * 6 + 1], 7001.0f);
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(reader.read_latent("shift", 0, 2)), (std::vector<std::int64_t>{100, 101}));
  EXPECT_EQ(std::get<std::vector<float>>(reader.read_latent("ivar", 3, 1)), std::vector<float>(5, 2.0f));
  std::vector<std::uint8_t> mask(10);
  reader.read_mask(6, 2, mask);
  EXPECT_EQ(mask, (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(reader.object_ids()->at(99), 199);
  EXPECT_EQ(reader.object_names()->at(42), "object 42");
  EXPECT_EQ(reader.redshift()->at(3), 1.5);
  EXPECT_EQ(reader.wavelength()->frame, "rest");
  EXPECT_EQ(reader.attribute("origin"), "test");
}

TEST(Dataset, H5pyReadsWhatWeWrite) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  write_full_file(folder / "a.h5", 50, 4);
  const std::string answer = PythonOracle::run(R"(
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
y = f['observations'][:]
assert y.dtype == np.float32 and y.shape == (50, 4)
assert (y == 1000 * np.arange(50)[:, None] + np.arange(4)).all()
assert f['mask'].dtype == np.uint8 and f['mask'][:].sum() == 8 and f['redshift'].dtype == np.float64
assert f['latents/angle'].shape == (50, 2) and f['latents/ivar'] == f['ivar'] and f['object_id'].dtype == np.int64
assert f['object_name'].asstr()[41] == 'object 41'
w = f['coordinates/wavelength']
assert w.attrs['unit'] == 'angstrom' and w.attrs['medium'] == 'vacuum' and w.attrs['frame'] == 'rest' and w[3] == 1003
assert f.attrs['unchannel_format'] == 1 and f.attrs['origin'] == 'test'
print('agrees')
)",
                                               (folder / "a.h5").string());
  EXPECT_EQ(answer, "agrees\n");
}

TEST(Dataset, WeReadWhatH5pyWrites) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], 'w') as f:
    f['signals'] = np.arange(24, dtype='>f4').reshape(2, 3, 4)
    f['mask'] = np.eye(2, 12, dtype=bool).reshape(2, 3, 4)
    f['object_name'] = ['ä', 'b']
    f['class'] = np.array([b'QSO', b'STAR'])
    f.attrs['origin'] = 'h5py'
)",
                    (folder / "a.h5").string());
  const DatasetReader reader(folder / "a.h5", DatasetKind::signals);
  EXPECT_EQ(reader.row_shape(), (std::vector<std::uint64_t>{3, 4}));
  std::vector<float> row(12);
  reader.read_rows(1, 1, row);
  EXPECT_EQ(row[11], 23.0f);
  std::vector<std::uint8_t> mask(12);
  reader.read_mask(1, 1, mask);
  EXPECT_EQ(mask[1], 1);
  EXPECT_EQ(reader.object_names()->at(0), "ä");
  EXPECT_EQ(reader.text_column("class")->at(1), "STAR");
  EXPECT_EQ(reader.attribute("origin"), "h5py");
}

TEST(Dataset, WrongContentIsRefusedWithPlaceRuleAndValue) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  struct Case {
    std::string code, expected;
  };
  const std::vector<Case> cases{
      {"f['observations'] = np.zeros(5, 'f4')", "/observations has rank 1; it must be [N, D]"},
      {"f['observations'] = np.zeros((5, 2))", "/observations holds float64; it must hold float32"},
      {"f['observations'] = np.zeros((5, 2), 'i2')", "element type that is not supported"},
      {"f['observations'] = np.zeros((0, 2), 'f4')", "has no rows"},
      {"f['stuff'] = 1", "neither /signals nor /observations; found: stuff"},
      {"f['observations'] = np.zeros((5, 2), 'f4'); f['signals'] = np.zeros((5, 2), 'f4')", "both /signals and /observations"},
      {"f['observations'] = np.zeros((5, 2), 'f4'); f['ivar'] = np.zeros((5, 3), 'f4')",
       "/ivar has shape [5, 3]; it must have the shape [5, 2]"},
      {"f['observations'] = np.zeros((5, 2), 'f4'); f['latents/a'] = np.zeros(4, 'f4')", "/latents/a has 4 rows"},
      {"f['observations'] = h5py.ExternalLink('/etc/passwd', '/x')", "neither /signals nor /observations"},
      {"f.create_dataset('observations', (5, 2), 'f4', external=[('/etc/passwd', 0, 40)])", "keeps its values in other files"},
      {"f.create_dataset('observations', (1000, 200000), 'f4', chunks=(1000, 200000), compression='gzip')", "a chunk may have at most"},
      {"f['observations'] = np.zeros((5, 2), 'f4'); f['coordinates/wavelength'] = np.array([2., 1.]); "
       "f['coordinates/wavelength'].attrs.update(unit='angstrom', medium='air', frame='rest')",
       "wavelengths must be finite, positive and increasing"},
      {"f['observations'] = np.zeros((5, 2), 'f4'); f['coordinates/wavelength'] = np.array([1., 2.]); "
       "f['coordinates/wavelength'].attrs['unit'] = 'nm'",
       "has unit \"nm\"; it must be \"angstrom\""},
  };
  std::string script = "import sys, h5py, numpy as np\n";
  for (std::size_t k = 0; k < cases.size(); ++k) {
    script += fmt::format("with h5py.File(sys.argv[1] + '/{}wrong.h5', 'w') as f:\n    {}\n", k, cases[k].code);
  }
  PythonOracle::run(script, folder.path().string());
  for (std::size_t k = 0; k < cases.size(); ++k) {
    const Case& wrong = cases[k];
    const auto path = folder / fmt::format("{}wrong.h5", k);
    const std::string message = thrown_message<DataError>([&] { DatasetReader reader(path); });
    EXPECT_NE(message.find(wrong.expected), std::string::npos) << wrong.code << "\n" << message;
    EXPECT_NE(message.find("wrong.h5"), std::string::npos) << message;
  }
}

TEST(Dataset, NonFiniteValuesAreNamedByFileRowAndColumn) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, h5py, numpy as np
y = np.zeros((9, 3), 'f4'); y[7, 2] = np.nan
with h5py.File(sys.argv[1], 'w') as f: f['observations'] = y
)",
                    (folder / "nan.h5").string());
  const DatasetReader reader(folder / "nan.h5");
  std::vector<float> rows(6);
  EXPECT_NO_THROW(reader.read_rows(0, 2, rows));
  const std::string message = thrown_message<DataError>([&] { reader.read_rows(6, 2, rows); });
  EXPECT_NE(message.find("nan.h5: /observations: row 7, column 2 is nan"), std::string::npos) << message;
  const std::vector<std::uint64_t> indices{1, 7};
  EXPECT_NE(thrown_message<DataError>([&] { reader.read_rows(indices, rows); }).find("row 7, column 2"), std::string::npos);
}

TEST(Dataset, WriterRefusesNonFiniteValuesAndLeavesNothing) {
  const TempDir folder;
  {
    DatasetWriter writer(folder / "a.h5", DatasetKind::signals, {2});
    const std::vector<float> rows{0, 1, 2, std::numeric_limits<float>::infinity()};
    EXPECT_NE(thrown_message<DataError>([&] { writer.append(rows); }).find("row 1, column 1 would be inf"), std::string::npos);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Dataset, UnequalRowCountsAreRefusedAtClose) {
  const TempDir folder;
  DatasetWriter writer(folder / "a.h5", DatasetKind::signals, {2});
  writer.append(std::vector<float>(6));
  writer.append_redshift(std::vector<double>(2));
  EXPECT_NE(thrown_message<DataError>([&] { writer.close(); }).find("/redshift has 2 rows, but /signals has 3"), std::string::npos);
}

TEST(Dataset, TruncatedFilesGiveOneClearMessageAtEveryLength) {
  const TempDir folder;
  write_full_file(folder / "a.h5", 200, 64);
  const auto size = std::filesystem::file_size(folder / "a.h5");
  for (const double share : {0.0, 0.0001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999}) {
    const auto path = folder / "cut.h5";
    std::filesystem::copy_file(folder / "a.h5", path, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(share * static_cast<double>(size)));
    ::testing::internal::CaptureStderr();
    const std::string message = thrown_message<DataError>([&] { DatasetReader reader(path); });
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");  // HDF5's own error stack stays silent
    EXPECT_NE(message.find("cut.h5"), std::string::npos) << share << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(Dataset, FlippedBytesNeverCrashTheReader) {
  const TempDir folder;
  write_full_file(folder / "a.h5", 20, 8);
  std::ifstream in(folder / "a.h5", std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const int status = test_support::run_in_child([&] {
    std::uint64_t state = 12345;
    for (int round = 0; round < 300; ++round) {
      std::string bad = good;
      for (int flip = 0; flip < 8; ++flip) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bad[(state >> 20) % 6000] = static_cast<char>(state >> 56);  // headers lie at the front
      }
      std::ofstream(folder / "bad.h5", std::ios::binary) << bad;
      try {
        const DatasetReader reader(folder / "bad.h5");
        std::vector<float> rows(reader.rows() < 1000 && reader.dim() < 1000 ? reader.rows() * reader.dim() : 0);
        if (!rows.empty()) reader.read_rows(0, reader.rows(), rows);
        reader.object_names();
        reader.redshift();
      } catch (const DataError&) {
      }
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(Dataset, FullDiskIsOneDataErrorAndLeavesNothing) {
  const TempDir folder;
  const int status = test_support::run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);  // writes beyond the limit fail with EFBIG, as on a full disk with ENOSPC
    test_support::limit_resource(RLIMIT_FSIZE, 400'000);
    const std::string message = thrown_message<DataError>([&] {
      DatasetWriter writer(folder / "a.h5", DatasetKind::signals, {1000});
      for (int k = 0; k < 1000; ++k) writer.append(std::vector<float>(1000, 1.0f));
      writer.close();
    });
    const bool is_one_line = message.find('\n') == std::string::npos && message.find("File too large") != std::string::npos;
    return message.find("is the disk full?") != std::string::npos && message.find("a.h5") != std::string::npos && is_one_line ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Dataset, FullDiskAtTheLastMomentIsADataErrorToo) {
  const TempDir folder;
  const int status = test_support::run_in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    test_support::limit_resource(RLIMIT_FSIZE, 100'000);
    const std::string message = thrown_message<DataError>([&] {
      DatasetWriter writer(folder / "a.h5", DatasetKind::signals, {1000});
      writer.append(std::vector<float>(60'000, 1.0f));  // less than a chunk: reaches the disk only at close()
      writer.close();
    });
    return message.find("is the disk full?") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Dataset, UnwritableFolderAndMissingFileAreDataErrors) {
  const TempDir folder;
  EXPECT_THROW(DatasetWriter(folder / "none/a.h5", DatasetKind::signals, {2}), DataError);
  EXPECT_NE(thrown_message<DataError>([&] { DatasetReader reader(folder / "none.h5"); }).find("no such file"), std::string::npos);
  std::ofstream(folder / "text.h5") << "hello";
  EXPECT_NE(thrown_message<DataError>([&] { DatasetReader reader(folder / "text.h5"); }).find("is not an HDF5 file"), std::string::npos);
}

TEST(Dataset, WhatIsNoColumnOfOursIsPassedOver) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], 'w') as f:
    f['observations'] = np.zeros((5, 2), 'f4')
    f['wavelength'] = np.array([4000.0, 4001.0])
    f['short'] = np.zeros(5, 'i2')
    f['unsigned'] = np.zeros(5, 'u8')
    f['half'] = np.zeros(5, 'f2')
    f['kept'] = np.arange(5.0)
    f['object_id'] = np.arange(5, dtype='i4')
    f['redshift'] = np.array([1.0, np.nan, 2.0, np.inf, 3.0])
    f['class'] = ['a', 'b', 'c', 'd', 'e']
    f['notes'] = ['not one a row']
)",
                    (folder / "a.h5").string());
  const DatasetReader source(folder / "a.h5");
  EXPECT_EQ(source.numeric_columns(), (std::vector<std::string>{"kept", "object_id", "redshift"}));
  EXPECT_EQ(source.text_columns(), std::vector<std::string>{"class"});
  {
    DatasetWriter writer(folder / "b.h5", DatasetKind::signals, {2});
    copy_metadata(source, 1, 3, writer);  // before the rows: a command finds out first what it cannot copy
    writer.append(ramp(0, 3, 2));
    writer.close();
  }
  const DatasetReader copy(folder / "b.h5");
  EXPECT_EQ(*copy.object_ids(), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_TRUE(std::isnan(copy.redshift()->at(0)));
  EXPECT_EQ(copy.redshift()->at(1), 2.0);
  EXPECT_EQ(*copy.numeric_column("kept"), (std::vector<double>{1, 2, 3}));
}

TEST(Dataset, IdsInFloatingPointAreTakenWhereTheyAreWhole) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, h5py, numpy as np
for name, ids in (('whole', [7.0, -8.0]), ('broken', [7.0, 8.5]), ('unknown', [7.0, np.nan]), ('large', [7.0, 1e16])):
    with h5py.File(sys.argv[1] + '/' + name + '.h5', 'w') as f:
        f['observations'] = np.zeros((2, 2), 'f4')
        f['object_id'] = np.array(ids)
)",
                    folder.path().string());
  EXPECT_EQ(*DatasetReader(folder / "whole.h5").object_ids(), (std::vector<std::int64_t>{7, -8}));
  for (const char* name : {"broken.h5", "unknown.h5", "large.h5"}) {
    const DatasetReader reader(folder / name);
    EXPECT_NE(thrown_message<DataError>([&] { reader.object_ids(); }).find("/object_id: row 1 is"), std::string::npos) << name;
  }
}

TEST(Dataset, MetadataFollowTheRows) {
  const TempDir folder;
  write_full_file(folder / "a.h5", 30, 4);
  const DatasetReader source(folder / "a.h5");
  {
    DatasetWriter writer(folder / "b.h5", DatasetKind::signals, {4});
    writer.append(ramp(10, 5, 4));
    copy_metadata(source, 10, 5, writer);
    writer.close();
  }
  const DatasetReader copy(folder / "b.h5");
  EXPECT_EQ(copy.object_ids()->at(0), 110);
  EXPECT_EQ(copy.object_names()->at(4), "object 14");
  EXPECT_EQ(copy.redshift()->at(1), 5.5);
  EXPECT_EQ(*copy.wavelength(), *source.wavelength());
  EXPECT_EQ(copy.attribute("origin"), "test");
}

}  // namespace
}  // namespace unchannel
