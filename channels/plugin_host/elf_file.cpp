#include "elf_file.hpp"

#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

namespace unchannel {
namespace {

#if defined(__x86_64__)
constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t kMachine = EM_AARCH64;
#else
#error "add the ELF machine number of this platform"
#endif

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_PPC64:
      return "ppc64";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("ELF machine {}", machine);
  }
}

template <class Header>
std::vector<Header> read_table(std::ifstream& in, std::uint64_t offset, std::size_t count) {
  std::vector<Header> table(count);
  in.seekg(static_cast<std::streamoff>(offset));
  in.read(reinterpret_cast<char*>(table.data()), static_cast<std::streamsize>(count * sizeof(Header)));
  return table;
}

/// True when [offset, offset + bytes) lies inside a file of `size` bytes, without overflow.
bool inside(std::uint64_t offset, std::uint64_t bytes, std::uint64_t size) { return offset <= size && bytes <= size - offset; }

std::string truncated(std::uint64_t size, const char* what, std::uint64_t end) {
  return fmt::format("the file is cut short: its {} would end at byte {}, but the file has {} bytes. Copy or build it again.", what, end,
                     size);
}

std::string extents_problem(std::ifstream& in, const Elf64_Ehdr& header, std::uint64_t size) {
  const std::uint64_t program_bytes = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  const std::uint64_t section_bytes = std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (!inside(header.e_phoff, program_bytes, size)) return truncated(size, "program header table", header.e_phoff + program_bytes);
  if (!inside(header.e_shoff, section_bytes, size)) return truncated(size, "section header table", header.e_shoff + section_bytes);
  bool dynamic = false;
  for (const Elf64_Phdr& segment : read_table<Elf64_Phdr>(in, header.e_phoff, header.e_phnum)) {
    dynamic = dynamic || segment.p_type == PT_DYNAMIC;
    if (!inside(segment.p_offset, segment.p_filesz, size)) return truncated(size, "segments", segment.p_offset + segment.p_filesz);
  }
  for (const Elf64_Shdr& section : read_table<Elf64_Shdr>(in, header.e_shoff, header.e_shnum)) {
    if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) continue;
    if (!inside(section.sh_offset, section.sh_size, size)) return truncated(size, "sections", section.sh_offset + section.sh_size);
  }
  return dynamic ? "" : "is an ELF file without a dynamic section, so no shared library.";
}

}  // namespace

std::string elf_problem(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return "is no regular file.";
  const std::uint64_t size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  if (error || !in) return fmt::format("cannot be read: {}.", std::strerror(errno));

  Elf64_Ehdr header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  const auto got = static_cast<std::size_t>(in.gcount());
  if (got < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return "is no ELF file, so no shared library (its first bytes are not 7F 45 4C 46).";
  }
  if (got < sizeof header) return truncated(size, "ELF header", sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return "is a 32 bit library; this program needs 64 bit.";
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return "is a big-endian library; this program needs little-endian.";
  if (header.e_machine != kMachine) {
    return fmt::format("is built for {}; this machine is {}. Build it for this machine.", machine_name(header.e_machine),
                       machine_name(kMachine));
  }
  if (header.e_type != ET_DYN) return "is an ELF file but no shared library (link it with -shared).";
  if ((header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) ||
      (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr))) {
    return "has a damaged ELF header (impossible table entry size).";
  }
  return extents_problem(in, header, size);
}

}  // namespace unchannel
