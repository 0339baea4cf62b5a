#include <algorithm>
#include <array>
#include <cstring>

#include "call.hpp"

namespace unchannel::conformance {
namespace {

struct Name {
  Operation operation;
  const char* name;
  const char* extension;
};
constexpr std::array kOperations = {
    Name{Operation::draw_latents, "draw_latents", nullptr},
    Name{Operation::simulate, "simulate", nullptr},
    Name{Operation::lift, "lift", UNCHANNEL_LIFT_1},
    Name{Operation::mean, "mean", UNCHANNEL_MEAN_1},
    Name{Operation::vjp, "vjp", UNCHANNEL_VJP_1},
    Name{Operation::jvp, "jvp", UNCHANNEL_JVP_1},
    Name{Operation::adjoint, "adjoint", UNCHANNEL_ADJOINT_1},
    Name{Operation::loglik, "loglik", UNCHANNEL_LOGLIK_1},
};

const Name& entry(Operation operation) { return kOperations[static_cast<std::size_t>(operation)]; }

template <class Value>
void append(std::vector<Value>& to, const std::vector<Value>& from, std::size_t row, std::size_t width) {
  if (from.empty()) return;
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
}

std::string value_text(const Output& output, std::size_t byte) {
  float value = 0;
  std::memcpy(&value, output.bytes.data() + byte / 4 * 4, sizeof value);
  return fmt::format("{:.9g}", value);
}

}  // namespace

const char* operation_name(Operation operation) { return entry(operation).name; }
const char* operation_extension(Operation operation) { return entry(operation).extension; }

std::vector<Operation> offered_operations(const Instance& instance) {
  std::vector<Operation> offered;
  for (const Name& item : kOperations) {
    if (!item.extension || instance.extension<void>(item.extension)) offered.push_back(item.operation);
  }
  return offered;
}

Batch Batch::rows(const Layout& layout, const std::vector<std::size_t>& rows) const {
  const auto x_size = static_cast<std::size_t>(layout.x_size), y_size = static_cast<std::size_t>(layout.y_size);
  Batch part;
  part.key = key;
  part.latents.resize(latents.size());
  for (const std::size_t row : rows) {
    part.ids.push_back(ids[row]);
    append(part.x, x, row, x_size);
    append(part.tangent, tangent, row, x_size);
    append(part.y, y, row, y_size);
    append(part.cotangent, cotangent, row, y_size);
    for (std::size_t i = 0; i < latents.size(); ++i) append(part.latents[i], latents[i], row, latents[i].size() / ids.size());
  }
  return part;
}

CallResult call_ok(const Instance& instance, Operation operation, const Batch& batch, const CallOptions& options) {
  CallResult result = call(instance, operation, batch, options);
  check<CheckFailed>(result.status == UNCHANNEL_OK, "{} answers {}: {}", operation_name(operation), status_name(result.status),
                     result.error.empty() ? "no reason given." : result.error);
  return result;
}

std::string difference(Operation operation, const CallResult& a, const CallResult& b) {
  const char* name = operation_name(operation);
  if (a.status != b.status) return fmt::format("{} answers {} and {}", name, status_name(a.status), status_name(b.status));
  if (a.sample_status != b.sample_status) return fmt::format("{}: sample_status differs", name);
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    const Bytes &left = a.outputs[i].bytes, &right = b.outputs[i].bytes;
    const auto at = std::mismatch(left.begin(), left.end(), right.begin(), right.end()).first;
    if (at == left.end() && left.size() == right.size()) continue;
    const auto byte = static_cast<std::size_t>(at - left.begin());
    const auto row = byte / static_cast<std::size_t>(std::max<std::int64_t>(1, a.outputs[i].row_bytes));
    const std::string values =
        a.outputs[i].is_float ? fmt::format(" ({} and {})", value_text(a.outputs[i], byte), value_text(b.outputs[i], byte)) : "";
    return fmt::format("{}: {} of sample {} differs{}", name, a.outputs[i].name, row, values);
  }
  return "";
}

}  // namespace unchannel::conformance
