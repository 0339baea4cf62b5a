#pragma once
// A host of the plugin interface in its plainest form: dlopen, one channel, buffers on the heap. Independent of channels/plugin_host on
// purpose.

#include <dlfcn.h>
#include <unchannel/channel.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace unchannel::test {

/// The lines below [channel.parameters] of a plugin's TOML file, without comments: what its canonical defaults are compared with.
inline std::string documented_parameters(const std::string& path) {
  std::ifstream file(path);
  std::string documented, line;
  bool parameters = false;
  while (std::getline(file, line)) {
    if (parameters && !line.empty() && line[0] != '#') {
      documented += line + "\n";
    }
    parameters = parameters || line == "[channel.parameters]";
  }
  return documented;
}

/// An n-d array that can show itself as the interface's tensor. T: float, int32_t, int64_t.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(std::vector<int64_t> shape, T value = T()) : shape_(std::move(shape)) {
    int64_t size = 1;
    strides_.resize(shape_.size());
    for (size_t axis = shape_.size(); axis > 0; --axis) {
      strides_[axis - 1] = size;
      size *= shape_[axis - 1];
    }
    values.assign(static_cast<size_t>(size), value);
  }
  [[nodiscard]] unchannel_tensor tensor() const {
    unchannel_tensor t{};
    t.data = const_cast<T*>(values.data());
    t.device = {UNCHANNEL_DEVICE_CPU, 0};
    t.ndim = static_cast<int32_t>(shape_.size());
    t.dtype = {std::is_same_v<T, float> ? uint8_t{UNCHANNEL_DTYPE_FLOAT} : uint8_t{UNCHANNEL_DTYPE_INT}, uint8_t{8 * sizeof(T)}, 1};
    t.shape = const_cast<int64_t*>(shape_.data());
    t.strides = const_cast<int64_t*>(strides_.data());
    return t;
  }
  [[nodiscard]] const std::vector<int64_t>& shape() const { return shape_; }
  [[nodiscard]] int64_t width() const { return strides_.empty() ? 1 : strides_[0]; }
  T* row(int64_t i) { return values.data() + i * width(); }
  const T* row(int64_t i) const { return values.data() + i * width(); }
  std::vector<T> values;

 private:
  std::vector<int64_t> shape_, strides_;
};

/// Two threads, ranges handed out in reverse order: results must not care.
struct ReversePool {
  static uint32_t thread_count(const unchannel_host*) { return 2; }
  static int32_t run(const unchannel_host*, int64_t count, int64_t grain, void (*task)(void*, int64_t, int64_t, uint32_t), void* user) {
    const int64_t ranges = (count + grain - 1) / grain;
    const auto work = [&](uint32_t worker) {
      for (int64_t r = ranges - 1 - worker; r >= 0; r -= 2) {
        task(user, r * grain, std::min(count, (r + 1) * grain), worker);
      }
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    return UNCHANNEL_OK;
  }
  static constexpr unchannel_host_thread_pool_1 kTable{&thread_count, &run};
};

class Channel {
 public:
  using Value = std::variant<double, int64_t, std::string>;

  explicit Channel(const std::string& library, uint32_t channel = 0) {
    handle_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      throw std::runtime_error(dlerror());
    }
    const auto entry = reinterpret_cast<unchannel_entry_function>(dlsym(handle_, UNCHANNEL_ENTRY_SYMBOL));
    if (entry == nullptr) {
      throw std::runtime_error(library + " has no entry");
    }
    module = entry(UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR);
    descriptor = module->channel_descriptor(channel);
    core = static_cast<const unchannel_core_1*>(module->get_table(channel, UNCHANNEL_CORE_1));
    host.abi_major = UNCHANNEL_ABI_MAJOR;
    host.name = "test", host.version = "0", host.context = this;
    host.set_error = [](const unchannel_host* h, const char* text) { static_cast<Channel*>(h->context)->error = text; };
    host.get_service = [](const unchannel_host* h, const char* id) -> const void* {
      const auto& offered = static_cast<Channel*>(h->context)->services;
      const auto found = offered.find(id);
      return found == offered.end() ? nullptr : found->second;
    };
    module->init(&host);
    if (core->create(&host, &instance) != UNCHANNEL_OK) {
      throw std::runtime_error("create: " + error);
    }
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    core->destroy(instance);
    module->shutdown();  // the library stays mapped, as in the real host
  }

  int32_t configure(const std::vector<int64_t>& x_shape, const std::map<std::string, Value>& wanted = {}) {
    const uint32_t count = core->parameter_count(instance);
    std::vector<unchannel_value> values(count);
    std::vector<const unchannel_value*> pointers;
    for (uint32_t i = 0; i < count; ++i) {
      const unchannel_parameter* p = core->parameter(instance, i);
      values[i] = {p->id, p->type, 0, p->default_f64, p->default_i64, p->default_text};
      if (const auto found = wanted.find(p->id); found != wanted.end()) {
        if (const auto* f64 = std::get_if<double>(&found->second)) {
          values[i].f64 = *f64;
        }
        if (const auto* i64 = std::get_if<int64_t>(&found->second)) {
          values[i].i64 = *i64;
        }
        if (const auto* text = std::get_if<std::string>(&found->second)) {
          values[i].text = text->c_str();
        }
      }
      pointers.push_back(&values[i]);
    }
    unchannel_configure_args args{sizeof args, nullptr, x_shape.data(), static_cast<int32_t>(x_shape.size()), count, pointers.data()};
    std::vector<unchannel_latent_shape> shapes(core->latent_count(instance));
    std::vector<unchannel_latent_shape*> shape_pointers;
    for (auto& shape : shapes) {
      shape_pointers.push_back(&shape);
    }
    unchannel_configure_result result{};
    result.struct_size = sizeof result;
    result.latent_shapes = shape_pointers.data();
    result.latent_count = static_cast<uint32_t>(shapes.size());
    const int32_t answer = core->configure(instance, &args, &result);
    if (answer == UNCHANNEL_OK) {
      latent_shapes = shapes;
      y_shape.assign(result.y_shape, result.y_shape + result.y_ndim);
      canonical = result.canonical;
      x_shape_ = x_shape;
    }
    return answer;
  }

  [[nodiscard]] uint32_t latent_index(const std::string& id) const {
    for (uint32_t i = 0; i < core->latent_count(instance); ++i) {
      if (id == core->latent(instance, i)->id) {
        return i;
      }
    }
    throw std::runtime_error("no latent " + id);
  }
  [[nodiscard]] bool active(const std::string& id) const { return latent_shapes[latent_index(id)].active != 0; }

  /// Samples first … first + count - 1 of the given latents and arrays; ids are the sample's number plus id0.
  struct Slice {
    int64_t first, count;
  };

  using Latents = std::map<std::string, std::variant<Array<float>, Array<int32_t>>>;

  Latents draw(uint64_t key, int64_t count, uint64_t id0 = 0) {
    Latents drawn;
    for (uint32_t i = 0; i < latent_shapes.size(); ++i) {
      if (latent_shapes[i].active == 0 || (core->latent(instance, i)->flags & UNCHANNEL_LATENT_DATA_ONLY)) {
        continue;
      }
      std::vector<int64_t> shape{count};
      shape.insert(shape.end(), latent_shapes[i].extent, latent_shapes[i].extent + latent_shapes[i].ndim);
      const unchannel_latent* about = core->latent(instance, i);
      if (about->dtype == UNCHANNEL_LATENT_I32) {
        drawn.emplace(about->id, Array<int32_t>(shape));
      } else {
        drawn.emplace(about->id, Array<float>(shape));
      }
    }
    Call call(*this, key, count, id0, drawn);
    unchannel_draw_latents_args args{sizeof args, nullptr, nullptr, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0};
    require(core->draw_latents(instance, &call.batch, &args));
    return drawn;
  }

  Array<float> simulate(uint64_t key, const Array<float>& x, const Latents& latents, uint64_t id0 = 0) {
    Call call(*this, key, x.shape()[0], id0, latents);
    Array<float> y(batched(y_shape, x.shape()[0]), 777);
    const auto tx = x.tensor(), ty = y.tensor();
    unchannel_simulate_args args{sizeof args, nullptr, &tx, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &ty};
    status = core->simulate(instance, &call.batch, &args);
    sample_status = call.sample_status;
    return y;
  }

  template <class Table>
  const Table* extension(const char* id) {
    return static_cast<const Table*>(core->get_extension(instance, id));
  }

  Array<float> mean(const Array<float>& x, const Latents& latents) {
    Call call(*this, 0, x.shape()[0], 0, latents);
    Array<float> y(batched(y_shape, x.shape()[0]), 777);
    const auto tx = x.tensor(), ty = y.tensor();
    unchannel_mean_args args{sizeof args, nullptr, &tx, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &ty};
    require(extension<unchannel_mean_1>(UNCHANNEL_MEAN_1)->mean(instance, &call.batch, &args));
    return y;
  }

  Array<float> vjp(const Array<float>& x, const Array<float>& cotangent, const Latents& latents) {
    Call call(*this, 0, x.shape()[0], 0, latents);
    Array<float> g(x.shape(), 777);
    const auto tx = x.tensor(), tc = cotangent.tensor(), tg = g.tensor();
    unchannel_vjp_args args{sizeof args, nullptr, &tx, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &tc, &tg};
    require(extension<unchannel_vjp_1>(UNCHANNEL_VJP_1)->vjp(instance, &call.batch, &args));
    return g;
  }

  Array<float> lift(const Array<float>& y, const Latents& latents) {
    Call call(*this, 0, y.shape()[0], 0, latents);
    Array<float> lifted(batched(x_shape_, y.shape()[0]), 777);
    const auto ty = y.tensor(), tl = lifted.tensor();
    unchannel_lift_args args{sizeof args, nullptr, &ty, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &tl};
    require(extension<unchannel_lift_1>(UNCHANNEL_LIFT_1)->lift(instance, &call.batch, &args));
    return lifted;
  }

  std::vector<double> loglik(const Array<float>& y, const Array<float>& x, const Latents& latents, Array<float>* gradient = nullptr) {
    Call call(*this, 0, x.shape()[0], 0, latents);
    std::vector<double> value(static_cast<size_t>(x.shape()[0]), 777);
    const auto ty = y.tensor(), tx = x.tensor();
    unchannel_tensor tg{};
    if (gradient != nullptr) {
      *gradient = Array<float>(x.shape(), 777), tg = gradient->tensor();
    }
    unchannel_loglik_args args{sizeof args,
                               nullptr,
                               &ty,
                               &tx,
                               call.latents.data(),
                               static_cast<uint32_t>(call.latents.size()),
                               0,
                               value.data(),
                               gradient != nullptr ? &tg : nullptr};
    require(extension<unchannel_loglik_1>(UNCHANNEL_LOGLIK_1)->loglik(instance, &call.batch, &args));
    sample_status = call.sample_status;
    return value;
  }

  /// One batch's worth of the interface's structs.
  struct Call {
    Call(const Channel& c, uint64_t key, int64_t count, uint64_t id0, const Latents& given) {
      for (int64_t i = 0; i < count; ++i) {
        ids.push_back(id0 + static_cast<uint64_t>(i));
      }
      sample_status.assign(static_cast<size_t>(count), UNCHANNEL_SAMPLE_OK);
      tensors.resize(c.latent_shapes.size());
      latents.assign(c.latent_shapes.size(), nullptr);
      for (const auto& [id, array] : given) {
        const uint32_t at = c.latent_index(id);
        tensors[at] = std::visit([](const auto& a) { return a.tensor(); }, array);
        latents[at] = &tensors[at];
      }
      batch = {sizeof batch, nullptr, key, ids.data(), count, sample_status.data(), nullptr, 0, {UNCHANNEL_DEVICE_CPU, 0}, nullptr};
    }
    std::vector<uint64_t> ids;
    std::vector<int32_t> sample_status;
    std::vector<unchannel_tensor> tensors;
    std::vector<const unchannel_tensor*> latents;
    unchannel_batch batch;
  };

  unchannel_host host{};
  std::map<std::string, const void*> services;
  const unchannel_module* module = nullptr;
  const unchannel_descriptor* descriptor = nullptr;
  const unchannel_core_1* core = nullptr;
  void* instance = nullptr;
  std::string error, canonical;
  std::vector<int64_t> y_shape;
  std::vector<unchannel_latent_shape> latent_shapes;
  int32_t status = 0;
  std::vector<int32_t> sample_status;

 private:
  void require(int32_t got) const {
    if (got != UNCHANNEL_OK) {
      throw std::runtime_error("status " + std::to_string(got) + ": " + error);
    }
  }
  static std::vector<int64_t> batched(std::vector<int64_t> shape, int64_t count) {
    shape.insert(shape.begin(), count);
    return shape;
  }
  void* handle_ = nullptr;
  std::vector<int64_t> x_shape_;
};

}  // namespace unchannel::test
