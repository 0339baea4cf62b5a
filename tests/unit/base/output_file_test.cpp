#include <gtest/gtest.h>

#include <filesystem>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

namespace fs = std::filesystem;
using test_support::message_of;
using test_support::TempDir;

bool refused(const fs::path& output, const fs::path& input) {
  try {
    refuse_same_file("--output", output, {input});
  } catch (const ConfigError&) {
    return true;
  }
  return false;
}

TEST(OutputFile, IsRefusedWhenItIsAnInputByAnyName) {
  const TempDir folder;
  write_file_atomically(folder / "a", "text");
  fs::create_symlink(folder / "a", folder / "link");
  fs::create_hard_link(folder / "a", folder / "second");
  EXPECT_TRUE(refused(folder / "a", folder / "a"));
  EXPECT_TRUE(refused(folder / "." / "a", folder / "a"));
  EXPECT_TRUE(refused(folder / "link", folder / "a"));
  EXPECT_TRUE(refused(folder / "a", folder / "second"));
  EXPECT_TRUE(refused(fs::relative(folder / "a"), folder / "a"));
}

TEST(OutputFile, IsComparedByNameWhileItDoesNotExist) {
  const TempDir folder;
  fs::create_directory(folder / "real");
  fs::create_directory_symlink(folder / "real", folder / "link");
  EXPECT_TRUE(refused(folder / "new", folder / "real" / ".." / "new"));
  EXPECT_TRUE(refused(folder / "link" / "new", folder / "real" / "new"));
  EXPECT_FALSE(refused(folder / "new", folder / "other"));
}

TEST(OutputFile, MayBeAnythingElse) {
  const TempDir folder;
  write_file_atomically(folder / "a", "text");
  write_file_atomically(folder / "b", "text");
  EXPECT_FALSE(refused(folder / "a", folder / "b"));
  EXPECT_FALSE(refused(folder / "a", ""));
  EXPECT_FALSE(refused("", ""));
}

TEST(OutputFile, IsNamedWithItsOptionAndTheInput) {
  const TempDir folder;
  const std::string path = (folder / "a.h5").string();
  EXPECT_EQ(message_of<ConfigError>([&] {
              refuse_same_file("--reference", path, {"", path});
            }),
            "--reference " + path + ": is the same file as " + path + ", which would be lost. Choose another name for the output.");
}

}  // namespace
}  // namespace unchannel
