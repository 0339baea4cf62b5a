#include "mat_import.hpp"

#include <matio.h>

#include <algorithm>
#include <bit>
#include <vector>

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

#include "mat_container.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{2} << 30;

// An array of libmatio and its numbers.
struct Variable {
  explicit Variable(matvar_t* read) : handle(read) {}
  ~Variable() { ::Mat_VarFree(handle); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  matvar_t* handle;
};

struct FileCloser {
  void operator()(mat_t* file) const { ::Mat_Close(file); }
};

std::string list(const std::vector<MatVariable>& variables) {
  std::string text;
  for (const MatVariable& variable : variables) {
    text += fmt::format("{}{} ({} {})", text.empty() ? "" : ", ", variable.name.empty() ? "(nameless)" : variable.name, variable.kind,
                        shape_text(variable.extents));
  }
  return text.empty() ? "none" : text.substr(0, 2000);
}

const MatVariable& choose(const std::vector<MatVariable>& variables, const std::string& name, const std::string& place) {
  if (!name.empty()) {
    std::vector<std::string> names;
    for (const MatVariable& variable : variables) {
      names.push_back(variable.name);
      if (variable.name != name) continue;
      check<DataError>(variable.number.has_value(), "{}: {} is {}; only full real numeric arrays are read. Convert it in MATLAB.", place,
                       name, variable.kind);
      return variable;
    }
    throw DataError(fmt::format("{}: has no variable {}.{} Its variables: {}.", place, name, did_you_mean(name, names), list(variables)));
  }
  const MatVariable* only = nullptr;
  for (const MatVariable& variable : variables) {
    if (!variable.number || ArrayShape{variable.extents, true}.elements() <= 1) continue;
    check<ConfigError>(only == nullptr, "{}: holds several arrays. Say which: --variable NAME. Its variables: {}.", place, list(variables));
    only = &variable;
  }
  check<DataError>(only != nullptr, "{}: holds no numeric array. Its variables: {}.", place, list(variables));
  return *only;
}

// libmatio's messages would go to standard error; what went wrong is in the results of its calls.
void silence() {
  static const int once = ::Mat_LogInitFunc("unchannel", [](int, char*) {});
  static_cast<void>(once);
}

}  // namespace

ArrayStream open_mat(const std::filesystem::path& path, const std::string& name) {
  const std::string place = path.string();
  const std::vector<MatVariable> variables = scan_mat(path);
  const MatVariable& chosen = choose(variables, name, place);
  const NumberFormat format{*chosen.number, std::endian::native == std::endian::big, chosen.logical};
  const ArrayShape shape{chosen.extents, true};
  check<DataError>(shape.elements() <= kMaxBytes / format.size(), "{}: {} has {} numbers, more than the 2 GiB that are read.", place,
                   chosen.name, shape.elements());
  silence();
  const std::unique_ptr<mat_t, FileCloser> file(::Mat_Open(path.c_str(), MAT_ACC_RDONLY));
  check<DataError>(file != nullptr && ::Mat_GetVersion(file.get()) == MAT_FT_MAT5, "{}: cannot be opened as a MATLAB v5 file.", place);
  const auto variable = std::make_shared<Variable>(::Mat_VarRead(file.get(), chosen.name.c_str()));
  const matvar_t* read = variable->handle;
  const bool agrees = read != nullptr && read->data != nullptr && read->isComplex == 0 && read->data_size > 0 &&
                      static_cast<std::size_t>(read->data_size) == format.size() && read->nbytes == shape.elements() * format.size() &&
                      std::equal(shape.extents.begin(), shape.extents.end(), read->dims, read->dims + std::max(0, read->rank));
  check<DataError>(agrees, "{}: {} cannot be read as the {} array {} that its header announces.", place, chosen.name, chosen.kind,
                   shape_text(shape.extents));
  auto numbers = std::make_unique<MemorySource>(std::string_view(static_cast<const char*>(read->data), read->nbytes), place);
  return {shape, format, std::move(numbers), variable};
}

ImportReport import_mat(const std::filesystem::path& path, const MatImportOptions& options, const std::filesystem::path& output,
                        const ImportProgress& progress) {
  check<ConfigError>(!options.layout.empty(),
                     "{}: say where the rows are: --layout DN (each column is a row of the output), ND, HWN, HWCN, NHW, ...",
                     path.string());
  std::optional<std::vector<double>> labels;
  if (!options.labels.empty()) {
    ArrayStream array = open_mat(path, options.labels);
    labels = read_labels(array);
  }
  return import_array(open_mat(path, options.variable), std::move(labels), options, "mat: array of a MATLAB file", output, progress);
}

}  // namespace unchannel
