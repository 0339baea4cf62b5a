// random.h on a GPU: one thread an answer. Exit 0: all right · 1: some wrong · 77: no GPU here.
#include <cstdio>

#include "known_answers_check.h"

struct Tables {
  known_block blocks[KNOWN_COUNT(kKnownBlocks)];
  known_key keys[KNOWN_COUNT(kKnownKeys)];
  known_draw draws[KNOWN_COUNT(kKnownDraws)];
};

__global__ void count_wrong(const Tables* tables, int* wrong) {
  const unsigned i = threadIdx.x;
  if (i < KNOWN_COUNT(kKnownBlocks)) atomicAdd(wrong, known_block_is_wrong(&tables->blocks[i]));
  if (i < KNOWN_COUNT(kKnownKeys)) atomicAdd(wrong, known_key_is_wrong(&tables->keys[i]));
  if (i < KNOWN_COUNT(kKnownDraws)) atomicAdd(wrong, known_draw_is_wrong(&tables->draws[i]));
}

// The normals of elements 0 ... 4 quads - 1, as bits: they must be those of the host, not only near them.
__global__ void fill_normals(uint64_t key, uint64_t id, float* out, unsigned quads) {
  const unsigned quad = blockIdx.x * blockDim.x + threadIdx.x;
  if (quad < quads) unchannel_normal4(key, id, quad, 0, out + 4 * quad);
}

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped 'there is no GPU'");
    return 77;
  }
  Tables tables;
  memcpy(tables.blocks, kKnownBlocks, sizeof kKnownBlocks);
  memcpy(tables.keys, kKnownKeys, sizeof kKnownKeys);
  memcpy(tables.draws, kKnownDraws, sizeof kKnownDraws);
  constexpr unsigned kQuads = 1u << 16;
  Tables* on_device = nullptr;
  int* wrong = nullptr;
  float* normals = nullptr;
  const bool ready = cudaMallocManaged(&on_device, sizeof tables) == cudaSuccess &&
                     cudaMallocManaged(&wrong, sizeof *wrong) == cudaSuccess &&
                     cudaMallocManaged(&normals, 4 * kQuads * sizeof *normals) == cudaSuccess;
  if (!ready) return std::puts("no device memory"), 1;
  *on_device = tables;
  *wrong = known_answers_wrong();  // nvcc's host code
  const int wrong_on_host = *wrong;
  count_wrong<<<1, 32>>>(on_device, wrong);
  fill_normals<<<kQuads / 256, 256>>>(42, 7, normals, kQuads);
  if (cudaDeviceSynchronize() != cudaSuccess) return std::printf("the kernels failed: %s\n", cudaGetErrorString(cudaGetLastError())), 1;
  unsigned different = 0;
  for (unsigned i = 0; i < 4 * kQuads; ++i) different += normals[i] != unchannel_normal(42, 7, i, 0);
  std::printf("%d answers wrong on the host, %d on the device, %u of %u normals differ in their bits\n", wrong_on_host,
              *wrong - wrong_on_host, different, 4 * kQuads);
  return *wrong == 0 && different == 0 ? 0 : 1;
}
