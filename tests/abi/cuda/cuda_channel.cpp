// y = x + n with cuda/1 on the pretended driver: right in everything, or wrong in the one thing that WAY says.
#include <dlfcn.h>

#include <functional>
#include <string_view>
#include <unchannel/channel.hpp>

namespace {

namespace sdk = unchannel::sdk;

constexpr bool is(std::string_view way) { return way == WAY; }

template <class Function>
Function driver(const char* name) {
  static void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return library != nullptr ? reinterpret_cast<Function>(dlsym(library, name)) : nullptr;
}

class CudaChannel final : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{.id = "org.example.cuda_channel",
                                                    .name = "CUDA channel",
                                                    .version = "1.0.0",
                                                    .vendor = "",
                                                    .url = "",
                                                    .licence = "",
                                                    .description = "y = x + n, n ~ N(0, 1).",
                                                    .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                                                    .thread_class = UNCHANNEL_THREADS_REENTRANT};

  sdk::Shape configure(const sdk::Shape& x_shape) override { return x_shape; }

  [[nodiscard]] uint64_t cuda_operations() const { return UNCHANNEL_CUDA_SIMULATE | UNCHANNEL_CUDA_MEAN; }
  void cuda_prepare(int32_t device) const {
    if (device != 0) {
      throw sdk::bad_argument("there is no CUDA device ", device, "; this machine pretends to have one.");
    }
  }
  void cuda_release(int32_t) const noexcept {}

  void simulate(const sdk::SimulateCall& call) const override {
    run(call, [batch = call.batch(), x = call.x, y = call.y](int64_t i) {
      unchannel_normal_fill(batch.key, batch.ids[i], 0, y[i].size(), y[i].data());
      for (size_t d = 0; d < y[i].size(); ++d) {
        y[i][d] += x[i][d];
      }
      if (is("wrong-status") && batch.device.type == UNCHANNEL_DEVICE_CUDA && i == 1) {
        batch.sample_status[i] = UNCHANNEL_SAMPLE_FAILED;
      }
    });
  }
  void mean(const sdk::MeanCall& call) const {
    const float gain = is("wrong-value") && call.on_cuda() ? 1.001F : 1;
    run(call, [x = call.x, mean = call.mean, gain](int64_t i) {
      for (size_t d = 0; d < x[i].size(); ++d) {
        mean[i][d] = gain * x[i][d];
      }
    });
  }

 private:
  using Work = std::function<void()>;
  template <class Body>
  static void run(const sdk::Call& call, const Body& body) {
    if (!call.on_cuda()) {
      return call.for_each(body);
    }
    const Work all = [body, count = call.count()] {
      for (int64_t i = 0; i < count; ++i) {
        body(i);
      }
    };
    if (is("at-once")) {
      return all();
    }
    const auto enqueue = driver<int (*)(void*, void (*)(void*), void*)>("cuLaunchHostFunc");
    const auto work = [](void* user) {
      (*static_cast<Work*>(user))();
      delete static_cast<Work*>(user);
    };
    enqueue(call.batch().stream, work, new Work(all));
    if (is("synchronises")) {
      driver<int (*)(void*)>("cuStreamSynchronize")(call.batch().stream);
    }
    if (is("leaves-context")) {
      driver<int (*)(void*)>("cuCtxSetCurrent")(nullptr);
    }
  }
};

}  // namespace

UNCHANNEL_MODULE(CudaChannel)
