// The jpeg channel against a bare libjpeg-turbo loop, one thread, both sides in one run:
//   bench_jpeg [Google Benchmark options]
// The bare loop does what a careful program does on 8 bit pixels that lie ready: one compress and one decompress struct for all images,
// memory source and destination, complete JPEG streams. The channel starts from and ends with float32 planes; it is loaded with dlopen and
// called through the interface. Both read the same noisy images; quality, subsampling and size are in the name. Repetitions are interleaved
// at random, because other programs disturb the machine: compare medians.
#include <benchmark/benchmark.h>

#include "plugin_driver.hpp"

#include <cstdio>
#include <cstring>

#include <jpeglib.h>
#include <unchannel/random.h>

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;

constexpr int64_t kBatch = 64;

struct Case {
  int64_t size, planes, quality;
  const char* chroma;
};
constexpr Case kCases[] = {
    {32, 3, 75, "4:2:0"}, {32, 3, 75, "4:4:4"}, {32, 3, 10, "4:2:0"},  {32, 3, 100, "4:2:0"},
    {32, 1, 75, "4:2:0"}, {64, 3, 75, "4:2:0"}, {256, 3, 75, "4:2:0"}, {256, 1, 75, "4:2:0"},
};

/// A gradient, two soft edges and noise of 4 levels: about the rate of photographs (1 to 2 bits a pixel at quality 75).
Array<float> images(const Case& c) {
  Array<float> x({kBatch, c.planes, c.size, c.size});
  for (int64_t i = 0; i < kBatch; ++i) {
    unchannel_normal_fill(1, static_cast<uint64_t>(i), 0, static_cast<uint64_t>(x.width()), x.row(i));
    for (int64_t at = 0; at < x.width(); ++at) {
      const int64_t plane = at / (c.size * c.size), row = at / c.size % c.size, column = at % c.size;
      const float smooth = static_cast<float>(row + column) / static_cast<float>(2 * c.size);
      const float edge = (column + 3 * i) % c.size > c.size / 2 ? 0.3F : 0.0F;
      x.row(i)[at] = std::clamp(0.1F + 0.4F * smooth + edge + 0.05F * static_cast<float>(plane) + 0.016F * x.row(i)[at], 0.0F, 1.0F);
    }
  }
  return x;
}

void channel_loop(benchmark::State& state, const Case& c) {
  Channel channel(UNCHANNEL_BENCH_PLUGIN);
  if (channel.configure({c.planes, c.size, c.size}, {{"noise_sigma", 0.0}, {"chroma_subsampling", std::string(c.chroma)}}) !=
      UNCHANNEL_OK) {
    state.SkipWithError(channel.error.c_str());
    return;
  }
  const auto x = images(c);
  Array<float> y(x.shape());
  Channel::Latents latents;
  latents.emplace("quality", Array<int32_t>({kBatch}, static_cast<int32_t>(c.quality)));
  Channel::Call call(channel, 1, kBatch, 0, latents);
  const auto tx = x.tensor(), ty = y.tensor();
  unchannel_simulate_args args{sizeof args, nullptr, &tx, call.latents.data(), static_cast<uint32_t>(call.latents.size()), 0, &ty};
  for (auto _ : state) {
    if (channel.core->simulate(channel.instance, &call.batch, &args) != UNCHANNEL_OK) {
      state.SkipWithError("simulate failed");
    }
    benchmark::DoNotOptimize(y.values.data());
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void bare_loop(benchmark::State& state, const Case& c) {
  const auto x = images(c);
  const auto row_bytes = static_cast<size_t>(c.size * c.planes);
  std::vector<JSAMPLE> pixels(static_cast<size_t>(kBatch * c.size) * row_bytes), out(static_cast<size_t>(c.size) * row_bytes);
  for (int64_t i = 0; i < kBatch; ++i) {
    for (int64_t p = 0; p < c.size * c.size; ++p) {
      for (int64_t plane = 0; plane < c.planes; ++plane) {
        pixels[static_cast<size_t>((i * c.size * c.size + p) * c.planes + plane)] =
            static_cast<JSAMPLE>(x.row(i)[plane * c.size * c.size + p] * 255 + 0.5F);
      }
    }
  }
  std::vector<JSAMPROW> rows(static_cast<size_t>(c.size)), out_rows(rows.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    out_rows[row] = out.data() + row * row_bytes;
  }
  jpeg_error_mgr errors;
  jpeg_compress_struct compress;
  jpeg_decompress_struct decompress;
  compress.err = decompress.err = jpeg_std_error(&errors);
  jpeg_create_compress(&compress);
  jpeg_create_decompress(&decompress);
  compress.image_width = compress.image_height = static_cast<JDIMENSION>(c.size);
  compress.input_components = static_cast<int>(c.planes);
  compress.in_color_space = c.planes == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&compress);
  compress.comp_info[0].h_samp_factor = c.planes == 3 && std::strcmp(c.chroma, "4:4:4") != 0 ? 2 : 1;
  compress.comp_info[0].v_samp_factor = c.planes == 3 && std::strcmp(c.chroma, "4:2:0") == 0 ? 2 : 1;
  std::vector<unsigned char> stream(65536 + out.size());
  for (auto _ : state) {
    for (int64_t i = 0; i < kBatch; ++i) {
      for (size_t row = 0; row < rows.size(); ++row) {
        rows[row] = pixels.data() + (static_cast<size_t>(i) * rows.size() + row) * row_bytes;
      }
      unsigned char* begin = stream.data();
      unsigned long bytes = stream.size();
      jpeg_mem_dest(&compress, &begin, &bytes);
      jpeg_set_quality(&compress, static_cast<int>(c.quality), TRUE);
      jpeg_start_compress(&compress, TRUE);
      jpeg_write_scanlines(&compress, rows.data(), static_cast<JDIMENSION>(rows.size()));
      jpeg_finish_compress(&compress);
      jpeg_mem_src(&decompress, begin, bytes);
      jpeg_read_header(&decompress, TRUE);
      jpeg_start_decompress(&decompress);
      while (decompress.output_scanline < decompress.output_height) {
        jpeg_read_scanlines(&decompress, out_rows.data() + decompress.output_scanline,
                            decompress.output_height - decompress.output_scanline);
      }
      jpeg_finish_decompress(&decompress);
      benchmark::DoNotOptimize(out.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
  jpeg_destroy_compress(&compress);
  jpeg_destroy_decompress(&decompress);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Case& c : kCases) {
    char what[64];
    std::snprintf(what, sizeof what, "%dx%d_%s_q%d_%s", static_cast<int>(c.size), static_cast<int>(c.size), c.planes == 3 ? "rgb" : "grey",
                  static_cast<int>(c.quality), c.planes == 3 ? c.chroma : "4:0:0");
    benchmark::RegisterBenchmark((std::string("bare/") + what).c_str(), [&c](benchmark::State& state) { bare_loop(state, c); });
    benchmark::RegisterBenchmark((std::string("channel/") + what).c_str(), [&c](benchmark::State& state) { channel_loop(state, c); });
  }
  std::vector<char*> options(argv, argv + 1);
  char repetitions[] = "--benchmark_repetitions=25", interleaved[] = "--benchmark_enable_random_interleaving=true",
       time[] = "--benchmark_min_time=0.05", aggregates[] = "--benchmark_report_aggregates_only=true";
  options.insert(options.end(), {repetitions, interleaved, time, aggregates});
  options.insert(options.end(), argv + 1, argv + argc);
  int count = static_cast<int>(options.size());
  benchmark::Initialize(&count, options.data());
  if (benchmark::ReportUnrecognizedArguments(count, options.data())) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
