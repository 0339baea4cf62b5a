#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unchannel::hdf5 {

/// Exclusive use of the HDF5 library (which is not safe for threads as such): every call into it happens under a Lock.
/// It also keeps the library from printing its error stack; `error_text` folds that stack into our message instead.
class Lock {
 public:
  Lock();
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  std::unique_lock<std::recursive_mutex> guard_;
  H5E_auto2_t printer_ = nullptr;
  void* printer_data_ = nullptr;
};

/// Owns one HDF5 identifier.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Closer closer) : id_(id), closer_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept;
  ~Handle() { close(); }

  hid_t get() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ >= 0; }
  /// Closes now and returns HDF5's status: closing a file or a dataset is when its last bytes are written.
  herr_t close() noexcept;

 private:
  hid_t id_ = H5I_INVALID_HID;
  Closer closer_ = nullptr;
};

/// The innermost message of the library's error stack ("no message" when it is empty); clears the stack.
std::string error_text();

/// Wraps a fresh identifier. Throws DataError "`place`: `action` failed: <library's message>." when it is invalid.
Handle own(hid_t id, Handle::Closer closer, std::string_view place, std::string_view action);

/// Throws DataError in the form above when `status` is negative.
void require(herr_t status, std::string_view place, std::string_view action);

/// Opens an HDF5 file for reading. Throws DataError: missing, no regular file, no HDF5 file, truncated.
Handle open_file(const std::filesystem::path& path);

/// True when `name` exists in `group` as a hard link. Soft and external links count as absent: a data file is
/// self-contained, and an untrusted one must not make us open other files.
bool has_hard_link(hid_t group, const std::string& name);

/// Scalar text attribute of an object; empty when absent or no text. At most 16 MiB are accepted (DataError).
std::string read_text_attribute(hid_t object, const std::string& name, std::string_view place);

/// Writes a scalar variable-length UTF-8 attribute, replacing one of that name.
void write_text_attribute(hid_t object, const std::string& name, const std::string& text, std::string_view place);

/// Names of the hard links in a group, in alphabetical order. At most 10,000 (DataError).
std::vector<std::string> list_links(hid_t group, std::string_view place);

/// Names of the attributes of an object, in alphabetical order.
std::vector<std::string> list_attributes(hid_t object);

}  // namespace unchannel::hdf5
