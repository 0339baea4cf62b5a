#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "memory.hpp"
#include "subject.hpp"

namespace unchannel::conformance {

class CudaCall;

enum class Operation { draw_latents, simulate, lift, mean, vjp, jvp, adjoint, loglik };
const char* operation_name(Operation operation);
/// The extension that holds the operation; nullptr for those of core/1.
const char* operation_extension(Operation operation);
/// Those that the instance offers in its configuration.
std::vector<Operation> offered_operations(const Instance& instance);

using Bytes = std::vector<std::byte>;

/// Everything that the operations read, for B samples. Latents by index, empty where inactive.
struct Batch {
  std::uint64_t key = 0;
  std::vector<std::uint64_t> ids;
  std::vector<float> x, tangent;    // [B, x_shape]
  std::vector<float> y, cotangent;  // [B, y_shape]
  std::vector<Bytes> latents;
  std::int64_t count() const { return static_cast<std::int64_t>(ids.size()); }
  /// These samples alone, in this order.
  Batch rows(const Layout& layout, const std::vector<std::size_t>& rows) const;
};

/// How the call-argument structs are presented: as they are; with a poisoned tail of 64 bytes and a struct_size to match; with a
/// struct_size below that of v1; with a chain pointer that is not NULL.
enum class StructForm { exact, longer, too_short, chained };

struct CallOptions {
  Memory* memory = nullptr;  ///< nullptr: ordinary memory
  CudaCall* cuda = nullptr;  ///< where tensors, ids, sample status and workspace lie instead; nullptr: in CPU memory, too
  unsigned char fill = 0;    ///< what output buffers hold before the call
  StructForm batch_form = StructForm::exact, args_form = StructForm::exact;
  std::int64_t output_extra = 0;   ///< added to the last extent of the first output: a wrong shape
  bool without_input = false;      ///< the first input tensor is NULL
  const Layout* layout = nullptr;  ///< of another instance, for a call on one that has none
};

/// One output of a call: B rows of row_bytes.
struct Output {
  std::string name;
  Bytes bytes;
  std::int64_t row_bytes = 0;
  bool is_float = true;
};

struct CallResult {
  std::int32_t status = 0;
  std::string error;
  std::vector<std::int32_t> sample_status;
  std::vector<Output> outputs;
  const float* floats(std::size_t output = 0) const { return reinterpret_cast<const float*>(outputs[output].bytes.data()); }
};

/// Calls the plugin once; everything it sees is a copy. Thread-safe where the channel is.
CallResult call(const Instance& instance, Operation operation, const Batch& batch, const CallOptions& options = {});
/// The same; throws CheckFailed unless it answers OK.
CallResult call_ok(const Instance& instance, Operation operation, const Batch& batch, const CallOptions& options = {});

/// "" or where two results differ, e.g. "simulate: y of sample 3 differs (0.25 and 0.5)".
std::string difference(Operation operation, const CallResult& a, const CallResult& b);

}  // namespace unchannel::conformance
