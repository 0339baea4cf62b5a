// Time of one image through the projector and back through filtered back-projection, without the plugin interface:
//   bench_tomography N VIEWS BINS REPETITIONS FILTER image.f32 sinogram.f32 reconstruction.f32
// FILTER: ramp, shepp_logan, hann or fourier_slice. Reads the image (float32, N × N), writes the two results, prints one line per
// repetition: seconds of the projection and of the reconstruction. One thread. compare.py drives it.
#include "transforms.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

namespace {

/// CPU time of this thread: other programs on the machine disturb it less than they disturb the clock.
double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void write(const char* path, const std::vector<float>& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tomography;
  if (argc != 9) {
    std::fprintf(stderr, "usage: bench_tomography N VIEWS BINS REPETITIONS FILTER image.f32 sinogram.f32 reconstruction.f32\n");
    return 2;
  }
  const int64_t pixels = std::atoll(argv[1]), views = std::atoll(argv[2]), bins = std::atoll(argv[3]);
  const std::string filter = argv[5];
  Geometry geometry{pixels, 1, {}, {}, bins, 1, 0};
  set_angles(geometry, views, 0, 180);
  const ImageGrid grid(pixels);
  const SliceOperator project = projector(geometry, grid);
  const SliceOperator lift = filter == "fourier_slice" ? fourier_slice(geometry, grid)
                                                       : filtered_back_projection(geometry, grid,
                                                                                  filter == "hann"          ? Filter::kHann
                                                                                  : filter == "shepp_logan" ? Filter::kSheppLogan
                                                                                                            : Filter::kRamp);
  std::vector<float> image(static_cast<size_t>(pixels * pixels)), back(image.size()), sinogram(static_cast<size_t>(views * bins));
  std::ifstream(argv[6], std::ios::binary)
      .read(reinterpret_cast<char*>(image.data()), static_cast<std::streamsize>(image.size() * sizeof(float)));
  const auto forward_scratch = project.borrow(), lift_scratch = lift.borrow();
  for (int64_t repetition = 0; repetition < std::atoll(argv[4]); ++repetition) {
    const double start = seconds_now();
    project.apply(image.data(), sinogram.data(), *forward_scratch);
    const double middle = seconds_now();
    lift.transpose(sinogram.data(), back.data(), *lift_scratch);
    std::printf("%.9f %.9f\n", middle - start, seconds_now() - middle);
  }
  write(argv[7], sinogram);
  write(argv[8], back);
}
