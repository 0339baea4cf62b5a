#include <gtest/gtest.h>

#include <filesystem>

#include <unchannel/base/error.hpp>
#include <unchannel/data/images/cifar.hpp>

#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Batches like CIFAR-10's, with 5 records each, in argv[1]/batches and as argv[1]/cifar.tar.gz.
constexpr const char* kWriteCifar = R"(
import gzip, os, sys, tarfile, numpy as np
f = sys.argv[1] + '/batches'
os.mkdir(f)
for k, name in enumerate(['data_batch_1', 'data_batch_2', 'test_batch']):
    r = np.random.default_rng(k)
    records = np.concatenate([r.integers(0, 10, (5, 1)), r.integers(0, 256, (5, 3072))], 1).astype('u1')
    open(f + f'/{name}.bin', 'wb').write(records.tobytes())
open(f + '/batches.meta.txt', 'w').write('airplane\n')
with tarfile.open(sys.argv[1] + '/cifar.tar.gz', 'w:gz') as tar: tar.add(f, arcname='cifar-10-batches-bin')
b = open(f + '/data_batch_1.bin', 'rb').read()
gzip.open(sys.argv[1] + '/data_batch_1.bin.gz', 'wb').write(b)
os.mkdir(sys.argv[1] + '/broken')
open(sys.argv[1] + '/broken/data_batch_1.bin', 'wb').write(b[:-1])
open(sys.argv[1] + '/broken/data_batch_2.bin', 'wb').write(b)
open(sys.argv[1] + '/broken/data_batch_3.bin', 'wb').write(b'\x0a' + b[1:])
open(sys.argv[1] + '/broken/data_batch_4.bin', 'wb').close()
)";

constexpr const char* kCheckCifar = R"(
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as file:
    x, y, names = file['signals'][:], file['label'][:], [n.decode() for n in file['object_name'][:]]
    assert x.shape == (10, 3, 32, 32) and x.dtype == np.float32
    for row, name in enumerate(names):
        batch, record = name.split('#')
        r = np.random.default_rng(int(batch[11]) - 1)
        labels, pixels = r.integers(0, 10, (5, 1)), r.integers(0, 256, (5, 3072))
        # 1024 red, 1024 green, 1024 blue, each row by row.
        assert np.abs(x[row] - (pixels[int(record)].reshape(3, 32, 32) / 127.5 - 1)).max() < 2e-7
        assert y[row] == labels[int(record), 0]
    assert sorted(file['object_id'][:]) == list(range(10))
)";

TEST(ImportCifar, FolderArchiveAndFilesGiveTheRecordsThatNumpyMade) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(kWriteCifar, folder.path().string());
  EXPECT_EQ(import_cifar({folder / "batches"}, {}, folder / "folder.h5").rows, 10u);
  import_cifar({folder / "cifar.tar.gz"}, {}, folder / "archive.h5");
  import_cifar({folder / "data_batch_1.bin.gz", folder / "batches" / "data_batch_2.bin"}, {}, folder / "files.h5");
  for (const char* name : {"folder.h5", "archive.h5"}) PythonOracle::run(kCheckCifar, (folder / name).string());
  EXPECT_EQ(DatasetReader(folder / "files.h5").rows(), 10u);
  CifarImportOptions options;
  options.split = CifarSplit::test;
  options.first = 1;
  options.count = 3;
  EXPECT_EQ(import_cifar({folder / "cifar.tar.gz"}, options, folder / "test.h5").rows, 3u);
  const DatasetReader test(folder / "test.h5");
  EXPECT_EQ(test.text_column("object_name")->front(), "test_batch.bin#1");
}

TEST(ImportCifar, BrokenBatchesAreSkippedAsAWholeWithTheReason) {
  UNCHANNEL_NEEDS_PYTHON("h5py");
  const TempDir folder;
  PythonOracle::run(kWriteCifar, folder.path().string());
  const ImportReport report = import_cifar({folder / "broken"}, {}, folder / "out.h5");
  EXPECT_EQ(report.rows, 5u);
  ASSERT_EQ(report.skipped_count, 3u);
  EXPECT_TRUE(says(report.skipped[0].reason, "no whole number of CIFAR-10 records")) << report.skipped[0].reason;
  EXPECT_TRUE(says(report.skipped[1].reason, "record 0 has label 10")) << report.skipped[1].reason;
  EXPECT_EQ(report.skipped[2].name, "data_batch_4.bin");
  const auto message = [&](const char* name) {
    return thrown_message<DataError>([&] { import_cifar({folder / name}, {}, folder / "none.h5"); });
  };
  EXPECT_TRUE(says(message("missing"), "no such file or folder"));
  std::filesystem::create_directory(folder / "empty");
  EXPECT_TRUE(says(message("empty"), "The binary version"));
  EXPECT_FALSE(std::filesystem::exists(folder / "none.h5"));
}

}  // namespace
}  // namespace unchannel
