#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unchannel/base/error.hpp>
#include <unchannel/data/arrays/idx_import.hpp>
#include <unchannel/data/arrays/mat_container.hpp>
#include <unchannel/data/arrays/mat_import.hpp>
#include <unchannel/data/arrays/npy_export.hpp>
#include <unchannel/data/arrays/npy_import.hpp>

#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<float> all_rows(const std::filesystem::path& path) {
  const DatasetReader reader(path);
  std::vector<float> rows(reader.rows() * reader.dim());
  reader.read_rows(0, reader.rows(), rows);
  return rows;
}

TEST(PlanRows, OffsetsFollowTheLettersInBothOrders) {
  // Array [2, 3, 4] as NHW, C order: row 1, h = 2, w = 1 lies at 12 + 8 + 1.
  const RowPlan c = plan_rows({{2, 3, 4}, false}, "NHW", "a");
  EXPECT_EQ(c.row_shape, (std::vector<std::uint64_t>{1, 3, 4}));
  EXPECT_TRUE(c.contiguous);
  EXPECT_EQ(c.row_stride + c.offsets()[2 * 4 + 1], 21u);
  // The same extents as HWN in MATLAB's order: element (h, w, n) lies at h + 2 w + 6 n.
  const RowPlan f = plan_rows({{2, 3, 4}, true}, "HWN", "a");
  EXPECT_TRUE(f.contiguous);
  EXPECT_EQ(3 * f.row_stride + f.offsets()[1 * 3 + 2], 1u + 2 * 2 + 6 * 3);
  // Rows in the middle, planes last: C, H and W are put in order.
  const RowPlan m = plan_rows({{5, 2, 6, 3}, false}, "HNWC", "a");
  EXPECT_FALSE(m.contiguous);
  EXPECT_EQ(m.row_shape, (std::vector<std::uint64_t>{3, 5, 6}));
  EXPECT_EQ(m.row_stride + m.offsets()[(2 * 5 + 4) * 6 + 1], 4u * 36 + 1 * 18 + 1 * 3 + 2);
}

TEST(PlanRows, LettersThatDoNotFitAreRefused) {
  const auto message = [](const std::string& layout) {
    return thrown_message<ConfigError>([&] { plan_rows({{2, 3, 4}, false}, layout, "a.npy"); });
  };
  for (const char* wrong : {"", "NH", "NHWC", "HWD", "NNH", "NHD", "NHC", "nhw", "NHH", "NCD", "N D"}) {
    EXPECT_TRUE(says(message(wrong), "a.npy") && says(message(wrong), "layout")) << wrong;
  }
  EXPECT_TRUE(says(thrown_message<DataError>([] { plan_rows({{2, 0}, false}, "ND", "a"); }), "no elements"));
  EXPECT_TRUE(says(thrown_message<DataError>([] { plan_rows({{2, std::uint64_t{1} << 40}, false}, "ND", "a"); }), "at most"));
  const std::uint64_t huge = std::uint64_t{1} << 40;
  EXPECT_TRUE(says(thrown_message<DataError>([&] { plan_rows({{huge, huge, huge}, false}, "NDD", "a"); }), "more than any file"));
}

TEST(ImportNpy, EqualsNumpyForEveryTypeByteOrderAndMemoryOrder) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
a = np.random.default_rng(3).integers(0, 100, (4, 5, 6, 3))
for k, t in enumerate(['u1', 'i1', '<u2', '>u2', '<i2', '<u4', '>i4', '<u8', '<i8', '<f4', '>f4', '<f8', '>f8']):
    np.save(sys.argv[1] + f'/{k}.npy', np.asfortranarray(a.astype(t)) if k % 2 else a.astype(t))
)",
                    folder.path().string());
  for (int k = 0; k < 13; ++k) {
    NpyImportOptions options;
    options.layout = "NHWC";
    options.scale = ValueScale::none;
    const ImportReport report = import_npy(folder / fmt::format("{}.npy", k), options, folder / fmt::format("{}.h5", k));
    EXPECT_EQ(report.row_shape, (std::vector<std::uint64_t>{3, 5, 6}));
  }
  PythonOracle::run(R"(
import sys, h5py, numpy as np
a = np.random.default_rng(3).integers(0, 100, (4, 5, 6, 3))
for k in range(13):
    with h5py.File(sys.argv[1] + f'/{k}.h5') as file:
        assert np.array_equal(file['signals'][:], np.moveaxis(a, -1, 1)), k
        assert list(file['object_id'][:]) == [0, 1, 2, 3] and file.attrs['normalisation'] == 'values as stored'
)",
                    folder.path().string());
}

TEST(ImportNpy, SmallIntegersAreScaledFloatsOnlyWithARange) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
np.save(sys.argv[1] + '/u1.npy', np.array([[0, 255]], 'u1'))
np.save(sys.argv[1] + '/b1.npy', np.array([[False, True]]))
np.save(sys.argv[1] + '/i2.npy', np.array([[-32768, 32767]], 'i2'))
np.save(sys.argv[1] + '/f4.npy', np.array([[-1000, 3000]], 'f4'))
)",
                    folder.path().string());
  const auto import = [&](const char* name, ValueScale scale, std::optional<std::pair<double, double>> range = {}) {
    NpyImportOptions options;
    options.scale = scale;
    options.range = range;
    import_npy(folder / name, options, folder / "out.h5");
    return all_rows(folder / "out.h5");
  };
  using Values = std::vector<float>;
  EXPECT_EQ(import("u1.npy", ValueScale::automatic), (Values{-1, 1}));
  EXPECT_EQ(import("u1.npy", ValueScale::unit), (Values{0, 1}));
  EXPECT_EQ(import("b1.npy", ValueScale::automatic), (Values{-1, 1}));
  EXPECT_EQ(import("i2.npy", ValueScale::automatic), (Values{-1, 1}));
  EXPECT_EQ(import("f4.npy", ValueScale::automatic), (Values{-1000, 3000}));
  EXPECT_EQ(import("f4.npy", ValueScale::signed_unit, {{-1000, 3000}}), (Values{-1, 1}));
  EXPECT_TRUE(says(thrown_message<ConfigError>([&] { import("f4.npy", ValueScale::unit); }), "--range LOW HIGH"));
  EXPECT_TRUE(says(thrown_message<ConfigError>([&] { import("f4.npy", ValueScale::unit, {{ 3, 3 }}); }), "smaller one first"));
}

TEST(ImportNpy, NpzArraysLabelsAndWrongFilesEndInRowsOrMessages) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import gzip, sys, numpy as np
f = sys.argv[1]
x = np.arange(12.0).reshape(4, 3)
np.savez_compressed(f + '/a.npz', x=x, y=np.array([3, 1, 2, 0]))
np.savez(f + '/one.npz', x=x)
np.save(f + '/x.npy', x)
gzip.open(f + '/x.npy.gz', 'wb').write(open(f + '/x.npy', 'rb').read())
b = open(f + '/x.npy', 'rb').read()
open(f + '/cut.npy', 'wb').write(b[:-5])
open(f + '/long.npy', 'wb').write(b + b'123')
x[2, 1] = np.nan
np.save(f + '/nan.npy', x)
np.save(f + '/half.npy', x.astype('f2'))
np.save(f + '/object.npy', np.array([{}], dtype=object), allow_pickle=True)
np.save(f + '/nhwc.npy', np.zeros((2, 8, 8, 3), 'u1'))
np.save(f + '/line.npy', np.zeros(3))
)",
                    folder.path().string());
  NpyImportOptions options;
  options.array = "x";
  options.labels = "y";
  options.first = 1;
  options.count = 2;
  import_npy(folder / "a.npz", options, folder / "out.h5");
  EXPECT_EQ(all_rows(folder / "out.h5"), (std::vector<float>{3, 4, 5, 6, 7, 8}));
  const DatasetReader reader(folder / "out.h5");
  EXPECT_EQ(*reader.numeric_column("label"), (std::vector<double>{1, 2}));
  EXPECT_EQ(*reader.object_ids(), (std::vector<std::int64_t>{1, 2}));
  for (const char* name : {"one.npz", "x.npy", "x.npy.gz"}) EXPECT_EQ(import_npy(folder / name, {}, folder / "other.h5").rows, 4u) << name;

  const auto message = [&](const char* name, NpyImportOptions wrong = {}) {
    const auto run = [&] { import_npy(folder / name, wrong, folder / "wrong.h5"); };
    const std::string text = thrown_message<Error>(run);
    EXPECT_TRUE(says(text, name)) << text;
    return text;
  };
  EXPECT_TRUE(says(message("a.npz"), "holds the arrays x, y"));
  NpyImportOptions other;
  other.array = "z";
  EXPECT_TRUE(says(message("a.npz", other), "has no array z"));
  EXPECT_TRUE(says(message("x.npy", other), "is for .npz files"));
  EXPECT_TRUE(says(message("cut.npy"), "ends in the middle of row 3 of 4"));
  EXPECT_TRUE(says(message("long.npy"), "more bytes follow"));
  EXPECT_TRUE(says(message("nan.npy"), "row 2, element 1"));
  EXPECT_TRUE(says(message("half.npy"), "element type '<f2'"));
  EXPECT_TRUE(says(message("object.npy"), "element type '|O'"));
  EXPECT_TRUE(says(message("nhwc.npy"), "--layout NHWC"));
  EXPECT_TRUE(says(message("line.npy"), "--reshape 3,1"));
  NpyImportOptions reshape;
  reshape.reshape = {5, 3};
  EXPECT_TRUE(says(message("x.npy", reshape), "cannot become [5, 3]"));
  NpyImportOptions late;
  late.first = 4;
  EXPECT_TRUE(says(message("x.npy", late), "holds 4 rows"));
  NpyImportOptions labelled;
  labelled.labels = (folder / "line.npy").string();
  EXPECT_TRUE(says(message("x.npy", labelled), "4 rows, but there are 3 labels"));
  EXPECT_FALSE(std::filesystem::exists(folder / "wrong.h5"));
}

TEST(ImportIdx, EqualsNumpyGzippedOrNotWithLabels) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(R"(
import gzip, struct, sys, numpy as np
f = sys.argv[1]
x = np.random.default_rng(1).integers(0, 256, (7, 4, 5), dtype='u1')
def idx(code, a): return bytes([0, 0, code, a.ndim]) + struct.pack(f'>{a.ndim}I', *a.shape) + a.tobytes()
open(f + '/x', 'wb').write(idx(8, x))
gzip.open(f + '/x.gz', 'wb').write(idx(8, x))
gzip.open(f + '/y.gz', 'wb').write(idx(8, np.arange(7, dtype='u1')))
open(f + '/f', 'wb').write(idx(0x0D, x.astype('>f4')))
open(f + '/cut', 'wb').write(idx(8, x)[:-1])
gz = open(f + '/x.gz', 'rb').read()
open(f + '/cut.gz', 'wb').write(gz[:-20])
open(f + '/crc.gz', 'wb').write(gz[:-8] + b'wxyz' + gz[-4:])
open(f + '/lie', 'wb').write(bytes([0, 0, 8, 3]) + struct.pack('>3I', 0xFFFFFFFF, 4000, 4000) + b'abc')
open(f + '/type', 'wb').write(bytes([0, 0, 0x0A, 1, 0, 0, 0, 1, 7]))
np.save(open(f + '/npy', 'wb'), x)
)",
                    folder.path().string());
  IdxImportOptions options;
  options.labels = (folder / "y.gz").string();
  import_idx(folder / "x", options, folder / "x.h5");
  import_idx(folder / "x.gz", options, folder / "gz.h5");
  options.range = {0, 255};
  options.scale = ValueScale::signed_unit;
  import_idx(folder / "f", options, folder / "f.h5");
  PythonOracle::run(R"(
import sys, h5py, numpy as np
x = np.random.default_rng(1).integers(0, 256, (7, 4, 5), dtype='u1')
for name in ('x', 'gz', 'f'):
    with h5py.File(sys.argv[1] + f'/{name}.h5') as file:
        assert file['signals'].shape == (7, 1, 4, 5)
        assert np.abs(file['signals'][:, 0] - (x / 127.5 - 1)).max() < 2e-7
        assert list(file['label'][:]) == list(range(7))
)",
                    folder.path().string());
  const auto message = [&](const char* name) {
    return thrown_message<DataError>([&] { import_idx(folder / name, {}, folder / "wrong.h5"); });
  };
  EXPECT_TRUE(says(message("cut"), "ends in the middle of row 6 of 7")) << message("cut");
  EXPECT_TRUE(says(message("cut.gz"), "damaged or cut off")) << message("cut.gz");
  EXPECT_TRUE(says(message("crc.gz"), "damaged or cut off")) << message("crc.gz");
  EXPECT_TRUE(says(message("lie"), "ends in the middle of row 0")) << message("lie");
  EXPECT_TRUE(says(message("type"), "element type 0x0A")) << message("type");
  EXPECT_TRUE(says(message("npy"), "is no idx file")) << message("npy");
  EXPECT_FALSE(std::filesystem::exists(folder / "wrong.h5"));
}

// MATLAB files of SciPy into argv[1].
constexpr const char* kWriteMat = R"(
import sys, numpy as np, scipy.io
f = sys.argv[1]
r = np.random.default_rng(4)
x = r.integers(0, 256, (6, 5, 3, 4), dtype='u1')
faces = r.integers(0, 256, (30, 7), dtype='u1')
for name, compress in (('plain', False), ('packed', True)):
    scipy.io.savemat(f + f'/{name}.mat', {'x': x, 'faces': faces, 'd': faces / 7.0, 'label': np.arange(7.0), 'z': faces[:2] * 1j, 's': {'a': 1}, 't': 'text'}, do_compression=compress)
scipy.io.savemat(f + '/one.mat', {'x': faces, 'scalar': 3.0})
b = open(f + '/plain.mat', 'rb').read()
open(f + '/cut.mat', 'wb').write(b[:-100])
c = bytearray(open(f + '/packed.mat', 'rb').read())
c[160] ^= 4
open(f + '/flipped.mat', 'wb').write(c)
# A variable whose numbers are fewer than its extents say.
b = bytearray(open(f + '/one.mat', 'rb').read())
at = b.index(b'\2\0\0\0' + bytes([210, 0, 0, 0]), 128)
b[at + 4] = 20
open(f + '/short.mat', 'wb').write(b)
h = bytearray(open(f + '/one.mat', 'rb').read())
h[125] = 2
open(f + '/v73.mat', 'wb').write(h)
open(f + '/text.mat', 'w').write('no MATLAB file ' * 40)
)";

TEST(ImportMat, EqualsScipyCompressedOrNot) {
  UNCHANNEL_NEEDS_PYTHON("scipy");
  const TempDir folder;
  PythonOracle::run(kWriteMat, folder.path().string());
  for (const std::string name : {"plain", "packed"}) {
    const auto import = [&](const char* variable, const char* layout, std::vector<std::uint64_t> reshape, const std::string& out) {
      MatImportOptions options;
      options.variable = variable;
      options.layout = layout;
      options.reshape = std::move(reshape);
      if (out != "x") options.labels = "label";
      import_mat(folder / (name + ".mat"), options, folder / (name + "_" + out + ".h5"));
    };
    import("x", "HWCN", {}, "x");
    import("faces", "HWN", {6, 5, 7}, "faces");
    import("d", "DN", {}, "d");
  }
  PythonOracle::run(R"(
import sys, h5py, numpy as np, scipy.io
for name in ('plain', 'packed'):
    m = scipy.io.loadmat(sys.argv[1] + f'/{name}.mat')
    def rows(what): return h5py.File(sys.argv[1] + f'/{name}_{what}.h5')['signals'][:]
    assert np.abs(rows('x') - (m['x'].transpose(3, 2, 0, 1) / 127.5 - 1)).max() < 2e-7
    # MATLAB's reshape(faces(:, k), 6, 5).
    expected = np.stack([m['faces'][:, k].reshape(6, 5, order='F') for k in range(7)])
    assert np.abs(rows('faces')[:, 0] - (expected / 127.5 - 1)).max() < 2e-7
    assert np.array_equal(rows('d'), m['d'].T.astype('f4'))
    assert list(h5py.File(sys.argv[1] + f'/{name}_d.h5')['label'][:]) == list(range(7))
)",
                    folder.path().string());
}

TEST(ImportMat, DamagedAndUnsuitableFilesEndInMessagesNotInInventedNumbers) {
  UNCHANNEL_NEEDS_PYTHON("scipy");
  const TempDir folder;
  PythonOracle::run(kWriteMat, folder.path().string());
  const auto message = [&](const char* name, const char* variable = "", const char* layout = "DN") {
    MatImportOptions options;
    options.variable = variable;
    options.layout = layout;
    return thrown_message<Error>([&] { import_mat(folder / name, options, folder / "wrong.h5"); });
  };
  const auto expect = [](const std::string& text, const char* part) { EXPECT_TRUE(says(text, part)) << text; };
  expect(message("plain.mat"), "holds several arrays");
  expect(message("plain.mat", "face"), "Did you mean 'faces'?");
  expect(message("plain.mat", "s"), "s is struct");
  expect(message("plain.mat", "z"), "z is complex double");
  expect(message("plain.mat", "faces", ""), "say where the rows are");
  expect(message("cut.mat", "x"), "is cut off");
  expect(message("flipped.mat", "x"), "cannot be inflated, or its checksum is wrong");
  expect(message("short.mat"), "holds 20 bytes of numbers where its extents [30, 7] need 210");
  expect(message("v73.mat"), "(v7.3). In MATLAB, save it with -v7");
  expect(message("text.mat"), "is no MATLAB v5 file");
  expect(message("none.mat"), "no such file");
  EXPECT_FALSE(std::filesystem::exists(folder / "wrong.h5"));
  MatImportOptions options;
  options.layout = "DN";
  EXPECT_EQ(import_mat(folder / "one.mat", options, folder / "one.h5").rows, 7u);
}

TEST(ExportNpy, NumpyReadsBackEveryDatasetBitForBit) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  {
    DatasetWriter writer(folder / "a.h5", DatasetKind::observations, {2, 3});
    const std::vector<float> rows{1.5F, -2, 3, 4, 5, 6.25F, 7, 8, 9, 10, 11, 1e-30F}, ivar(12, 0.5F);
    const std::vector<std::uint8_t> mask{0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0};
    const std::vector<std::int32_t> latent{5, -6};
    const std::vector<std::int64_t> ids{7, 1LL << 60};
    const std::vector<double> snr{0.1, 0.2};
    writer.append(rows);
    writer.append_ivar(ivar);
    writer.append_mask(mask);
    writer.append_latent("n", {}, std::span<const std::int32_t>(latent));
    writer.append_object_ids(ids);
    writer.append_column("snr", std::span<const double>(snr));
    writer.close();
  }
  const DatasetReader reader(folder / "a.h5");
  for (const std::string name : {"observations", "ivar", "mask", "latents/n", "object_id", "snr"}) {
    const std::string file = name.substr(name.find('/') == std::string::npos ? 0 : name.find('/') + 1) + ".npy";
    export_npy(reader, name == "observations" ? "" : name, folder / file);
  }
  PythonOracle::run(R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1] + '/a.h5') as file:
    for name, dtype in (('observations', 'f4'), ('ivar', 'f4'), ('mask', 'u1'), ('latents/n', 'i4'), ('object_id', 'i8'), ('snr', 'f8')):
        a = np.load(sys.argv[1] + '/' + name.split('/')[-1] + '.npy')
        assert a.dtype == dtype and np.array_equal(a, file[name][:]), name
)",
                    folder.path().string());
  const std::string text = thrown_message<DataError>([&] { export_npy(reader, "latent/n", folder / "x.npy"); });
  EXPECT_TRUE(says(text, "Did you mean 'latents/n'?")) << text;
  EXPECT_TRUE(says(thrown_message<DataError>([&] { export_npy(reader, "", folder / "none" / "x.npy"); }), "none"));
}

}  // namespace
}  // namespace unchannel
