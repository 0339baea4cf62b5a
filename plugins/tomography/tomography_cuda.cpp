// The plugin with CUDA: the channel of tomography.hpp, whose calls go to the device when their tensors are there. Never run on a GPU so
// far; see README.md.
#include "cuda_twin.hpp"
#include "tomography.hpp"

#include <atomic>

namespace tomography {

class TomographyCuda final : public Tomography {
 public:
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    sdk::Shape y_shape = Tomography::configure(x_shape);
    if (cuda_unavailable().empty()) {
      twin_ = std::make_unique<Twin>(*operators_);
      workspace.bytes = std::max(twin_->project.workspace_bytes(), twin_->lift.workspace_bytes());
    } else {
      explain_once(cuda_unavailable());
    }
    return y_shape;
  }

  [[nodiscard]] bool offers(std::string_view id) const { return id == UNCHANNEL_CUDA_1 ? twin_ != nullptr : Tomography::offers(id); }

  [[nodiscard]] uint64_t cuda_operations() const {
    if (!twin_) {
      return 0;
    }
    return UNCHANNEL_CUDA_DRAW_LATENTS | UNCHANNEL_CUDA_SIMULATE | UNCHANNEL_CUDA_LIFT | UNCHANNEL_CUDA_MEAN | UNCHANNEL_CUDA_VJP |
           UNCHANNEL_CUDA_JVP | UNCHANNEL_CUDA_ADJOINT | (noise_() == "none" ? 0 : UNCHANNEL_CUDA_LOGLIK);
  }
  void cuda_prepare(int32_t device) {
    if (!twin_) {
      throw sdk::bad_argument("cuda/1 is not offered here: ", cuda_unavailable());
    }
    if (device < 0 || device >= cuda_device_count()) {
      throw sdk::bad_argument("CUDA device ", device, " does not exist: this machine has ", cuda_device_count(), ", counted from 0.");
    }
    twin_->project.prepare(device);
    twin_->lift.prepare(device);
  }
  void cuda_release(int32_t device) noexcept {
    if (twin_) {
      twin_->project.release(device);
      twin_->lift.release(device);
    }
  }

  void simulate(const sdk::SimulateCall& call) const override {
    if (!call.on_cuda()) {
      return Tomography::simulate(call);
    }
    const Noise kind = noise_() == "none" ? Noise::kNone : model().kind;
    twin(twin_->project, call).simulate(here(call, true), {kind, sigma_(), photons_()}, call.x[0].data(), call.y[0].data());
  }
  void mean(const sdk::MeanCall& call) const { call.on_cuda() ? project(call, call.x, call.mean) : Tomography::mean(call); }
  void jvp(const sdk::JvpCall& call) const { call.on_cuda() ? project(call, call.tangent, call.derivative) : Tomography::jvp(call); }
  void vjp(const sdk::VjpCall& call) const {
    call.on_cuda() ? back(twin_->project, call, call.cotangent, call.gradient) : Tomography::vjp(call);
  }
  void adjoint(const sdk::AdjointCall& call) const {
    call.on_cuda() ? back(twin_->project, call, call.y, call.x) : Tomography::adjoint(call);
  }
  void lift(const sdk::LiftCall& call) const { call.on_cuda() ? back(twin_->lift, call, call.y, call.lifted) : Tomography::lift(call); }
  void loglik(const sdk::LoglikCall& call) const {
    if (!call.on_cuda()) {
      return Tomography::loglik(call);
    }
    twin(twin_->project, call)
        .loglik(here(call, false), model(), call.y[0].data(), call.x[0].data(), call.loglik.data(),
                call.gradient ? call.gradient[0].data() : nullptr);
  }

 private:
  struct Twin {
    explicit Twin(const Operators& operators) : project(operators.project.tables()), lift(operators.lift.tables()) {}
    CudaOperator project, lift;
  };

  [[nodiscard]] NoiseModel model() const { return {noise_() == "poisson" ? Noise::kPoisson : Noise::kGaussian, sigma_(), photons_()}; }
  void project(const sdk::Call& call, const sdk::Rows<const float>& x, const sdk::Rows<float>& y) const {
    twin(twin_->project, call).simulate(here(call, false), {Noise::kNone, 0, 0}, x[0].data(), y[0].data());
  }
  static void back(const CudaOperator& slices, const sdk::Call& call, const sdk::Rows<const float>& y, const sdk::Rows<float>& x) {
    twin(slices, call).transpose(here(call, false), y[0].data(), x[0].data());
  }
  static const CudaOperator& twin(const CudaOperator& slices, const sdk::Call& call) {
    if (!slices.prepared(call.batch().device.index)) {
      throw sdk::bad_argument("device ", call.batch().device.index, " is not prepared: call prepare of cuda/1 after configure.");
    }
    if (call.workspace_bytes() < slices.workspace_bytes()) {
      throw sdk::bad_argument("the workspace has ", call.workspace_bytes(), " bytes; ", slices.workspace_bytes(), " are needed.");
    }
    return slices;
  }
  static CudaOperator::Call here(const sdk::Call& call, bool noisy) {
    const unchannel_batch& batch = call.batch();
    const uint64_t key = noisy ? unchannel_derive(batch.key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0)) : 0;
    return {batch.device.index, batch.stream, batch.workspace, batch.count, key, batch.ids, batch.sample_status};
  }

  void explain_once(const std::string& why) const {
    static std::atomic_flag said;
    const auto* log = sdk::detail::service<unchannel_host_log_1>(host, UNCHANNEL_SERVICE_LOG_1);
    if (log != nullptr && !said.test_and_set()) {
      log->log(host, UNCHANNEL_LOG_INFO, sdk::join("tomography runs on the CPU; cuda/1 is not offered: ", why).c_str());
    }
  }

  std::unique_ptr<Twin> twin_;
};

}  // namespace tomography

UNCHANNEL_MODULE(tomography::TomographyCuda)
