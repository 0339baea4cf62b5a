#include "shuffled_stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/base/random.hpp>
#include <unchannel/base/sha256.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kMinBlocksPerWindow = 64;
constexpr std::uint64_t kPreferredBlockBytes = std::uint64_t{256} << 10;

// Fisher-Yates: element k of permutation `id` swaps with a uniform place at or below it.
template <class T>
void permute(std::vector<T>& items, const RandomKey& key, std::uint64_t id) {
  for (std::size_t k = items.size(); k-- > 1;) {
    // 64 bits against at most 2^32 places: the modulo's bias is below 2^-32.
    std::swap(items[k], items[key.bits(id, static_cast<std::uint32_t>(k)) % (k + 1)]);
  }
}

template <class T>
void copy_row(const std::vector<T>& from, std::uint64_t row, std::uint64_t size, std::vector<T>& to) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * size);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
}

LatentValues empty_like(const LatentValues& values) {
  return std::visit([](const auto& v) -> LatentValues { return std::decay_t<decltype(v)>{}; }, values);
}

}  // namespace

void to_json(nlohmann::json& json, const StreamPosition& position) {
  json = {{"epoch", position.epoch}, {"window", position.window}, {"offset", position.offset}, {"fingerprint", position.fingerprint}};
}

void from_json(const nlohmann::json& json, StreamPosition& position) {
  try {
    json.at("epoch").get_to(position.epoch);
    json.at("window").get_to(position.window);
    json.at("offset").get_to(position.offset);
    json.at("fingerprint").get_to(position.fingerprint);
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("data position of the checkpoint: {}. Resume from another checkpoint.", error.what()));
  }
}

struct ShuffledStream::State {
  const DatasetReader& reader;
  StreamOptions options;
  RandomKey block_key, row_key;
  std::uint64_t rows = 0, block_rows = 1, blocks_per_window = 1;
  std::string fingerprint;

  std::uint64_t epoch = 0, window = 0, offset = 0;
  bool loaded = false;
  std::vector<std::uint32_t> block_order;   // of the epoch
  StreamBatch buffer;                       // rows of the window in file order of its blocks
  std::vector<std::uint32_t> window_order;  // the order in which they are delivered

  State(const DatasetReader& from, StreamOptions chosen);
  void choose_sizes();
  std::uint64_t row_bytes() const;
  std::uint64_t blocks() const { return (rows + block_rows - 1) / block_rows; }
  std::uint64_t windows() const { return (blocks() + blocks_per_window - 1) / blocks_per_window; }
  void begin_epoch();
  void load_window();
  void load_rows(const std::vector<std::uint64_t>& indices);
  void deliver(std::uint64_t row, StreamBatch& batch) const;
};

ShuffledStream::State::State(const DatasetReader& from, StreamOptions chosen)
    : reader(from),
      options(std::move(chosen)),
      block_key(RandomKey(options.key).derive(Purpose::kDataOrder).derive(std::uint64_t{1})),
      row_key(RandomKey(options.key).derive(Purpose::kDataOrder).derive(std::uint64_t{2})) {
  const std::string place = reader.path().string();
  for (std::size_t k = 0; k < options.subset.size(); ++k) {
    check<ConfigError>(options.subset[k] < reader.rows() && (k == 0 || options.subset[k] > options.subset[k - 1]),
                       "{}: the subset's entry {} is row {}; entries must increase and stay below {} rows.", place, k, options.subset[k],
                       reader.rows());
  }
  check<DataError>(!options.ivar || reader.has_ivar(), "{}: has no /ivar, which the settings ask for.", place);
  check<DataError>(!options.mask || reader.has_mask(), "{}: has no /mask, which the settings ask for.", place);
  rows = options.subset.empty() ? reader.rows() : options.subset.size();
  choose_sizes();
  std::string identity = fmt::format("key={} rows={} of {} dim={} block={} window={} ivar={} mask={}", options.key, rows, reader.rows(),
                                     reader.dim(), block_rows, blocks_per_window, options.ivar, options.mask);
  for (const std::string& name : options.latents) identity += " latent=" + name;
  for (const std::uint64_t row : options.subset) identity += fmt::format(" {}", row);
  fingerprint = sha256_text(identity).substr(0, 16);
}

// Bytes that one buffered row costs, its place in the order included.
std::uint64_t ShuffledStream::State::row_bytes() const {
  std::uint64_t bytes = reader.dim() * (sizeof(float) * (options.ivar ? 2 : 1) + (options.mask ? 1 : 0));
  for (const std::string& name : options.latents) {
    const LatentInfo& info = reader.latent(name);
    bytes += info.row_size * size_of(info.type);
  }
  return bytes + sizeof(std::uint64_t) + sizeof(std::uint32_t);
}

void ShuffledStream::State::choose_sizes() {
  const std::uint64_t window_rows = options.max_buffer_bytes / row_bytes();
  check<ConfigError>(window_rows > 0, "{}: a row needs {} bytes, but the stream's buffer may have {}. Raise max_buffer_bytes.",
                     reader.path().string(), row_bytes(), options.max_buffer_bytes);
  if (rows <= window_rows) {
    block_rows = rows;
    blocks_per_window = 1;
    return;
  }
  // Whole storage chunks are cheapest to read; many blocks in a window mix best.
  const std::uint64_t preferred =
      reader.chunk_rows() > 0 ? reader.chunk_rows() : std::max<std::uint64_t>(1, kPreferredBlockBytes / (reader.dim() * sizeof(float)));
  block_rows = std::clamp<std::uint64_t>(preferred, 1, std::max<std::uint64_t>(1, window_rows / kMinBlocksPerWindow));
  blocks_per_window = window_rows / block_rows;
  check<ConfigError>(blocks() < (std::uint64_t{1} << 32), "{}: {} rows are too many for a buffer of {} bytes. Raise max_buffer_bytes.",
                     reader.path().string(), rows, options.max_buffer_bytes);
}

void ShuffledStream::State::begin_epoch() {
  block_order.resize(blocks());
  std::iota(block_order.begin(), block_order.end(), 0u);
  permute(block_order, block_key, epoch);
}

void ShuffledStream::State::load_window() {
  if (block_order.empty()) begin_epoch();
  const std::uint64_t begin = window * blocks_per_window;
  const std::uint64_t end = std::min(begin + blocks_per_window, blocks());
  std::vector<std::uint64_t> indices;
  indices.reserve((end - begin) * block_rows);
  for (std::uint64_t k = begin; k < end; ++k) {
    const std::uint64_t first = block_order[k] * block_rows;
    for (std::uint64_t row = first; row < std::min(first + block_rows, rows); ++row) {
      indices.push_back(options.subset.empty() ? row : options.subset[row]);
    }
  }
  load_rows(indices);
  window_order.resize(indices.size());
  std::iota(window_order.begin(), window_order.end(), 0u);
  permute(window_order, row_key.derive(epoch), window);
  buffer.indices = std::move(indices);
  loaded = true;
}

void ShuffledStream::State::load_rows(const std::vector<std::uint64_t>& indices) {
  buffer.rows.resize(indices.size() * reader.dim());
  reader.read_rows(indices, buffer.rows);
  if (options.ivar) {
    buffer.ivar.resize(buffer.rows.size());
    reader.read_ivar(indices, buffer.ivar);
  }
  if (options.mask) {
    buffer.mask.resize(buffer.rows.size());
    reader.read_mask(indices, buffer.mask);
  }
  buffer.latents.clear();  // before the next ones are read, so that two windows are never held
  for (const std::string& name : options.latents) buffer.latents.emplace(name, reader.read_latent(name, indices));
}

void ShuffledStream::State::deliver(std::uint64_t row, StreamBatch& batch) const {
  batch.indices.push_back(buffer.indices[row]);
  copy_row(buffer.rows, row, reader.dim(), batch.rows);
  if (options.ivar) copy_row(buffer.ivar, row, reader.dim(), batch.ivar);
  if (options.mask) copy_row(buffer.mask, row, reader.dim(), batch.mask);
  for (const auto& [name, values] : buffer.latents) {
    const std::uint64_t size = reader.latent(name).row_size;
    LatentValues& target = batch.latents.try_emplace(name, empty_like(values)).first->second;
    std::visit([&](const auto& from) { copy_row(from, row, size, std::get<std::decay_t<decltype(from)>>(target)); }, values);
  }
}

ShuffledStream::ShuffledStream(const DatasetReader& reader, StreamOptions options)
    : state_(std::make_unique<State>(reader, std::move(options))) {}
ShuffledStream::~ShuffledStream() = default;
ShuffledStream::ShuffledStream(ShuffledStream&&) noexcept = default;

std::uint64_t ShuffledStream::rows() const noexcept { return state_->rows; }
std::uint64_t ShuffledStream::rows_per_window() const noexcept { return state_->block_rows * state_->blocks_per_window; }

StreamBatch ShuffledStream::next_batch(std::uint64_t count) {
  State& s = *state_;
  StreamBatch batch;
  batch.indices.reserve(count);
  batch.rows.reserve(count * s.reader.dim());
  while (batch.indices.size() < count) {
    if (!s.loaded) s.load_window();
    if (s.offset < s.window_order.size()) {
      s.deliver(s.window_order[s.offset++], batch);
      continue;
    }
    s.loaded = false;
    s.offset = 0;
    if (++s.window == s.windows()) {
      s.window = 0;
      ++s.epoch;
      s.block_order.clear();
    }
  }
  return batch;
}

StreamPosition ShuffledStream::position() const { return {state_->epoch, state_->window, state_->offset, state_->fingerprint}; }

void ShuffledStream::restore(const StreamPosition& position) {
  State& s = *state_;
  check<ConfigError>(position.fingerprint == s.fingerprint,
                     "{}: the saved data position belongs to other data or stream settings (key, buffer size, latents, split). "
                     "Resume with the file and the settings of the run.",
                     s.reader.path().string());
  check<ConfigError>(position.window < s.windows() && position.offset <= s.block_rows * s.blocks_per_window,
                     "{}: the saved data position (window {}, offset {}) is out of range; the checkpoint is damaged.",
                     s.reader.path().string(), position.window, position.offset);
  s.epoch = position.epoch;
  s.window = position.window;
  s.offset = position.offset;
  s.block_order.clear();
  s.loaded = false;
}

}  // namespace unchannel
