// The jpeg channel against bare libjpeg-turbo loops, one thread, all sides in one run:
//   bench_jpeg [Google Benchmark options]
// bytes:   8 bit pixels, interleaved, ready in memory, in and out. One compress and one decompress struct for all images, memory source and
//          destination, complete JPEG streams: what a careful program does.
// planes:  the same loop from and to float32 planes, converted by plain loops.
// channel: from and to float32 planes, loaded with dlopen and called through the interface, without noise.
// noisy:   the channel with noise.
// All sides see the same images; size, quality and subsampling are in the name. Repetitions are interleaved at random, because other
// programs disturb the machine: compare medians of the CPU time.
#include <benchmark/benchmark.h>

#include "plugin_driver.hpp"

#include <algorithm>
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

void channel_loop(benchmark::State& state, const Case& c, double noise_sigma) {
  Channel channel(UNCHANNEL_BENCH_PLUGIN);
  if (channel.configure({c.planes, c.size, c.size}, {{"noise_sigma", noise_sigma}, {"chroma_subsampling", std::string(c.chroma)}}) !=
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

/// planes [planes][size * size] in [0, 1] to interleaved levels and back.
void to_levels(const Case& c, const float* planes, JSAMPLE* levels) {
  const int64_t pixels = c.size * c.size;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t plane = 0; plane < c.planes; ++plane) {
      levels[p * c.planes + plane] = static_cast<JSAMPLE>(std::clamp(planes[plane * pixels + p] * 255 + 0.5F, 0.0F, 255.0F));
    }
  }
}
void to_planes(const Case& c, const JSAMPLE* levels, float* planes) {
  const int64_t pixels = c.size * c.size;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t plane = 0; plane < c.planes; ++plane) {
      planes[plane * pixels + p] = static_cast<float>(levels[p * c.planes + plane]) / 255;
    }
  }
}

void bare_loop(benchmark::State& state, const Case& c, bool from_planes) {
  const auto x = images(c);
  Array<float> y(x.shape());
  const auto row_bytes = static_cast<size_t>(c.size * c.planes), image_bytes = row_bytes * static_cast<size_t>(c.size);
  std::vector<JSAMPLE> pixels(from_planes ? image_bytes : kBatch * image_bytes), out(image_bytes);
  for (int64_t i = 0; i < kBatch && !from_planes; ++i) {
    to_levels(c, x.row(i), pixels.data() + static_cast<size_t>(i) * image_bytes);
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
      if (from_planes) {
        to_levels(c, x.row(i), pixels.data());
      }
      for (size_t row = 0; row < rows.size(); ++row) {
        rows[row] = pixels.data() + (from_planes ? 0 : static_cast<size_t>(i) * image_bytes) + row * row_bytes;
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
      if (from_planes) {
        to_planes(c, out.data(), y.row(i));
      }
      benchmark::DoNotOptimize(out.data());
      benchmark::DoNotOptimize(y.values.data());
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
    const auto add = [&what](const char* side, auto loop) { benchmark::RegisterBenchmark((std::string(side) + what).c_str(), loop); };
    add("bytes/", [&c](benchmark::State& state) { bare_loop(state, c, false); });
    add("planes/", [&c](benchmark::State& state) { bare_loop(state, c, true); });
    add("channel/", [&c](benchmark::State& state) { channel_loop(state, c, 0); });
    add("noisy/", [&c](benchmark::State& state) { channel_loop(state, c, 0.01); });
  }
  std::vector<char*> options(argv, argv + 1);
  char repetitions[] = "--benchmark_repetitions=25", interleaved[] = "--benchmark_enable_random_interleaving=true",
       time[] = "--benchmark_min_time=0.02", aggregates[] = "--benchmark_report_aggregates_only=true";
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
