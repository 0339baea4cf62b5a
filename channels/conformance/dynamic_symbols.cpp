#include "dynamic_symbols.hpp"

#include <elf.h>

#include <cstring>
#include <string_view>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/plugin_host/elf_file.hpp>

#include "verdict.hpp"

namespace unchannel::conformance {
namespace {

constexpr std::size_t kLargestFile = std::size_t{2} << 30;

/// The bytes of the file, with every access inside them.
class Image {
 public:
  explicit Image(std::string bytes) : bytes_(std::move(bytes)) {}

  template <class Entry>
  std::vector<Entry> table(std::uint64_t offset, std::uint64_t bytes, const char* what) const {
    check<CheckFailed>(offset <= bytes_.size() && bytes <= bytes_.size() - offset, "the ELF file's {} lies outside the file.", what);
    std::vector<Entry> entries(bytes / sizeof(Entry));
    if (!entries.empty()) std::memcpy(entries.data(), bytes_.data() + offset, entries.size() * sizeof(Entry));
    return entries;
  }

  std::string text(const Elf64_Shdr& strings, std::uint64_t at) const {
    check<CheckFailed>(at < strings.sh_size && strings.sh_offset <= bytes_.size() && strings.sh_size <= bytes_.size() - strings.sh_offset,
                       "a name in the ELF file lies outside its string table.");
    const std::string_view rest = std::string_view(bytes_).substr(strings.sh_offset + at, strings.sh_size - at);
    return std::string(rest.substr(0, rest.find('\0')));
  }

 private:
  std::string bytes_;
};

bool is_exported(const Elf64_Sym& symbol) {
  const auto binding = ELF64_ST_BIND(symbol.st_info);
  const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return symbol.st_shndx != SHN_UNDEF && (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

}  // namespace

DynamicSymbols read_dynamic_symbols(const std::filesystem::path& file) {
  const std::string problem = elf_problem(file);
  check<CheckFailed>(problem.empty(), "{}", problem);
  const Image image(read_file(file, kLargestFile));
  const auto header = image.table<Elf64_Ehdr>(0, sizeof(Elf64_Ehdr), "header").at(0);
  const auto sections = image.table<Elf64_Shdr>(header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr), "section table");
  DynamicSymbols found;
  bool has_symbols = false;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_DYNAMIC) continue;
    check<CheckFailed>(section.sh_link < sections.size(), "the ELF file has damaged section links.");
    const Elf64_Shdr& strings = sections[section.sh_link];
    if (section.sh_type == SHT_DYNAMIC) {
      for (const auto& entry : image.table<Elf64_Dyn>(section.sh_offset, section.sh_size, "dynamic section")) {
        if (entry.d_tag == DT_NEEDED) found.needed.push_back(image.text(strings, entry.d_un.d_val));
      }
      continue;
    }
    has_symbols = true;
    for (const auto& symbol : image.table<Elf64_Sym>(section.sh_offset, section.sh_size, "symbol table")) {
      // The name of a version (UNCHANNEL_1) is an absolute symbol of the linker, not of the plugin.
      if (is_exported(symbol) && symbol.st_shndx != SHN_ABS) found.exported.push_back(image.text(strings, symbol.st_name));
    }
  }
  check<CheckFailed>(has_symbols, "the file has no dynamic symbol table (was it stripped of its section headers?).");
  return found;
}

}  // namespace unchannel::conformance
