// What a build with CUDA promises on a machine without a device: it loads, works on the CPU and says what is missing.
#include <gtest/gtest.h>

#include "cuda_twin.hpp"
#include "cufft_library.hpp"
#include "tomography_support.hpp"

namespace {

using namespace unchannel::test;

TEST(TomographyCuda, FindsEveryFunctionOfCufftWithoutADevice) {
  std::string why;
  EXPECT_NE(tomography::cufft_library(why), nullptr) << why;
}

TEST(TomographyCuda, OffersCudaAtBestAndOnlyWhereThereIsADevice) {
  Channel channel(kTomography);
  ASSERT_NE(channel.module->get_table(0, UNCHANNEL_CUDA_1), nullptr);
  ASSERT_EQ(channel.configure({16, 16}, {{"views", int64_t{3}}}), UNCHANNEL_OK);
  const bool offered = channel.extension<unchannel_cuda_1>(UNCHANNEL_CUDA_1) != nullptr;
  EXPECT_EQ(offered, tomography::cuda_unavailable().empty());
  EXPECT_EQ(offered, tomography::cuda_device_count() > 0);
}

TEST(TomographyCuda, RefusesDevicesThatDoNotExistWithAReason) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({16, 16}, {{"views", int64_t{3}}}), UNCHANNEL_OK);
  const auto* cuda = static_cast<const unchannel_cuda_1*>(channel.module->get_table(0, UNCHANNEL_CUDA_1));
  for (const int32_t absent : {-1, tomography::cuda_device_count()}) {
    channel.error.clear();
    EXPECT_EQ(cuda->prepare(channel.instance, absent), UNCHANNEL_BAD_ARGUMENT);
    // Where there is no device at all, the reason is the driver.
    const std::string reason = tomography::cuda_unavailable().empty() ? "device" : tomography::cuda_unavailable();
    EXPECT_NE(channel.error.find(reason), std::string::npos) << channel.error;
  }
  channel.simulate(1, random_array(1, {1, 16, 16}), {});
  EXPECT_EQ(channel.status, UNCHANNEL_OK) << channel.error;
}

}  // namespace
