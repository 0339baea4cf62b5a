#include "image_import.hpp"

#include <algorithm>
#include <cctype>
#include <memory>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>

#include "../archive/archive_stream.hpp"
#include "../import_rows.hpp"

namespace unchannel {
namespace {

bool names_a_picture(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  // "._name.jpg" is what macOS adds to archives: not a picture.
  return (extension == ".png" || extension == ".jpg" || extension == ".jpeg") && !path.filename().string().starts_with("._");
}

const char* name_of(ColourMode mode) { return mode == ColourMode::grey ? "grey" : mode == ColourMode::rgb ? "rgb" : "as the first"; }

// Pictures become rows of one shape, which the options or the first picture fix.
class PictureRows {
 public:
  PictureRows(const ImageImportOptions& options, std::filesystem::path output) : options_(options), output_(std::move(output)) {}

  /// `path`: below the folder or in the archive. What is wrong with the picture goes into the report.
  void add(std::string_view bytes, const std::string& path, std::uint64_t item) {
    std::vector<float> row;
    try {
      row = make_row(decode_image(bytes));
    } catch (const DataError& error) {
      report_.skip(path, error.what());
      return;
    }
    if (!rows_) {
      rows_ = std::make_unique<ImportRows>(output_, options_.kind, std::vector<std::uint64_t>{planes_, size_.height, size_.width});
    }
    rows_->add(row, {static_cast<std::int64_t>(item), path, std::nullopt, std::filesystem::path(path).parent_path().filename().string()});
  }
  void skip(const std::string& path, const std::string& reason) { report_.skip(path, reason); }

  ImportReport close(const std::string& origin, const std::filesystem::path& source) {
    if (rows_) {
      nlohmann::json settings = {
          {"made_by", options_.made_by}, {"input", source.string()}, {"first", options_.first}, {"colour", name_of(options_.colour)}};
      if (options_.count) settings["count"] = *options_.count;
      if (!options_.under.empty()) settings["under"] = options_.under;
      settings["resized"] = !options_.size ? "no" : options_.fit == FitMode::crop ? "centre crop, area average" : "stretched, area average";
      rows_->close(origin, scale_, std::move(settings), report_);
    }
    return std::move(report_);
  }

 private:
  // The first picture fixes what the options leave open.
  void settle(const Image& image) {
    if (planes_ != 0) return;
    planes_ = options_.colour == ColourMode::grey ? 1 : options_.colour == ColourMode::rgb ? 3 : image.planes;
    size_ = options_.size ? *options_.size : ImageSize{image.height, image.width};
    max_level_ = image.max_level;
    scale_ = make_scale(options_.scale, 0, max_level_);
  }

  std::vector<float> make_row(const Image& image) {
    settle(image);
    check<DataError>(options_.size || size_ == ImageSize{image.height, image.width},
                     "is {} x {} pixels, the first picture {} x {}; --size brings all to one size", image.height, image.width, size_.height,
                     size_.width);
    check<DataError>(options_.colour != ColourMode::as_first || image.planes == planes_,
                     "has {} planes, the first picture {}; --colour grey or rgb converts", image.planes, planes_);
    check<DataError>(options_.scale != ValueScale::none || image.max_level == max_level_,
                     "its levels go to {}, those of the first picture to {}; give another --scale than none", image.max_level, max_level_);
    std::vector<float> row = fit_image(image, planes_, size_, options_.fit);
    const LinearScale scale = make_scale(options_.scale, 0, image.max_level);
    for (float& value : row) value = scale(static_cast<double>(value));
    return row;
  }

  const ImageImportOptions& options_;
  std::filesystem::path output_;
  std::uint32_t planes_ = 0, max_level_ = 255;
  ImageSize size_;
  LinearScale scale_;
  std::unique_ptr<ImportRows> rows_;
  ImportReport report_;
};

// A folder is in the way of a rename, and a missing one would be noticed only after the first picture.
void check_output(const std::filesystem::path& output) {
  std::error_code error;
  const std::filesystem::path folder = output.has_parent_path() ? output.parent_path() : ".";
  check<DataError>(std::filesystem::is_directory(folder, error), "{}: the folder {} does not exist. Make it first.", output.string(),
                   folder.string());
}

std::vector<std::filesystem::path> find_pictures(const std::filesystem::path& folder, PictureRows& rows) {
  std::error_code error;
  check<DataError>(std::filesystem::is_directory(folder, error), "{}: no such folder. Check the path.", folder.string());
  std::vector<std::filesystem::path> found;
  std::filesystem::recursive_directory_iterator item(folder, error);
  while (!error && item != std::filesystem::recursive_directory_iterator()) {
    std::error_code unknown;  // a broken link has no type; opening it later tells why
    const bool is_folder = item->is_directory(unknown);
    const std::filesystem::path relative = item->path().lexically_relative(folder);
    if (is_folder && item->is_symlink(unknown)) rows.skip(printable(relative.string()), "a link to a folder; give that folder itself");
    if (!is_folder && names_a_picture(relative)) found.push_back(relative);
    item.increment(error);
  }
  check<DataError>(!error, "{}: cannot be listed: {}.", folder.string(), error.message());
  check<DataError>(!found.empty(), "{}: holds no *.png, *.jpg or *.jpeg file.", folder.string());
  std::sort(found.begin(), found.end());
  return found;
}

bool lies_under(const std::string& name, const std::string& folder) {
  if (folder.empty()) return true;
  const auto path = std::filesystem::path(name).lexically_normal(), wanted = (std::filesystem::path(folder) / "").lexically_normal();
  return path.string().starts_with(wanted.string());
}

// A damaged entry of a zip file is skipped; where the archive itself cannot be read any further, the next header says so.
void add_entry(const ArchiveEntry& entry, ArchiveStream& stream, std::uint64_t item, PictureRows& rows) {
  if (!entry.regular) return rows.skip(entry.name, "a link or a folder, not a file");
  std::string bytes;
  try {
    bytes = stream.content().read_rest(kMaxImageFileBytes);
  } catch (const DataError& error) {
    return rows.skip(entry.name, error.what());
  }
  rows.add(bytes, entry.name, item);
}

}  // namespace

ImportReport import_image_folder(const std::filesystem::path& folder, const ImageImportOptions& options,
                                 const std::filesystem::path& output, const ImportProgress& progress) {
  check_output(output);
  PictureRows rows(options, output);
  const auto files = find_pictures(folder, rows);
  for (std::uint64_t item = 0; item < files.size() && !options.past(item); ++item) {
    if (!options.takes(item)) continue;
    const std::string name = printable(files[item].string());
    std::string bytes;
    try {
      FileSource file(folder / files[item]);
      bytes = file.read_rest(kMaxImageFileBytes);
    } catch (const DataError& error) {
      rows.skip(name, error.what());
      continue;
    }
    rows.add(bytes, name, item);
    if (progress) progress(item + 1, files.size());
  }
  return rows.close("images: pictures of a folder (PNG, JPEG)", folder);
}

ImportReport import_image_archive(const std::filesystem::path& archive, const ImageImportOptions& options,
                                  const std::filesystem::path& output, const ImportProgress& progress) {
  check_output(output);
  ArchiveStream stream(archive);
  PictureRows rows(options, output);
  ArchiveEntry entry;
  std::uint64_t item = 0;
  bool complete = true;
  while (complete && stream.next(entry)) {
    if (!names_a_picture(entry.name) || !lies_under(entry.name, options.under)) continue;
    if (options.takes(item)) {
      add_entry(entry, stream, item, rows);
    }
    complete = !options.past(++item);
    if (progress) progress(stream.consumed_bytes() >> 10, stream.file_bytes() >> 10);
  }
  check<DataError>(item > 0, "{}: holds no *.png, *.jpg or *.jpeg entry{}{}.", archive.string(), options.under.empty() ? "" : " under ",
                   options.under);
  return rows.close("images: pictures of an archive (PNG, JPEG)", archive);
}

}  // namespace unchannel
