#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

namespace fs = std::filesystem;
using test_support::message_of;
using test_support::TempDir;

std::ptrdiff_t files_in(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), fs::directory_iterator()); }

mode_t permissions(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 0777;
}

TEST(AtomicFile, AppearsOnlyWhenItIsCommitted) {
  const TempDir folder;
  AtomicFile file(folder / "result.bin");
  std::ofstream(file.path()) << "content";
  EXPECT_FALSE(fs::exists(folder / "result.bin"));
  file.commit();
  EXPECT_EQ(read_file(folder / "result.bin"), "content");
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(AtomicFile, LeavesNothingBehindWhenItIsNotCommitted) {
  const TempDir folder;
  write_file_atomically(folder / "result.bin", "old");
  {
    AtomicFile file(folder / "result.bin");
    std::ofstream(file.path()) << "half of the n";
    EXPECT_EQ(files_in(folder.path()), 2);
  }
  EXPECT_EQ(files_in(folder.path()), 1);
  EXPECT_EQ(read_file(folder / "result.bin"), "old");
}

TEST(AtomicFile, IsPrivateWhileWrittenAndFollowsTheUmaskAfterwards) {
  const TempDir folder;
  const mode_t before = ::umask(027);
  AtomicFile file(folder / "result.bin");
  EXPECT_EQ(permissions(file.path()), mode_t{0600});
  file.commit();
  EXPECT_EQ(::umask(before), mode_t{027}) << "the process's umask was changed";
  EXPECT_EQ(permissions(folder / "result.bin"), mode_t{0640});
}

TEST(AtomicFile, WorksInTheCurrentFolderWithoutAFolderName) {
  const TempDir folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomically("result.txt", "here");
  fs::current_path(before);
  EXPECT_EQ(read_file(folder / "result.txt"), "here");
}

TEST(AtomicFile, MissingFolderIsRefusedWithTheTargetsName) {
  const TempDir folder;
  const std::string target = (folder / "absent/result.bin").string();
  try {
    AtomicFile file(target);
    FAIL() << "a file in a missing folder was opened";
  } catch (const DataError& error) {
    EXPECT_EQ(std::string(error.what()),
              target + ": cannot be written: No such file or directory. Check that the folder exists and is writable.");
  }
}

/// Runs `work` in a child process, since it changes limits or the user; returns the child's exit code.
template <class Work>
int exit_code_of_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (...) {
      code = 98;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(AtomicFile, UnwritableFolderIsRefused) {
  const TempDir folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  const int code = exit_code_of_child([&] {
    if (::getuid() == 0 && ::setuid(65534) != 0) return 97;  // root may write everywhere
    try {
      AtomicFile file(folder / "result.bin");
    } catch (const DataError& error) {
      const std::string message = error.what();
      return message.find("cannot be written: Permission denied.") != std::string::npos ? 0 : 1;
    }
    return 2;
  });
  fs::permissions(folder.path(), fs::perms::owner_all);
  EXPECT_EQ(code, 0);
}

TEST(AtomicFile, FullDiskLeavesTheOldFileAndNoRest) {
  const TempDir folder;
  write_file_atomically(folder / "result.bin", "old");
  const int code = exit_code_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);  // so that write() fails as it does on a full disk
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 97;
    try {
      write_file_atomically(folder / "result.bin", std::string(1 << 20, 'x'));
    } catch (const DataError& error) {
      const std::string message = error.what();
      return message.find("Free space or choose another folder.") != std::string::npos ? 0 : 1;
    }
    return 2;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(files_in(folder.path()), 1);
  EXPECT_EQ(read_file(folder / "result.bin"), "old");
}

TEST(AtomicFile, TargetThatIsAFolderIsRefused) {
  const TempDir folder;
  fs::create_directories(folder / "result/inside");
  // Before anything is written: hours of work must not end in the discovery of a wrong name.
  EXPECT_NE(message_of<DataError>([&] { AtomicFile file(folder / "result"); }).find("result: is a folder"), std::string::npos);
  EXPECT_EQ(files_in(folder.path()), 1);
}

TEST(ReadFile, GivesBackEveryByte) {
  const TempDir folder;
  const std::string bytes("\0binary\r\n\xff", 10);
  write_file_atomically(folder / "bytes", bytes);
  EXPECT_EQ(read_file(folder / "bytes"), bytes);
}

TEST(ReadFile, RefusesWhatIsMissingAFolderOrTooLarge) {
  const TempDir folder;
  write_file_atomically(folder / "five", "12345");
  EXPECT_EQ(read_file(folder / "five", 5), "12345");
  EXPECT_THROW(read_file(folder / "five", 4), DataError);
  EXPECT_THROW(read_file(folder / "absent"), DataError);
  EXPECT_THROW(read_file(folder.path()), DataError);
}

}  // namespace
}  // namespace unchannel
