// From an image to sinogram rows through the Fourier slice theorem, and the exact transpose. Both the projector and the lifts to image
// space are such an operator; they differ in the weights and in the length of the rows.
#pragma once

#include "geometry.hpp"
#include "image_grid.hpp"

#include <functional>
#include <memory>
#include <mutex>

namespace tomography {

/// y[v, b] = sum over m of c_m Re(weight(v, m) F(k_m cos theta_v, k_m sin theta_v) exp(i k_m s_b)),  k_m = 2 pi m / (length · fine pitch),
/// m = 0 … length / 2; c_m = 1 at both ends of that range and 2 between. F: see ImageGrid, frequencies outside its square count as 0.
class SliceOperator {
 public:
  struct Rows {
    int64_t length;      ///< even; periods of the rows must not overlap where it matters: length · fine pitch, in pixels
    int64_t oversample;  ///< the fine pitch is pitch / oversample; only every oversample-th sample is a bin
  };
  using Weight = std::function<double(int64_t view, int64_t m, Frequency k)>;

  SliceOperator(const Geometry& geometry, const ImageGrid& grid, Rows rows, const Weight& weight);

  class Scratch {
   public:
    explicit Scratch(const SliceOperator& slices);

   private:
    friend class SliceOperator;
    ImageGrid::Scratch image_;
    Aligned<Complex> values_, spectrum_;
    Aligned<float> row_;
  };

  void apply(const float* x, float* y, Scratch& scratch) const;      ///< [N, N] → [views, bins]
  void transpose(const float* y, float* x, Scratch& scratch) const;  ///< [views, bins] → [N, N]

  /// Scratch that goes back to this operator: as many are kept as have ever been in use at once. Thread-safe.
  struct GiveBack {
    const SliceOperator* owner;
    void operator()(Scratch* scratch) const;
  };
  [[nodiscard]] std::unique_ptr<Scratch, GiveBack> borrow() const;

  /// For the CUDA twin; without the order of spread_order(). Valid as long as this operator.
  [[nodiscard]] SliceTables tables() const;

 private:
  const ImageGrid& grid_;
  int64_t views_, bins_, oversample_, frequencies_;
  std::vector<GridPoint> points_;         // [views, frequencies]
  std::vector<Complex> weights_;          // [views, frequencies], phases included
  std::vector<unsigned char> conjugate_;  // per view: its points are those of -k
  int64_t length_;
  std::optional<Fft> to_row_, from_row_;
  mutable std::mutex idle_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> idle_;
};

/// The length of rows whose periods are at least `period` pixels apart and which hold every bin.
int64_t row_length(const Geometry& geometry, double period, int64_t oversample);

}  // namespace tomography
