#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/plugin_host/elf_file.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

class ElfFile : public ::testing::Test {
 protected:
  std::string problem_of(const std::string& bytes) {
    write_file_atomically(temp_ / "x.so", bytes);
    return elf_problem(temp_ / "x.so");
  }
  const std::string good_ = read_file(GOOD_DIR "/awgn.so");
  test_support::TempDir temp_;
};

TEST_F(ElfFile, AcceptsAPlugin) { EXPECT_EQ(problem_of(good_), ""); }

TEST_F(ElfFile, NamesATextFile) { EXPECT_NE(problem_of("#!/bin/sh\necho hello\n").find("is no ELF file"), std::string::npos); }

TEST_F(ElfFile, NamesAnEmptyFile) { EXPECT_NE(problem_of("").find("is no ELF file"), std::string::npos); }

TEST_F(ElfFile, ReportsEveryTruncationAsCutShort) {
  // The section header table stands at the end, so any shorter prefix misses a part of it.
  for (std::size_t size : {std::size_t{4}, std::size_t{63}, std::size_t{64}, good_.size() / 4, good_.size() / 2, good_.size() - 1}) {
    EXPECT_NE(problem_of(good_.substr(0, size)).find("cut short"), std::string::npos) << size;
  }
}

TEST_F(ElfFile, NamesAForeignMachine) {
  std::string bytes = good_;
  const std::uint16_t machine = EM_RISCV;
  std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
  EXPECT_NE(problem_of(bytes).find("is built for riscv"), std::string::npos);
}

TEST_F(ElfFile, NamesA32BitLibrary) {
  std::string bytes = good_;
  bytes[EI_CLASS] = ELFCLASS32;
  EXPECT_NE(problem_of(bytes).find("32 bit"), std::string::npos);
}

TEST_F(ElfFile, NamesABigEndianLibrary) {
  std::string bytes = good_;
  bytes[EI_DATA] = ELFDATA2MSB;
  EXPECT_NE(problem_of(bytes).find("big-endian"), std::string::npos);
}

TEST_F(ElfFile, RefusesOffsetsThatOverflow) {
  std::string bytes = good_;
  const std::uint64_t offset = ~std::uint64_t{0} - 8;
  std::memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_shoff), &offset, sizeof offset);
  EXPECT_NE(problem_of(bytes).find("cut short"), std::string::npos);
}

TEST_F(ElfFile, SurvivesEveryDamagedHeaderByte) {
  for (std::size_t i = 0; i < sizeof(Elf64_Ehdr); ++i) {
    std::string bytes = good_;
    bytes[i] = static_cast<char>(~bytes[i]);
    problem_of(bytes);  // any answer will do, as long as there is one
  }
}

TEST_F(ElfFile, RefusesFoldersAndMissingFiles) {
  EXPECT_EQ(elf_problem(temp_.path()), "is no regular file.");
  EXPECT_EQ(elf_problem(temp_ / "missing.so"), "is no regular file.");
}

}  // namespace
}  // namespace unchannel
