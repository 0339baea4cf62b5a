// The transforms and the noise on a CUDA device; see twin.hpp for the steps. C++17, no CUDA header, so that the plugin's C++20 includes it.
#pragma once

#include "twin.hpp"

#include <memory>
#include <string>

namespace tomography {

/// "" where this machine has a CUDA device and cuFFT; otherwise what is missing. Asked once for the life of the process.
const std::string& cuda_unavailable();
int cuda_device_count();

/// One operator (projector or lift) with its tables and FFT plans on any number of devices. Functions throw std::runtime_error with the
/// text of CUDA's error, std::bad_alloc where the device's memory is at its end.
class CudaOperator {
 public:
  /// Keeps no pointer into `host` beyond prepare(): the tables must live as long as this object.
  explicit CudaOperator(const SliceTables& host);
  ~CudaOperator();
  CudaOperator(const CudaOperator&) = delete;
  CudaOperator& operator=(const CudaOperator&) = delete;

  /// Copies the tables, makes the plans and runs every kernel once, so that calls have nothing left to load. Synchronises.
  void prepare(int device);
  void release(int device) noexcept;
  [[nodiscard]] bool prepared(int device) const;
  /// Scratch memory of a call, whatever its batch: samples go through in groups.
  [[nodiscard]] uint64_t workspace_bytes() const;

  /// What a call needs besides its tensors; everything is in the memory of `device`, stream is a cudaStream_t.
  struct Call {
    int device;
    void* stream;
    void* workspace;
    int64_t count;
    uint64_t key;
    const uint64_t* ids;
    int32_t* status;
  };
  // Each enqueues and returns. x [B, N, N], y [B, views, bins], loglik [B], gradient [B, N, N] or NULL.
  void simulate(const Call& call, const NoiseModel& noise, const float* x, float* y) const;
  void transpose(const Call& call, const float* y, float* x) const;
  void loglik(const Call& call, const NoiseModel& noise, const float* y, const float* x, double* loglik, float* gradient) const;

 private:
  struct OnDevice;
  template <class Body>
  void in_groups(const Call& call, Body&& body) const;
  void warm_up(int device) const;

  SliceTables host_;
  struct Devices;
  std::unique_ptr<Devices> devices_;
};

}  // namespace tomography
