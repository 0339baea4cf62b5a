// JPEG compression and decompression of images, then noise:
//
//     y = D(C(x; quality)) + noise_sigma * n        n ~ N(0, 1) for every value
//
// C and D are libjpeg-turbo's encoder and decoder on 8 bit levels; pixel_loops.hpp has the scaling between levels and data units. [SCSI,
// section 5.2 iv]: quality / 100 = q ~ U[0.1, 1] or U[0.1, 0.5], known to the model, noise 0.01.
#include "codec.hpp"
#include "pixel_loops.hpp"
#include "schema.hpp"

#include <unchannel/channel.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

namespace jpeg {

class Jpeg final : public Schema {
 public:
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    const size_t rank = x_shape.size();
    const int64_t planes = rank == 3 ? x_shape[0] : 1;
    if ((rank != 2 && rank != 3) || (planes != 1 && planes != 3)) {
      throw sdk::bad_argument("x must have the shape [H, W] or [1, H, W] (grey) or [3, H, W] (red, green, blue); it has rank ", rank,
                              rank == 3 ? sdk::join(" with ", planes, " planes.") : ".");
    }
    const int64_t height = x_shape[rank - 2], width = x_shape[rank - 1];
    if (height > JPEG_MAX_DIMENSION || width > JPEG_MAX_DIMENSION || planes * height * width > int64_t{UINT32_MAX}) {
      throw sdk::bad_argument("x with ", height, " x ", width, " pixels is too large: JPEG has at most ", JPEG_MAX_DIMENSION,
                              " a side, this channel 2^32 - 1 values. Cut the images into tiles.");
    }
    if (quality_min_() > quality_max_()) {
      throw sdk::bad_argument("quality_min = ", quality_min_(), " must not be above quality_max = ", quality_max_(), ".");
    }
    configure_scaling();
    format_ = {.width = static_cast<int>(width), .height = static_cast<int>(height), .colour = planes == 3};
    format_.chroma_step_x = chroma_() == "4:4:4" ? 1 : 2;
    format_.chroma_step_y = chroma_() == "4:2:0" ? 2 : 1;
    format_.dct = dct_() == "float" ? JDCT_FLOAT : dct_() == "ifast" ? JDCT_IFAST : JDCT_ISLOW;
    samples_per_task_ = std::clamp<int64_t>(16384 / (height * width), 1, 16);
    quality_.activate();
    return x_shape;
  }

  void draw_latents(const sdk::DrawCall& call) const override {
    const auto rows = call.draw(quality_);
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_LATENT, quality_.index()));
    const auto choices = static_cast<uint32_t>(quality_max_() - quality_min_() + 1);
    for (int64_t i = 0; rows && i < call.count(); ++i) {
      const uint32_t step = unchannel_below(unchannel_word(key, call.id(i), 0, 0), choices);
      rows[i][0] = static_cast<int32_t>(quality_min_() + step);
    }
  }

  void simulate(const sdk::SimulateCall& call) const override {
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    const auto sigma = static_cast<float>(noise_sigma_());
    for_each_image(call, call.y, [&](int64_t i, std::span<float> y) {
      if (sigma > 0) {
        pixel_loops().add_noise(key, call.id(i), sigma, static_cast<int64_t>(y.size()), y.data());
      }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    for_each_image(call, call.mean, [](int64_t, std::span<float>) {});
  }

 private:
  /// Codecs that wait for their next task, so that no task and no small batch begins with creating one.
  class Pool {
   public:
    std::unique_ptr<Codec> take(const ImageFormat& format, const Scaling& scaling) {
      {
        const std::scoped_lock lock(mutex_);
        if (!idle_.empty()) {
          auto codec = std::move(idle_.back());
          idle_.pop_back();
          return codec;
        }
      }
      return std::make_unique<Codec>(format, scaling);
    }
    void put_back(std::unique_ptr<Codec> codec) noexcept try {
      const std::scoped_lock lock(mutex_);
      idle_.push_back(std::move(codec));
    } catch (...) {  // no memory for the list: one codec less
    }

   private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Codec>> idle_;
  };
  /// One codec for the length of a task.
  class Lease {
   public:
    Lease(Pool& pool, const ImageFormat& format, const Scaling& scaling) : pool_(pool), codec_(pool.take(format, scaling)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_.put_back(std::move(codec_)); }
    Codec& operator*() const { return *codec_; }

   private:
    Pool& pool_;
    std::unique_ptr<Codec> codec_;
  };

  void configure_scaling() {
    const double low = value_min_(), high = value_max_();
    const double size = std::max(std::abs(low), std::abs(high));
    if (!(std::isfinite(size) && size < 1e30 && high - low >= 1e-3 * size && high - low > 1e-30)) {
      throw sdk::bad_argument("value_min = ", low, " and value_max = ", high,
                              " must be finite, in this order, and apart by at least 1e-3 of the larger magnitude: float32 could not tell "
                              "256 levels apart otherwise.");
    }
    scaling_ = Scaling(low, high - low);
  }

  /// out = the decompressed image, then finish(i, out).
  template <class Call, class Finish>
  void for_each_image(const Call& call, const sdk::Rows<float>& out, Finish&& finish) const {
    const auto quality = call.latent(quality_);
    call.for_each([this] { return Lease(codecs_, format_, scaling_); },
                  [&](Lease& codec, int64_t i) {
                    round_trip(*codec, call.x[i], quality[i][0], out[i]);
                    finish(i, out[i]);
                  },
                  samples_per_task_);
  }

  static void round_trip(Codec& codec, std::span<const float> x, int32_t quality, std::span<float> out) {
    if (quality < 1 || quality > 100) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }  // a "data" or "model" latent may be anything
    Outcome outcome = codec.compress(x.data(), quality);
    if (outcome == Outcome::kOk) {
      outcome = codec.decompress(out.data());
    }
    switch (outcome) {
      case Outcome::kOk:
        return;
      case Outcome::kNotFinite:
        throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
      case Outcome::kOutOfMemory:
        throw std::bad_alloc();
      case Outcome::kFailed:
        throw sdk::SampleFailure(UNCHANNEL_SAMPLE_FAILED);
    }
  }

  ImageFormat format_;
  Scaling scaling_;
  int64_t samples_per_task_ = 1;
  mutable Pool codecs_;
};

}  // namespace jpeg

UNCHANNEL_MODULE(jpeg::Jpeg)
