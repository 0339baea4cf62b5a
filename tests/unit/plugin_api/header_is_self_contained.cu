// random.h in device code: one thread makes the four normals of one quad, the same bits as unchannel_normal_fill on the host.
#include <unchannel/channel.h>
#include <unchannel/random.h>

__global__ void fill_normals(unsigned long long key, unsigned long long id, float* out, unsigned quads) {
  const unsigned quad = blockIdx.x * blockDim.x + threadIdx.x;
  if (quad < quads) unchannel_normal4(key, id, quad, 0, out + 4 * quad);
}

float header_is_self_contained_in_cuda() { return unchannel_normal(1, 2, 3, 4); }
