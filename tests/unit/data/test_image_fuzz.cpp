// Damaged files of every format that comes from elsewhere: each ends in rows or in an Error with a message, never in a crash. Run under
// AddressSanitizer, too (preset asan): libraries read these bytes as well as we do.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unchannel/base/error.hpp>
#include <unchannel/data/archive/archive_stream.hpp>
#include <unchannel/data/arrays/idx_import.hpp>
#include <unchannel/data/arrays/mat_import.hpp>
#include <unchannel/data/arrays/npy_import.hpp>
#include <unchannel/data/images/cifar.hpp>
#include <unchannel/data/images/image.hpp>

#include "python_oracle.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;

// Deterministic damage: 1 to 4 bytes are replaced, in every second round near the beginning, where headers are; every fifth is cut off.
class Damage {
 public:
  explicit Damage(std::string good) : good_(std::move(good)) {}

  std::string next() {
    std::string bad = good_;
    for (int flip = 0; flip <= round_ % 4; ++flip) {
      const std::size_t reach = round_ % 2 == 0 ? bad.size() : std::min<std::size_t>(bad.size(), 300);
      bad[draw() % reach] = static_cast<char>(draw());
    }
    if (round_++ % 5 == 0) bad.resize(draw() % bad.size());
    return bad;
  }

 private:
  std::uint64_t draw() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }

  std::string good_;
  std::uint64_t state_ = 2024;
  int round_ = 0;
};

std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Calls use(damaged bytes) `rounds` times; returns how many rounds ended in an Error. Any other exception fails the test.
template <class Use>
int fuzz(const std::filesystem::path& good, int rounds, Use&& use) {
  Damage damage(file_bytes(good));
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string bad = damage.next();
    try {
      use(bad);
    } catch (const Error& error) {
      EXPECT_GT(std::string(error.what()).size(), 5u);
      ++refused;
    }
  }
  return refused;
}

TEST(ImageFuzz, PicturesAreDecodedOrRefused) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
from PIL import Image
y, x = np.mgrid[0:40, 0:33]
a = np.stack([6 * y % 256, 7 * x % 256, (x * y) % 256], -1).astype('u1')
f = sys.argv[1]
Image.fromarray(a).save(f + '/0.png')
Image.fromarray(a).quantize(7).save(f + '/1.png')
Image.fromarray((a[..., 0].astype('u2') << 8)).save(f + '/2.png')
Image.fromarray(a).save(f + '/3.jpg', quality=80)
Image.fromarray(a).save(f + '/4.jpg', quality=80, progressive=True)
Image.fromarray(a[..., 0]).save(f + '/5.jpg', restart_marker_rows=1)
)",
                    folder.path().string());
  for (const char* name : {"0.png", "1.png", "2.png", "3.jpg", "4.jpg", "5.jpg"}) {
    const int refused = fuzz(folder / name, 1500, [](const std::string& bytes) { decode_image(bytes); });
    // Cut files alone are a fifth; a PNG has checksums over everything.
    EXPECT_GT(refused, std::string(name).ends_with("png") ? 1350 : 300) << name;
  }
}

TEST(ImageFuzz, ArchivesAreReadOrRefused) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, tarfile, zipfile
f = sys.argv[1]
for k in range(4): open(f + f'/{k}.txt', 'wb').write(bytes(range(200)) * (k + 1))
for name, mode, form in (('a.tar', 'w', tarfile.GNU_FORMAT), ('b.tar', 'w', tarfile.PAX_FORMAT), ('c.tar.gz', 'w:gz', tarfile.PAX_FORMAT)):
    with tarfile.open(f + '/' + name, mode, format=form) as tar:
        for k in range(4): tar.add(f + f'/{k}.txt', arcname='x' * 60 * k + f'ä{k}.png')
with zipfile.ZipFile(f + '/d.zip', 'w', zipfile.ZIP_DEFLATED) as zip:
    for k in range(4): zip.write(f + f'/{k}.txt')
)",
                    folder.path().string());
  for (const char* name : {"a.tar", "b.tar", "c.tar.gz", "d.zip"}) {
    const int refused = fuzz(folder / name, 1000, [&](const std::string& bytes) {
      std::ofstream(folder / "bad", std::ios::binary) << bytes;
      ArchiveStream archive(folder / "bad");
      ArchiveEntry entry;
      while (archive.next(entry)) archive.content().read_rest(1 << 20);
    });
    EXPECT_GT(refused, 190) << name;
  }
}

TEST(ImageFuzz, ArraysAreImportedOrRefused) {
  UNCHANNEL_NEEDS_PYTHON("scipy");
  const TempDir folder;
  PythonOracle::run(R"(
import struct, sys, numpy as np, scipy.io
f = sys.argv[1]
x = np.random.default_rng(1).integers(0, 256, (3, 40), dtype='u1')
open(f + '/a.idx', 'wb').write(bytes([0, 0, 8, 2]) + struct.pack('>2I', 3, 40) + x.tobytes())
np.save(f + '/a.npy', x.astype('f4'))
np.savez_compressed(f + '/a.npz', x=x)
variables = {'x': x, 'y': x / 3.0, 'z': x * 1j, 's': {'a': 1, 'b': 'c'}, 'c': np.array(['a', 'bc'], dtype=object)}
scipy.io.savemat(f + '/plain.mat', variables)
scipy.io.savemat(f + '/packed.mat', variables, do_compression=True)
open(f + '/data_batch_1.bin', 'wb').write(bytes([3]) + bytes(3072) + bytes([4]) + bytes(3072))
)",
                    folder.path().string());
  const auto store = [&](const std::string& bytes, const char* name) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  };
  const auto out = folder / "out.h5";
  IdxImportOptions idx;
  EXPECT_GT(fuzz(folder / "a.idx", 150, [&](const std::string& bytes) { import_idx(store(bytes, "bad"), idx, out); }), 30);
  NpyImportOptions npy;
  EXPECT_GT(fuzz(folder / "a.npy", 150, [&](const std::string& bytes) { import_npy(store(bytes, "bad"), npy, out); }), 30);
  EXPECT_GT(fuzz(folder / "a.npz", 150, [&](const std::string& bytes) { import_npy(store(bytes, "bad"), npy, out); }), 30);
  EXPECT_GT(fuzz(folder / "data_batch_1.bin", 60,
                 [&](const std::string& bytes) {
                   if (import_cifar({store(bytes, "data_batch_1.bin.bad")}, {}, out).rows == 0) throw DataError("skipped");
                 }),
            10);
  for (const char* name : {"plain.mat", "packed.mat"}) {
    // Compressed variables have a checksum each; the others only their lengths.
    EXPECT_GT(fuzz(folder / name, 1500, [&](const std::string& bytes) { open_mat(store(bytes, "bad"), "y"); }), 300) << name;
  }
}

}  // namespace
}  // namespace unchannel
