#pragma once
// The same operator on the first CUDA device: buffers there and back, on a stream of its own. Never run on a GPU so far.

#include <cuda_runtime_api.h>

#include <memory>
#include <stdexcept>

#include "cuda_twin.hpp"
#include "tomography_twin.hpp"

namespace unchannel::test {

inline void require_cuda(cudaError_t status) {
  if (status != cudaSuccess) {
    throw std::runtime_error(cudaGetErrorString(status));
  }
}

/// A device array, filled from the host at first.
template <class Value>
class OnGpu {
 public:
  explicit OnGpu(const std::vector<Value>& from) : count_(from.size()) {
    require_cuda(cudaMalloc(&memory_, bytes() + 1));
    require_cuda(cudaMemcpy(memory_, from.data(), bytes(), cudaMemcpyHostToDevice));
  }
  ~OnGpu() { cudaFree(memory_); }
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;
  [[nodiscard]] Value* data() const { return static_cast<Value*>(memory_); }
  [[nodiscard]] std::vector<Value> fetch() const {
    std::vector<Value> to(count_);
    require_cuda(cudaMemcpy(to.data(), memory_, bytes(), cudaMemcpyDeviceToHost));
    return to;
  }

 private:
  [[nodiscard]] size_t bytes() const { return count_ * sizeof(Value); }
  size_t count_;
  void* memory_ = nullptr;
};

class CudaTwin {
 public:
  static std::string missing() { return tomography::cuda_unavailable(); }
  explicit CudaTwin(const tomography::SliceTables& tables) : tables_(tables), slices_(tables) {
    slices_.prepare(0);
    require_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  ~CudaTwin() { cudaStreamDestroy(stream_); }
  CudaTwin(const CudaTwin&) = delete;
  CudaTwin& operator=(const CudaTwin&) = delete;

  TwinResult simulate(const tomography::NoiseModel& noise, uint64_t key, const std::vector<uint64_t>& ids, const std::vector<float>& x) {
    const OnGpu<float> in(x), out(std::vector<float>(ids.size() * bins(), 777));
    return run(ids, key, out, [&](const auto& call) { slices_.simulate(call, noise, in.data(), out.data()); });
  }
  TwinResult transpose(const std::vector<float>& y) {
    const std::vector<uint64_t> ids(y.size() / bins());
    const OnGpu<float> in(y), out(std::vector<float>(ids.size() * pixels(), 777));
    return run(ids, 0, out, [&](const auto& call) { slices_.transpose(call, in.data(), out.data()); });
  }
  TwinResult loglik(const tomography::NoiseModel& noise, const std::vector<float>& y, const std::vector<float>& x) {
    const std::vector<uint64_t> ids(y.size() / bins());
    const OnGpu<float> seen(y), at(x), out(std::vector<float>(ids.size() * pixels(), 777));
    const OnGpu<double> value(std::vector<double>(ids.size(), 777));
    TwinResult result =
        run(ids, 0, out, [&](const auto& call) { slices_.loglik(call, noise, seen.data(), at.data(), value.data(), out.data()); });
    result.loglik = value.fetch();
    return result;
  }

 private:
  [[nodiscard]] size_t pixels() const { return static_cast<size_t>(tables_.image.pixels * tables_.image.pixels); }
  [[nodiscard]] size_t bins() const { return static_cast<size_t>(tables_.views * tables_.bins); }
  template <class Body>
  TwinResult run(const std::vector<uint64_t>& ids, uint64_t key, const OnGpu<float>& out, const Body& body) {
    const OnGpu<uint64_t> gpu_ids(ids);
    const OnGpu<int32_t> status(std::vector<int32_t>(ids.size()));
    const OnGpu<char> workspace(std::vector<char>(slices_.workspace_bytes(), '\xFF'));
    body(
        tomography::CudaOperator::Call{0, stream_, workspace.data(), static_cast<int64_t>(ids.size()), key, gpu_ids.data(), status.data()});
    require_cuda(cudaStreamSynchronize(stream_));
    return {out.fetch(), {}, status.fetch()};
  }

  tomography::SliceTables tables_;
  tomography::CudaOperator slices_;
  cudaStream_t stream_ = nullptr;
};

}  // namespace unchannel::test
