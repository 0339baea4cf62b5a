#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <unchannel/base/error.hpp>
#include <unchannel/data/archive/byte_source.hpp>
#include <unchannel/data/images/image_import.hpp>

#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

std::string file_bytes(const std::filesystem::path& path) {
  FileSource file(path);
  return file.read_rest(std::uint64_t{1} << 28);
}

std::string reasons(const ImportReport& report) {
  std::string text;
  for (const SkippedItem& item : report.skipped) text += item.name + ": " + item.reason + "\n";
  return text;
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Writes pictures of every kind into the folder argv[1], deterministic.
constexpr const char* kWritePictures = R"(
import os, struct, sys, zlib, numpy as np
from PIL import Image
folder = sys.argv[1]
r = np.random.default_rng(5)
y, x = np.mgrid[0:21, 0:17]
smooth = np.stack([(40 + 9 * y + x) % 256, (200 - 7 * x + y) % 256, (5 * x + 3 * y) % 256], -1).astype('u1')
noise = r.integers(0, 256, (21, 17, 3), dtype='u1')
def save(name, array, mode=None, **options):
    Image.fromarray(array, mode).save(os.path.join(folder, name), **options)
save('rgb.png', noise)
save('grey.png', noise[..., 0])
Image.fromarray(noise[..., 0] > 127).save(os.path.join(folder, 'bit.png'))
Image.fromarray(smooth).quantize(16).save(os.path.join(folder, 'palette.png'))
save('opaque.png', np.dstack([noise, np.full((21, 17), 255, 'u1')]))
save('transparent.png', np.dstack([noise, noise[..., 0]]))
Image.fromarray((noise[..., 0].astype('u2') << 8) | noise[..., 1]).save(os.path.join(folder, 'deep.png'))
save('rgb.jpg', smooth, quality=90, subsampling=2)
save('progressive.JPEG', smooth, quality=75, progressive=True)
save('grey.jpg', smooth[..., 0], quality=60)
Image.fromarray(np.dstack([smooth, smooth[..., 0]]), 'CMYK').save(os.path.join(folder, 'cmyk.jpg'))

# An interlaced PNG (Adam7), which Pillow does not write.
def chunk(kind, data): return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
rows = b''
for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
    for line in noise[y0::dy, x0::dx]: rows += b'\0' + line.tobytes()
with open(os.path.join(folder, 'interlaced.png'), 'wb') as file:
    file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 17, 21, 8, 2, 0, 0, 1)) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))
)";

TEST(DecodeImage, EqualsPillowForEveryKindOfPngAndJpeg) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(kWritePictures, folder.path().string());
  PythonOracle::run(R"(
import glob, os, sys, numpy as np
from PIL import Image
for path in glob.glob(sys.argv[1] + '/*'):
    if 'cmyk' in path or 'transparent' in path: continue
    image = Image.open(path)
    array = np.asarray(image.convert('L') if image.mode == '1' else image.convert('RGB') if image.mode in ('P', 'RGBA') else image)
    array.astype('<u2').tofile(path + '.levels')
)",
                    folder.path().string());
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".levels") continue;
    const std::string name = entry.path().stem().string();
    const Image image = decode_image(file_bytes(folder / name));
    const std::string expected = file_bytes(entry.path());
    EXPECT_EQ(image.height, 21u) << name;
    EXPECT_EQ(image.width, 17u) << name;
    EXPECT_EQ(image.max_level, name == "deep.png" ? 65535u : 255u) << name;
    ASSERT_EQ(image.levels.size() * 2, expected.size()) << name;
    EXPECT_EQ(std::memcmp(image.levels.data(), expected.data(), expected.size()), 0) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 10u);
  EXPECT_TRUE(says(thrown_message<DataError>([&] { decode_image(file_bytes(folder / "transparent.png")); }), "transparent pixels"));
  EXPECT_TRUE(says(thrown_message<DataError>([&] { decode_image(file_bytes(folder / "cmyk.jpg")); }), "4 colour components"));
}

TEST(DecodeImage, TruncatedPicturesAreRefusedNotFilledWithGrey) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(kWritePictures, folder.path().string());
  for (const char* name : {"rgb.png", "interlaced.png", "rgb.jpg", "progressive.JPEG"}) {
    const std::string bytes = file_bytes(folder / name);
    // The last bytes are the end marker of a JPEG and the empty end chunk of a PNG: nothing before them may be missing.
    for (std::size_t length = 0; length + 12 < bytes.size(); length += 7) {
      EXPECT_NE(thrown_message<DataError>([&] { decode_image(bytes.substr(0, length)); }), "") << name << " " << length;
    }
  }
}

TEST(DecodeImage, ClaimsOfHugePicturesAreRefusedBeforeMemoryIsTaken) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(R"(
import struct, sys, zlib
def chunk(kind, data): return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
def png(name, w, h, data): open(sys.argv[1] + name, 'wb').write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(data)) + chunk(b'IEND', b''))
png('/huge.png', 100000, 100000, b'\0' * 100)
png('/lie.png', 8000, 8000, b'\0' * 100)
from PIL import Image
Image.new('L', (16, 16)).save(sys.argv[1] + '/small.jpg')
b = bytearray(open(sys.argv[1] + '/small.jpg', 'rb').read())
k = b.index(b'\xff\xc0')
b[k + 5:k + 9] = b'\x7f\xff\x7f\xff'
open(sys.argv[1] + '/huge.jpg', 'wb').write(b)
)",
                    folder.path().string());
  const auto reason = [&](const char* name) { return thrown_message<DataError>([&] { decode_image(file_bytes(folder / name)); }); };
  EXPECT_TRUE(says(reason("huge.png"), "100000 x 100000 pixels; at most")) << reason("huge.png");
  EXPECT_TRUE(says(reason("lie.png"), "cannot hold the 8000 x 8000 pixels")) << reason("lie.png");
  EXPECT_TRUE(says(reason("huge.jpg"), "pixels; at most")) << reason("huge.jpg");
}

TEST(FitImage, IsTheMeanOverExactAreas) {
  // 5 × 3 → 3 × 2 stretched. Oracle: repeat every pixel 3 × 2 times, then average blocks of 5 × 3 of the 15 × 6 picture.
  Image image{5, 3, 1, 255, {}};
  for (std::uint16_t k = 0; k < 15; ++k) image.levels.push_back(static_cast<std::uint16_t>(k * k));
  const std::vector<float> result = fit_image(image, 1, {3, 2}, FitMode::stretch);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2; ++j) {
      double sum = 0;
      for (int y = 5 * i; y < 5 * i + 5; ++y) {
        for (int x = 3 * j; x < 3 * j + 3; ++x) sum += image.levels[static_cast<std::size_t>(y / 3 * 3 + x / 2)];
      }
      EXPECT_NEAR(result[static_cast<std::size_t>(i * 2 + j)], sum / 15, 1e-6 * 196) << i << " " << j;
    }
  }
}

TEST(FitImage, CropTakesTheCentreAndKeepsTheAspectRatio) {
  // 4 × 8, value = column: the centred 4 × 4 part are columns 2 … 5, halved: means 2.5 and 4.5.
  Image image{4, 8, 1, 255, {}};
  for (int y = 0; y < 4; ++y) {
    for (std::uint16_t x = 0; x < 8; ++x) image.levels.push_back(x);
  }
  EXPECT_EQ(fit_image(image, 1, {2, 2}, FitMode::crop), (std::vector<float>{2.5F, 4.5F, 2.5F, 4.5F}));
  EXPECT_EQ(fit_image(image, 1, {2, 2}, FitMode::stretch), (std::vector<float>{1.5F, 5.5F, 1.5F, 5.5F}));
}

TEST(FitImage, EqualSizeChangesNothingAndPlanesConvert) {
  const Image image{1, 2, 3, 255, {10, 20, 30, 255, 0, 0}};
  EXPECT_EQ(fit_image(image, 3, {1, 2}, FitMode::crop), (std::vector<float>{10, 255, 20, 0, 30, 0}));
  const std::vector<float> grey = fit_image(image, 1, {1, 2}, FitMode::crop);
  EXPECT_NEAR(grey[0], 0.299 * 10 + 0.587 * 20 + 0.114 * 30, 1e-5);
  EXPECT_NEAR(grey[1], 0.299 * 255, 1e-5);
  const Image single{1, 1, 1, 255, {7}};
  EXPECT_EQ(fit_image(single, 3, {1, 1}, FitMode::crop), (std::vector<float>{7, 7, 7}));
}

TEST(FitImage, EqualsPillowsReduceForWholeFactors) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
from PIL import Image
a = np.random.default_rng(2).integers(0, 256, (24, 36, 3), dtype='u1')
Image.fromarray(a).save(sys.argv[1] + '/a.png')
np.moveaxis(np.asarray(Image.fromarray(a).reduce(4)), -1, 0).astype('u1').tofile(sys.argv[1] + '/expected')
)",
                    folder.path().string());
  const std::string expected = file_bytes(folder / "expected");
  const std::vector<float> result = fit_image(decode_image(file_bytes(folder / "a.png")), 3, {6, 9}, FitMode::crop);
  ASSERT_EQ(result.size(), expected.size());
  // Pillow rounds to whole levels.
  for (std::size_t k = 0; k < result.size(); ++k) EXPECT_NEAR(result[k], static_cast<unsigned char>(expected[k]), 0.5 + 1e-4);
}

TEST(ParseImageSize, TakesOneNumberOrTwoAndNothingElse) {
  EXPECT_EQ(parse_image_size("64"), (ImageSize{64, 64}));
  EXPECT_EQ(parse_image_size("48x64"), (ImageSize{48, 64}));
  for (const char* wrong : {"", "0", "64x", "x64", "-3", "64 x 64", "64X64", "70000", "1e3", "60000x60000"}) {
    EXPECT_TRUE(says(thrown_message<ConfigError>([&] { parse_image_size(wrong); }), "--size")) << wrong;
  }
}

// Two classes of pictures, some broken, below argv[1].
constexpr const char* kWriteClasses = R"(
import os, sys, numpy as np
from PIL import Image
root = sys.argv[1]
r = np.random.default_rng(8)
for k in range(6):
    folder = os.path.join(root, 'zebra' if k % 2 else 'ant')
    os.makedirs(folder, exist_ok=True)
    Image.fromarray(r.integers(0, 256, (6, 5, 3), dtype='u1')).save(os.path.join(folder, f'{k}.png'))
Image.fromarray(r.integers(0, 256, (6, 5), dtype='u1')).save(root + '/zebra/grey.png')
Image.fromarray(r.integers(0, 256, (7, 5, 3), dtype='u1')).save(root + '/zebra/tall.png')
open(root + '/ant/0broken.png', 'wb').write(open(root + '/ant/0.png', 'rb').read()[:60])
open(root + '/ant/1empty.jpg', 'wb').close()
open(root + '/ant/2text.jpg', 'w').write('hello')
open(root + '/ant/notes.txt', 'w').write('no picture')
)";

// Compares the data file argv[2] with the pictures that Pillow reads below argv[1].
constexpr const char* kCheckClasses = R"(
import os, sys, h5py, numpy as np
from PIL import Image
with h5py.File(sys.argv[2]) as file:
    names = [n.decode() for n in file['object_name'][:]]
    x = file['signals'][:]
    assert x.dtype == np.float32 and x.shape == (6, 3, 6, 5), x.shape
    assert sorted(names) == ['ant/0.png', 'ant/2.png', 'ant/4.png', 'zebra/1.png', 'zebra/3.png', 'zebra/5.png'], names
    for row, name in enumerate(names):
        expected = np.moveaxis(np.asarray(Image.open(os.path.join(sys.argv[1], name))), -1, 0) / 127.5 - 1
        assert np.abs(x[row] - expected).max() < 2e-7, name   # one rounding to float32 of numbers up to 1
        assert file['class'][row].decode() == name.split('/')[0] and file['label'][row] == (name[0] == 'z')
    assert len(set(file['object_id'][:])) == 6
    assert '-1' in file.attrs['normalisation'] and 'skipped' in file.attrs['provenance']
    print(list(file['object_id'][:]))
)";

TEST(ImportImageFolder, RowsEqualPillowsPicturesAndBrokenOnesAreNamed) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const auto root = folder / "set";
  PythonOracle::run(kWriteClasses, root.string());
  const ImportReport report = import_image_folder(root, {}, folder / "out.h5");
  const std::string ids = PythonOracle::run(kCheckClasses, root.string() + " " + (folder / "out.h5").string());
  EXPECT_EQ(report.rows, 6u);
  EXPECT_EQ(report.skipped_count, 5u);
  const std::string why = reasons(report);
  EXPECT_TRUE(says(why, "ant/0broken.png: damaged PNG file")) << why;
  EXPECT_TRUE(says(why, "ant/1empty.jpg: the file is empty")) << why;
  EXPECT_TRUE(says(why, "ant/2text.jpg: neither a PNG nor a JPEG")) << why;
  EXPECT_TRUE(says(why, "zebra/grey.png: has 1 planes, the first picture 3")) << why;
  EXPECT_TRUE(says(why, "zebra/tall.png: is 7 x 5 pixels, the first picture 6 x 5")) << why;
  EXPECT_FALSE(says(why, "notes.txt")) << why;
}

TEST(ImportImageFolder, SizeAndColourOptionsTakeWhatWouldBeSkipped) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const auto root = folder / "set";
  PythonOracle::run(kWriteClasses, root.string());
  ImageImportOptions options;
  options.size = ImageSize{4, 4};
  options.colour = ColourMode::grey;
  options.scale = ValueScale::unit;
  options.kind = DatasetKind::observations;
  const ImportReport report = import_image_folder(root, options, folder / "out.h5");
  EXPECT_EQ(report.rows, 8u);
  EXPECT_EQ(report.row_shape, (std::vector<std::uint64_t>{1, 4, 4}));
  EXPECT_EQ(DatasetReader(folder / "out.h5", DatasetKind::observations).rows(), 8u);
}

TEST(ImportImageFolder, RangesAreDisjointAndCountBrokenPictures) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const auto root = folder / "set";
  PythonOracle::run(kWriteClasses, root.string());
  // By path: ant/{0.png, 0broken.png, 1empty.jpg, 2.png, 2text.jpg, 4.png}, then zebra: items 0 to 10.
  ImageImportOptions options;
  options.first = 3;
  options.count = 3;
  import_image_folder(root, options, folder / "part.h5");
  EXPECT_EQ(*DatasetReader(folder / "part.h5").object_ids(), (std::vector<std::int64_t>{3, 5}));
  options.first = 1;
  options.count = 2;
  EXPECT_EQ(import_image_folder(root, options, folder / "none.h5").rows, 0u);
  EXPECT_FALSE(std::filesystem::exists(folder / "none.h5"));
}

TEST(ImportImageFolder, LinksPipesAndMissingFoldersEndInMessages) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const auto root = folder / "set";
  PythonOracle::run(kWriteClasses, root.string());
  std::filesystem::create_symlink("nowhere", root / "dangling.png");
  std::filesystem::create_symlink("ant/0.png", root / "link.png");
  std::filesystem::create_directory_symlink(root, root / "loop");
  PythonOracle::run("import os, sys; os.mkfifo(sys.argv[1])", (root / "pipe.png").string());
  const ImportReport report = import_image_folder(root, {}, folder / "out.h5");
  EXPECT_EQ(report.rows, 7u);
  const std::string why = reasons(report);
  EXPECT_TRUE(says(why, "dangling.png: ")) << why;
  EXPECT_TRUE(says(why, "pipe.png: ") && says(why, "is no regular file")) << why;
  EXPECT_TRUE(says(why, "loop: a link to a folder")) << why;
  const auto message = [&](const std::filesystem::path& from, const std::filesystem::path& to) {
    return thrown_message<DataError>([&] { import_image_folder(from, {}, to); });
  };
  EXPECT_TRUE(says(message(folder / "none", folder / "x.h5"), "no such folder"));
  EXPECT_TRUE(says(message(root, folder / "none" / "x.h5"), "does not exist"));
  std::filesystem::create_directory(folder / "empty");
  EXPECT_TRUE(says(message(folder / "empty", folder / "x.h5"), "holds no *.png"));
}

TEST(ImportImageFolder, AnInterruptionLeavesNoFile) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(kWriteClasses, (folder / "set").string());
  std::filesystem::create_directory(folder / "out");
  const auto stop = [](std::uint64_t done, std::uint64_t) {
    if (done == 4) throw std::runtime_error("stop");
  };
  EXPECT_THROW(import_image_folder(folder / "set", {}, folder / "out" / "out.h5", stop), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

TEST(ImportImageArchive, TarTarGzAndZipGiveTheRowsOfTheFolder) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  const auto root = folder / "set";
  PythonOracle::run(kWriteClasses, root.string());
  PythonOracle::run(R"(
import os, sys, tarfile, zipfile
root = sys.argv[1]
for name, mode in (('a.tar', 'w'), ('a.tar.gz', 'w:gz')):
    with tarfile.open(root + '/../' + name, mode) as tar:
        tar.add(root, arcname='')
        link = tarfile.TarInfo('ant/link.png'); link.type = tarfile.SYMTYPE; link.linkname = '/etc/passwd'; tar.addfile(link)
with zipfile.ZipFile(root + '/../a.zip', 'w', zipfile.ZIP_DEFLATED) as zip:
    for folder, _, files in os.walk(root):
        for file in files: zip.write(os.path.join(folder, file), os.path.relpath(os.path.join(folder, file), root))
)",
                    root.string());
  for (const std::string name : {"a.tar", "a.tar.gz", "a.zip"}) {
    ImageImportOptions options;
    options.colour = ColourMode::as_first;
    const ImportReport report = import_image_archive(folder / name, options, folder / "out.h5");
    PythonOracle::run(kCheckClasses, root.string() + " " + (folder / "out.h5").string());
    EXPECT_EQ(report.skipped_count, name == "a.zip" ? 5u : 6u) << name << "\n" << reasons(report);
  }
  ImageImportOptions options;
  options.under = "zebra";
  EXPECT_EQ(import_image_archive(folder / "a.tar.gz", options, folder / "z.h5").rows, 3u);
  options.under = "zeb";
  EXPECT_TRUE(says(thrown_message<DataError>([&] { import_image_archive(folder / "a.zip", options, folder / "n.h5"); }), "under zeb"));
}

TEST(ImportImageArchive, DamagedArchivesEndInAMessageAndNoFile) {
  UNCHANNEL_NEEDS_PYTHON("PIL");
  const TempDir folder;
  PythonOracle::run(kWriteClasses, (folder / "set").string());
  PythonOracle::run(R"(
import sys, tarfile
with tarfile.open(sys.argv[1] + '/a.tar.gz', 'w:gz') as tar: tar.add(sys.argv[1] + '/set', arcname='')
with tarfile.open(sys.argv[1] + '/a.tar', 'w') as tar: tar.add(sys.argv[1] + '/set', arcname='')
gz = open(sys.argv[1] + '/a.tar.gz', 'rb').read()
open(sys.argv[1] + '/cut.tar.gz', 'wb').write(gz[:len(gz) // 2])
open(sys.argv[1] + '/crc.tar.gz', 'wb').write(gz[:-8] + b'abcd' + gz[-4:])
tar = open(sys.argv[1] + '/a.tar', 'rb').read()
open(sys.argv[1] + '/cut.tar', 'wb').write(tar[:3000])
open(sys.argv[1] + '/between.tar', 'wb').write(tar.rstrip(b'\0') + b'\0' * (-len(tar.rstrip(b'\0')) % 512))
open(sys.argv[1] + '/text.tar', 'w').write('no archive at all ' * 100)
)",
                    folder.path().string());
  const auto message = [&](const char* name) {
    return thrown_message<DataError>([&] { import_image_archive(folder / name, {}, folder / "out.h5"); });
  };
  EXPECT_TRUE(says(message("cut.tar.gz"), "damaged or cut off")) << message("cut.tar.gz");
  EXPECT_TRUE(says(message("crc.tar.gz"), "damaged or cut off")) << message("crc.tar.gz");
  EXPECT_TRUE(says(message("cut.tar"), "no readable tar")) << message("cut.tar");
  EXPECT_TRUE(says(message("between.tar"), "empty blocks that end a tar file are missing")) << message("between.tar");
  EXPECT_TRUE(says(message("text.tar"), "no readable tar")) << message("text.tar");
  EXPECT_TRUE(says(message("none.tar"), "cannot be opened")) << message("none.tar");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.h5"));
}

}  // namespace
}  // namespace unchannel
