#include <gtest/gtest.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

// Known answers: FIPS 180-4 examples (NIST "SHA256.pdf" and the SHA test vectors for one million letters a).
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kTwoBlocks = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
constexpr const char* kMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, TextAgreesWithTheStandardsExamples) {
  EXPECT_EQ(sha256_text(""), kEmpty);
  EXPECT_EQ(sha256_text("abc"), kAbc);
  EXPECT_EQ(sha256_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), kTwoBlocks);
  EXPECT_EQ(sha256_text(std::string(1000000, 'a')), kMillionA);
}

TEST(Sha256, FileAgreesWithTextAlsoBeyondOneReadBuffer) {
  const test_support::TempDir folder;
  write_file_atomically(folder / "empty", "");
  EXPECT_EQ(sha256_file(folder / "empty"), kEmpty);
  const std::string large(3 * (std::size_t{1} << 20) + 17, 'z');
  write_file_atomically(folder / "large", large);
  EXPECT_EQ(sha256_file(folder / "large"), sha256_text(large));
}

TEST(Sha256, MissingFileAndFolderAreRefused) {
  const test_support::TempDir folder;
  EXPECT_THROW(sha256_file(folder / "absent"), DataError);
  EXPECT_THROW(sha256_file(folder.path()), DataError);
}

}  // namespace
}  // namespace unchannel
