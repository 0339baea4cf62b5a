// How CUDA runs the steps of twin.hpp: one kernel for all functors, cuFFT between them.
#include "cuda_twin.hpp"
#include "cufft_library.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <vector>

namespace tomography {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kGroup = 16;  // samples that go through the kernels together

void require(cudaError_t status, const char* what) {
  if (status == cudaErrorMemoryAllocation) {
    throw std::bad_alloc();
  }
  if (status != cudaSuccess) {
    throw std::runtime_error(std::string("CUDA: ") + what + " failed: " + cudaGetErrorString(status));
  }
}
void require(cufftResult status, const char* what) {
  if (status == CUFFT_ALLOC_FAILED) {
    throw std::bad_alloc();
  }
  if (status != CUFFT_SUCCESS) {
    throw std::runtime_error(std::string("cuFFT: ") + what + " failed with code " + std::to_string(static_cast<int>(status)) + ".");
  }
}
const CufftLibrary& cufft() {
  std::string why;
  const CufftLibrary* const library = cufft_library(why);
  if (library == nullptr) {
    throw std::runtime_error(why);
  }
  return *library;
}

/// Makes a device current, and the former one again at the end.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    require(cudaGetDevice(&before_), "cudaGetDevice");
    require(cudaSetDevice(device), "cudaSetDevice");
  }
  ~CurrentDevice() { cudaSetDevice(before_); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int before_ = 0;
};

class DeviceMemory {
 public:
  explicit DeviceMemory(uint64_t bytes) { require(cudaMalloc(&memory_, bytes > 0 ? bytes : 1), "cudaMalloc"); }
  ~DeviceMemory() { cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  [[nodiscard]] void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
};

/// `count` transforms of `length`; strides and distances in elements, as in FFTW's advanced interface.
class Plan {
 public:
  struct Side {
    int64_t stride, distance;
  };
  Plan(cufftType type, int64_t length, int64_t count, Side in, Side out) {
    int n = static_cast<int>(length);
    // One dimension: the sizes in memory are not used, but without them cuFFT ignores strides and distances.
    require(cufft().plan_many(&plan_, 1, &n, &n, static_cast<int>(in.stride), static_cast<int>(in.distance), &n,
                              static_cast<int>(out.stride), static_cast<int>(out.distance), type, static_cast<int>(count)),
            "cufftPlanMany");
  }
  ~Plan() { cufft().destroy(plan_); }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  [[nodiscard]] cufftHandle handle() const { return plan_; }

 private:
  cufftHandle plan_ = 0;
};

/// One launch for all functors: blockIdx.y is the sample, the items are dealt out in strides.
template <class Step>
__global__ void run_step(Step step, int64_t items) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t item = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; item < items; item += stride) {
    step(static_cast<int64_t>(blockIdx.y), item);
  }
}

}  // namespace

int cuda_device_count() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

const std::string& cuda_unavailable() {
  static const std::string why = [] {
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    if (status == cudaErrorInsufficientDriver) {  // also where there is none at all
      return "this machine has no CUDA driver that knows CUDA " + std::to_string(CUDART_VERSION / 1000) + ".";
    }
    if (status != cudaSuccess) {
      return std::string("no CUDA device can be used: ") + cudaGetErrorString(status) + ".";
    }
    if (devices == 0) {
      return std::string("this machine has no CUDA device.");
    }
    std::string missing;
    cufft_library(missing);
    return missing;
  }();
  return why;
}

/// Tables and plans of one device. The plans' own work areas serve one call after the other: `used` is recorded behind each.
struct CudaOperator::OnDevice {
  explicit OnDevice(const SliceTables& host)
      : rows_to_grid(CUFFT_R2C, host.image.size, host.image.pixels, {1, host.image.size}, {host.image.pitch, 1}),
        lines(CUFFT_C2C, host.image.size, host.image.size / 2 + 1, {1, host.image.pitch}, {1, host.image.pitch}),
        grid_to_rows(CUFFT_C2R, host.image.size, host.image.pixels, {host.image.pitch, 1}, {1, host.image.size}),
        spectrum_to_slices(CUFFT_C2R, host.length, host.views, {1, host.length / 2 + 1}, {1, host.length}),
        slices_to_spectrum(CUFFT_R2C, host.length, host.views, {1, host.length}, {1, host.length / 2 + 1}),
        tables(host) {
    const SpreadOrder order = spread_order(host);
    const int64_t points = host.views * host.frequencies;
    copy(tables.image.window, host.image.window, host.image.pixels);
    copy(tables.points, host.points, points);
    copy(tables.weights, host.weights, points);
    copy(tables.conjugate, host.conjugate, host.views);
    copy(tables.first_at, order.first_at.data(), static_cast<int64_t>(order.first_at.size()));
    copy(tables.order, order.order.data(), static_cast<int64_t>(order.order.size()));
    require(cudaEventCreateWithFlags(&used, cudaEventDisableTiming), "cudaEventCreate");
  }
  ~OnDevice() { cudaEventDestroy(used); }

  template <class Value>
  void copy(const Value*& to, const Value* from, int64_t count) {
    memory.push_back(std::make_unique<DeviceMemory>(static_cast<uint64_t>(count) * sizeof(Value)));
    require(cudaMemcpy(memory.back()->get(), from, static_cast<size_t>(count) * sizeof(Value), cudaMemcpyHostToDevice), "cudaMemcpy");
    to = static_cast<const Value*>(memory.back()->get());
  }

  Plan rows_to_grid, lines, grid_to_rows, spectrum_to_slices, slices_to_spectrum;
  std::vector<std::unique_ptr<DeviceMemory>> memory;
  SliceTables tables;
  std::mutex enqueueing;
  cudaEvent_t used = nullptr;
};

struct CudaOperator::Devices {
  mutable std::mutex mutex;
  std::map<int, std::unique_ptr<OnDevice>> of;
};

namespace {

/// The Launcher of twin.hpp that enqueues on a stream.
template <class OnDevice>
class StreamLauncher {
 public:
  StreamLauncher(OnDevice& on, cudaStream_t stream) : on_(on), stream_(stream) {
    for (const Plan* plan : {&on.rows_to_grid, &on.lines, &on.grid_to_rows, &on.spectrum_to_slices, &on.slices_to_spectrum}) {
      require(cufft().set_stream(plan->handle(), stream), "cufftSetStream");
    }
  }

  template <class Step>
  void run(const Step& step, int64_t samples) {
    const int64_t items = step.items();
    if (items == 0) {
      return;
    }
    const int64_t blocks = std::min<int64_t>((items + kThreads - 1) / kThreads, 1 << 16);
    run_step<<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(samples)), kThreads, 0, stream_>>>(step, items);
    require(cudaGetLastError(), "a kernel launch");
  }

  /// Sample after sample: a plan over several samples might choose another algorithm, and the bits of a sample would depend on the batch.
  void transform(FftStep step, const Slab& slab, int64_t samples) {
    for (int64_t sample = 0; sample < samples; ++sample) {
      one(step, slab, sample);
    }
  }

 private:
  void one(FftStep step, const Slab& slab, int64_t sample) const {
    const ImageTables& image = on_.tables.image;
    auto* const line = reinterpret_cast<cufftComplex*>(slab.grid + sample * slab.of_grid + kLineReach * image.pitch);
    auto* const spectrum = reinterpret_cast<cufftComplex*>(slab.spectrum + sample * slab.of_spectrum);
    float* const rows = slab.rows + sample * slab.of_rows;
    float* const slices = slab.slices + sample * slab.of_slices;
    switch (step) {
      case FftStep::kRowsToGrid:
        return require(cufft().real_to_complex(on_.rows_to_grid.handle(), rows, line + image.offset), "cufftExecR2C");
      case FftStep::kLines:
        return require(cufft().complex_to_complex(on_.lines.handle(), line, line, CUFFT_FORWARD), "cufftExecC2C");
      case FftStep::kLinesBack:
        return require(cufft().complex_to_complex(on_.lines.handle(), line, line, CUFFT_INVERSE), "cufftExecC2C");
      case FftStep::kGridToRows:
        return require(cufft().complex_to_real(on_.grid_to_rows.handle(), line + image.offset, rows), "cufftExecC2R");
      case FftStep::kSpectrumToSlices:
        return require(cufft().complex_to_real(on_.spectrum_to_slices.handle(), spectrum, slices), "cufftExecC2R");
      case FftStep::kSlicesToSpectrum:
        return require(cufft().real_to_complex(on_.slices_to_spectrum.handle(), slices, spectrum), "cufftExecR2C");
    }
  }

  OnDevice& on_;
  cudaStream_t stream_;
};

}  // namespace

CudaOperator::CudaOperator(const SliceTables& host) : host_(host), devices_(std::make_unique<Devices>()) {}

CudaOperator::~CudaOperator() {
  while (!devices_->of.empty()) {
    release(devices_->of.begin()->first);
  }
}

void CudaOperator::prepare(int device) {
  if (prepared(device)) {
    return;
  }
  const CurrentDevice current(device);
  auto made = std::make_unique<OnDevice>(host_);
  {
    const std::lock_guard<std::mutex> lock(devices_->mutex);
    devices_->of[device] = std::move(made);
  }
  warm_up(device);
}

void CudaOperator::release(int device) noexcept {
  try {
    const CurrentDevice current(device);
    const std::lock_guard<std::mutex> lock(devices_->mutex);
    devices_->of.erase(device);
  } catch (const std::exception&) {  // the device is lost, and its memory with it
  }
}

bool CudaOperator::prepared(int device) const {
  const std::lock_guard<std::mutex> lock(devices_->mutex);
  return devices_->of.count(device) != 0;
}

uint64_t CudaOperator::workspace_bytes() const { return slab_layout(host_, kGroup, nullptr, nullptr); }

template <class Body>
void CudaOperator::in_groups(const Call& call, Body&& body) const {
  const CurrentDevice current(call.device);
  OnDevice* on = nullptr;
  {
    const std::lock_guard<std::mutex> lock(devices_->mutex);
    on = devices_->of.at(call.device).get();
  }
  const auto stream = static_cast<cudaStream_t>(call.stream);
  const std::lock_guard<std::mutex> lock(on->enqueueing);
  require(cudaStreamWaitEvent(stream, on->used, 0), "cudaStreamWaitEvent");
  StreamLauncher<OnDevice> launcher(*on, stream);
  steps::Step at{on->tables, {}};
  slab_layout(host_, kGroup, call.workspace, &at.slab);
  for (int64_t first = 0; first < call.count; first += kGroup) {
    body(launcher, at, Group{std::min(kGroup, call.count - first), call.key, call.ids + first, call.status + first}, first);
  }
  require(cudaEventRecord(on->used, stream), "cudaEventRecord");
}

void CudaOperator::simulate(const Call& call, const NoiseModel& noise, const float* x, float* y) const {
  const int64_t pixels = host_.image.pixels * host_.image.pixels, bins = host_.views * host_.bins;
  in_groups(call, [&](auto& launcher, const steps::Step& at, const Group& group, int64_t first) {
    launch_simulate(launcher, at, group, noise, x + first * pixels, y + first * bins);
  });
}

void CudaOperator::transpose(const Call& call, const float* y, float* x) const {
  const int64_t pixels = host_.image.pixels * host_.image.pixels, bins = host_.views * host_.bins;
  in_groups(call, [&](auto& launcher, const steps::Step& at, const Group& group, int64_t first) {
    launch_transpose(launcher, at, group, y + first * bins, bins, x + first * pixels);
  });
}

void CudaOperator::loglik(const Call& call, const NoiseModel& noise, const float* y, const float* x, double* loglik,
                          float* gradient) const {
  const int64_t pixels = host_.image.pixels * host_.image.pixels, bins = host_.views * host_.bins;
  in_groups(call, [&](auto& launcher, const steps::Step& at, const Group& group, int64_t first) {
    launch_loglik(launcher, at, group, noise, y + first * bins, x + first * pixels, loglik + first,
                  gradient == nullptr ? nullptr : gradient + first * pixels);
  });
}

/// Kernels are loaded when they are first launched, which may synchronise: here, and not in a call.
void CudaOperator::warm_up(int device) const {
  const uint64_t pixels = static_cast<uint64_t>(host_.image.pixels * host_.image.pixels) * sizeof(float);
  const uint64_t bins = static_cast<uint64_t>(host_.views * host_.bins) * sizeof(float);
  const DeviceMemory workspace(workspace_bytes()), x(pixels), y(bins), sample(64);
  require(cudaMemset(x.get(), 0, pixels), "cudaMemset");
  require(cudaMemset(y.get(), 0, bins), "cudaMemset");
  require(cudaMemset(sample.get(), 0, 64), "cudaMemset");
  auto* const words = static_cast<int32_t*>(sample.get());  // [0]: status, [2 3]: id, [4 5]: loglik
  const Call call{device, nullptr, workspace.get(), 1, 0, reinterpret_cast<uint64_t*>(words + 2), words};
  auto* const image = static_cast<float*>(x.get());
  auto* const sinogram = static_cast<float*>(y.get());
  for (const Noise kind : {Noise::kNone, Noise::kGaussian, Noise::kPoisson}) {
    simulate(call, {kind, 1, 1}, image, sinogram);
  }
  loglik(call, {Noise::kPoisson, 1, 1}, sinogram, image, reinterpret_cast<double*>(words + 4), image);
  require(cudaDeviceSynchronize(), "the first run of the kernels");
}

}  // namespace tomography
