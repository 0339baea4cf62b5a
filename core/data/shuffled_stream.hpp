#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "dataset.hpp"

namespace unchannel {

/// Settings of a ShuffledStream. All but `max_buffer_bytes` choose what comes; the order depends on every one of them.
struct StreamOptions {
  std::uint64_t key = 0;                                     ///< run key; the order is a pure function of (key, epoch)
  std::uint64_t max_buffer_bytes = std::uint64_t{64} << 20;  ///< bound on the memory the stream holds between calls
  std::vector<std::string> latents;                          ///< /latents/<name> to deliver beside the rows
  bool ivar = false;                                         ///< deliver /ivar
  bool mask = false;                                         ///< deliver /mask
  /// Rows to stream, increasing (a training split); empty: all rows.
  std::vector<std::uint64_t> subset;
};

/// Exact place in a stream, small enough for every checkpoint. `fingerprint` ties it to the stream's data shape and settings.
struct StreamPosition {
  std::uint64_t epoch = 0;
  std::uint64_t window = 0;  ///< window of the epoch that is being delivered
  std::uint64_t offset = 0;  ///< rows of the window already delivered
  std::string fingerprint;

  bool operator==(const StreamPosition&) const = default;
};
void to_json(nlohmann::json& json, const StreamPosition& position);
/// Throws DataError when a key is missing or has another type.
void from_json(const nlohmann::json& json, StreamPosition& position);

/// Rows of one batch with what was asked for, all row-major and in the same order.
// B rows of the batch, D elements of a row
struct StreamBatch {
  std::vector<std::uint64_t> indices;           ///< [B] row numbers in the file
  std::vector<float> rows;                      ///< [B, D]
  std::map<std::string, LatentValues> latents;  ///< [B, row_size] each
  std::vector<float> ivar;                      ///< [B, D] or empty
  std::vector<std::uint8_t> mask;               ///< [B, D] or empty
};

/// Endless stream of a data file's rows in shuffled order with bounded memory.
///
/// Order: the rows (of the subset) are cut into blocks of neighbours; each epoch permutes the blocks, fills a window with the next
/// blocks until the memory bound is reached, and permutes the rows of the window. A row comes exactly once an epoch. When
/// everything fits into one window the order is a uniform random permutation; otherwise a window mixes at least 64 blocks from
/// anywhere in the file (fewer only when the bound is below 64 rows). Batches run across windows and epochs.
///
/// Resume: `position()` after a batch, `restore()` in a new stream with the same options gives the same following batches, bit for bit.
class ShuffledStream {
 public:
  /// Keeps a reference to `reader`, which must outlive the stream. Throws ConfigError when the bound is below one row or a
  /// subset is not increasing or out of range, DataError when a field is missing.
  ShuffledStream(const DatasetReader& reader, StreamOptions options);
  ~ShuffledStream();
  ShuffledStream(ShuffledStream&&) noexcept;

  /// The next `count` rows. Throws DataError (unreadable file, non-finite value).
  StreamBatch next_batch(std::uint64_t count);

  /// Rows of an epoch.
  std::uint64_t rows() const noexcept;
  std::uint64_t rows_per_window() const noexcept;

  StreamPosition position() const;
  /// Throws ConfigError when the position belongs to other data or settings.
  void restore(const StreamPosition& position);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unchannel
