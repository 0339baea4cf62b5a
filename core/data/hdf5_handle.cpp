#include "hdf5_handle.hpp"

#include <algorithm>

#include <unchannel/base/error.hpp>

namespace unchannel::hdf5 {
namespace {

constexpr std::size_t kMaxAttributeBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxLinks = 10'000;

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

bool configure_library() {
  // We close what we open. HDF5's own clean-up at exit only adds noise ("infinite loop closing library") after damaged files.
  H5dont_atexit();
  // No private free lists: freed memory goes back to the allocator, so the memory bound of a stream holds, and sanitizers see misuse.
  H5set_free_list_limits(0, 0, 0, 0, 0, 0);
  return true;
}

// What the system said of a failed write or read stands between a date with a line break and addresses: only that is for users.
std::string cause_in(const std::string& description) {
  constexpr std::string_view kLabel = "error message = '";
  const auto label = description.find(kLabel);
  if (label == std::string::npos) return description.substr(0, description.find('\n'));
  const auto begin = label + kLabel.size();
  return description.substr(begin, description.find('\'', begin) - begin);
}

// Upward order starts at the innermost frame, which names the cause ("truncated file", "No space left on device").
herr_t keep_first_message(unsigned depth, const H5E_error2_t* frame, void* text) {
  if (depth == 0 && frame->desc != nullptr) *static_cast<std::string*>(text) = cause_in(frame->desc);
  return 0;
}

herr_t collect_link(hid_t, const char* name, const H5L_info_t* info, void* names) {
  auto& list = *static_cast<std::vector<std::string>*>(names);
  if (info->type == H5L_TYPE_HARD) list.emplace_back(name);
  return list.size() > kMaxLinks ? 1 : 0;  // 1 stops the iteration
}

herr_t collect_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

std::string read_variable_text(hid_t attribute, hid_t type, std::string_view place, const std::string& name) {
  char* text = nullptr;
  const Handle memory_type = own(H5Tcopy(H5T_C_S1), H5Tclose, place, "copying a type");
  H5Tset_size(memory_type.get(), H5T_VARIABLE);
  H5Tset_cset(memory_type.get(), H5Tget_cset(type));
  require(H5Aread(attribute, memory_type.get(), &text), place, "reading attribute " + name);
  std::string result = text == nullptr ? "" : text;
  H5free_memory(text);
  check<DataError>(result.size() <= kMaxAttributeBytes, "{}: attribute {} has {} bytes; at most {} are accepted.", place, name,
                   result.size(), kMaxAttributeBytes);
  return result;
}

}  // namespace

Lock::Lock() : guard_(library_mutex()) {
  static const bool configured = configure_library();
  static_cast<void>(configured);
  H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Lock::~Lock() { H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_); }

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    close();
    id_ = std::exchange(other.id_, H5I_INVALID_HID);
    closer_ = other.closer_;
  }
  return *this;
}

herr_t Handle::close() noexcept {
  if (id_ < 0) return 0;
  const Lock lock;
  return closer_(std::exchange(id_, H5I_INVALID_HID));
}

std::string error_text() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_message, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "no message" : text;
}

Handle own(hid_t id, Handle::Closer closer, std::string_view place, std::string_view action) {
  check<DataError>(id >= 0, "{}: {} failed: {}.", place, action, id >= 0 ? "" : error_text());
  return Handle(id, closer);
}

void require(herr_t status, std::string_view place, std::string_view action) {
  check<DataError>(status >= 0, "{}: {} failed: {}.", place, action, status >= 0 ? "" : error_text());
}

Handle open_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code error;
  check<DataError>(std::filesystem::exists(path, error), "{}: no such file. Check the path.", name);
  check<DataError>(std::filesystem::is_regular_file(path, error), "{}: is not a regular file; give an HDF5 data file.", name);
  const Lock lock;
  const htri_t recognised = H5Fis_hdf5(name.c_str());
  check<DataError>(recognised >= 0, "{}: cannot be read: {}.", name, recognised >= 0 ? "" : error_text());
  check<DataError>(recognised > 0, "{}: is not an HDF5 file (its signature is missing). Convert it with `unchannel import`.", name);
  const Handle access = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, name, "preparing to open");
  // Several readers share a file; file systems without locks (network mounts) are no reason to refuse it.
  H5Pset_file_locking(access.get(), true, true);
  const hid_t file = H5Fopen(name.c_str(), H5F_ACC_RDONLY, access.get());
  check<DataError>(file >= 0, "{}: cannot be opened as HDF5: {}. The file is truncated or damaged; copy or write it again.", name,
                   file >= 0 ? "" : error_text());
  return Handle(file, H5Fclose);
}

bool has_hard_link(hid_t group, const std::string& name) {
  const Lock lock;
  H5L_info_t info{};
  const bool found = H5Lexists(group, name.c_str(), H5P_DEFAULT) > 0 && H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT) >= 0 &&
                     info.type == H5L_TYPE_HARD;
  H5Eclear2(H5E_DEFAULT);
  return found;
}

std::string read_text_attribute(hid_t object, const std::string& name, std::string_view place) {
  const Lock lock;
  if (H5Aexists(object, name.c_str()) <= 0) return {};
  const Handle attribute = own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, place, "opening attribute " + name);
  const Handle type = own(H5Aget_type(attribute.get()), H5Tclose, place, "reading the type of attribute " + name);
  const Handle space = own(H5Aget_space(attribute.get()), H5Sclose, place, "reading the shape of attribute " + name);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) return {};
  if (H5Tis_variable_str(type.get()) > 0) return read_variable_text(attribute.get(), type.get(), place, name);
  const std::size_t size = H5Tget_size(type.get());
  check<DataError>(size <= kMaxAttributeBytes, "{}: attribute {} has {} bytes; at most {} are accepted.", place, name, size,
                   kMaxAttributeBytes);
  std::string text(size, '\0');
  require(H5Aread(attribute.get(), type.get(), text.data()), place, "reading attribute " + name);
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

void write_text_attribute(hid_t object, const std::string& name, const std::string& text, std::string_view place) {
  const Lock lock;
  const std::string action = "writing attribute " + name;
  if (H5Aexists(object, name.c_str()) > 0) require(H5Adelete(object, name.c_str()), place, action);
  const Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, place, action);
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const Handle space = own(H5Screate(H5S_SCALAR), H5Sclose, place, action);
  const Handle attribute =
      own(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, place, action);
  const char* pointer = text.c_str();
  require(H5Awrite(attribute.get(), type.get(), &pointer), place, action);
}

std::vector<std::string> list_links(hid_t group, std::string_view place) {
  const Lock lock;
  std::vector<std::string> names;
  require(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &names), place, "listing a group");
  check<DataError>(names.size() <= kMaxLinks, "{}: holds more than {} entries in one group; this is no data file of ours.", place,
                   kMaxLinks);
  return names;
}

std::vector<std::string> list_attributes(hid_t object) {
  const Lock lock;
  std::vector<std::string> names;
  H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_attribute, &names);
  return names;
}

}  // namespace unchannel::hdf5
