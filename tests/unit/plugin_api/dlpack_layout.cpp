// unchannel_tensor is DLTensor: checked against the header that LibTorch ships.
#include <ATen/dlpack.h>
#include <unchannel/channel.h>

#define SAME(theirs, ours) static_assert(offsetof(DLTensor, theirs) == offsetof(unchannel_tensor, ours))
SAME(data, data);
SAME(device, device);
SAME(ndim, ndim);
SAME(dtype, dtype);
SAME(shape, shape);
SAME(strides, strides);
SAME(byte_offset, byte_offset);
static_assert(sizeof(DLTensor) == sizeof(unchannel_tensor) && sizeof(DLDevice) == sizeof(unchannel_device) &&
              sizeof(DLDataType) == sizeof(unchannel_dtype));
static_assert(offsetof(DLDevice, device_id) == offsetof(unchannel_device, index) &&
              offsetof(DLDataType, lanes) == offsetof(unchannel_dtype, lanes));
static_assert(kDLCPU == UNCHANNEL_DEVICE_CPU && kDLCUDA == UNCHANNEL_DEVICE_CUDA);
static_assert(kDLInt == UNCHANNEL_DTYPE_INT && kDLUInt == UNCHANNEL_DTYPE_UINT && kDLFloat == UNCHANNEL_DTYPE_FLOAT);
