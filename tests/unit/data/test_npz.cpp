#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/data/archive/archive.hpp>
#include <unchannel/data/archive/npy.hpp>

#include "python_oracle.hpp"
#include "thrown_message.hpp"

namespace unchannel {
namespace {

using test_support::PythonOracle;
using test_support::TempDir;
using test_support::thrown_message;

// A `.npy` file of version 1 with any header text.
std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string bytes = std::string("\x93NUMPY") + version + '\0';
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + data;
}

std::string floats(std::initializer_list<float> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(float));
}

TEST(Npy, FortranOrderBecomesRowMajor) {
  const NpyArray array = parse_npy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", floats({1, 4, 2, 5, 3, 6})), "a");
  EXPECT_EQ(array.shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(array.values, (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, AgreesWithNumpyForEveryTypeOrderAndRank) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
a = np.arange(24).reshape(2, 3, 4)
np.savez_compressed(sys.argv[1], f4=a.astype('<f4'), f8=np.asfortranarray(a.astype('<f8')), i4=a.astype('<i4'), i8=np.asfortranarray(a),
                    u1=a.astype('u1'), b1=(a > 11), scalar=np.float64(7), empty=np.zeros((3, 0)))
)",
                    (folder / "a.npz").string());
  const ArchiveEntries entries = read_archive(
      folder / "a.npz", [](const std::string&) { return true; }, 1 << 20);
  ASSERT_EQ(entries.size(), 8u);
  for (const std::string name : {"f4", "f8", "i4", "i8", "u1", "b1"}) {
    const NpyArray array = parse_npy(entries.at(name + ".npy"), name);
    ASSERT_EQ(array.shape, (std::vector<std::uint64_t>{2, 3, 4})) << name;
    for (std::size_t k = 0; k < 24; ++k)
      EXPECT_EQ(array.values[k], name == "b1" ? static_cast<double>(k > 11) : static_cast<double>(k)) << name;
  }
  EXPECT_EQ(parse_npy(entries.at("scalar.npy"), "scalar").values, std::vector<double>{7});
  EXPECT_TRUE(parse_npy(entries.at("empty.npy"), "empty").values.empty());
}

TEST(Npy, WrongHeadersAreRefusedBeforeMemoryIsTaken) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  EXPECT_EQ(parse_npy(npy(good, floats({1, 2})), "a").values, (std::vector<double>{1, 2}));
  const auto message = [](const std::string& bytes) { return thrown_message<DataError>([&] { parse_npy(bytes, "x.npy"); }); };
  struct Case {
    std::string bytes, expected;
  };
  const std::vector<Case> cases{
      {"", "no NumPy array"},
      {"PK\x03\x04 hello world", "no NumPy array"},
      {npy(good, floats({1})), "claims more elements"},
      {npy(good, floats({1, 2, 3})), "needs 8 bytes, but 12 follow"},
      {npy(good, floats({1, 2}), 9), "format version 9"},
      {npy(good, "").substr(0, 30), "truncated inside its header"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", floats({1, 2})), "claims more elements"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }", floats({1})), "not made of integers"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", floats({1})), "not made of integers"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", floats({1, 2})), "no tuple"},
      {npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", std::string(8, 'a')), "element type '>f8'"},
      {npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", std::string(8, 'a')), "element type '|O'"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", floats({1})), "structured array"},
      {npy("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", floats({1})), "neither True nor False"},
      {npy("{'descr': '<f4', 'shape': (1,), }", floats({1})), "no 'fortran_order'"},
  };
  for (const Case& wrong : cases) {
    const std::string text = message(wrong.bytes);
    EXPECT_NE(text.find(wrong.expected), std::string::npos) << wrong.expected << "\n" << text;
    EXPECT_TRUE(text.starts_with("x.npy")) << text;
  }
}

TEST(Npy, EveryTruncationAndRandomDamageEndInADataErrorOrAnArray) {
  const std::string good = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", floats({1, 2, 3, 4, 5, 6}));
  for (std::size_t length = 0; length < good.size(); ++length) EXPECT_THROW(parse_npy(good.substr(0, length), "cut"), DataError) << length;
  std::uint64_t state = 99;
  for (int round = 0; round < 20000; ++round) {
    std::string bad = good;
    for (int flip = 0; flip < 3; ++flip) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bad[(state >> 33) % bad.size()] = static_cast<char>(state >> 24);
    }
    try {
      EXPECT_LE(parse_npy(bad, "bad").values.size(), 24u);
    } catch (const DataError&) {
    }
  }
}

TEST(Archive, DamagedTruncatedAndOversizedZipFilesAreRefused) {
  UNCHANNEL_NEEDS_PYTHON("numpy");
  const TempDir folder;
  PythonOracle::run(R"(
import sys, numpy as np
np.savez_compressed(sys.argv[1], bomb=np.zeros(50_000_000), small=np.random.default_rng(1).random(1000))
)",
                    (folder / "a.npz").string());
  ASSERT_LT(std::filesystem::file_size(folder / "a.npz"), 600'000u);  // unpacks to 400 MB
  const auto all = [](const std::string&) { return true; };
  const auto message = [&](const std::filesystem::path& path) {
    return thrown_message<DataError>([&] { read_archive(path, all, std::uint64_t{64} << 20); });
  };
  EXPECT_NE(message(folder / "a.npz").find("unpacks to more bytes"), std::string::npos);
  EXPECT_NE(message(folder / "none.npz").find("no such file"), std::string::npos);
  EXPECT_EQ(read_archive(
                folder / "a.npz", [](const std::string& name) { return name == "small.npy"; }, 1 << 20)
                .size(),
            1u);
  std::ofstream(folder / "text.npz") << "this is text, not an archive, and long enough to be looked at";
  EXPECT_NE(message(folder / "text.npz").find("no readable zip file"), std::string::npos);
  std::filesystem::resize_file(folder / "a.npz", 200'000);
  EXPECT_NE(message(folder / "a.npz"), "");
}

}  // namespace
}  // namespace unchannel
