#include <gtest/gtest.h>

#include <unchannel/scsi/memory_model.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

MemoryModel example() {
  return {.network_bytes = 8 * kMebibyte, .fixed_bytes = 10 * kMebibyte, .pool_row_bytes = kMebibyte / 100, .file_bytes = 200 * kMebibyte,
          .step_signal_bytes = kMebibyte, .transport_row_bytes = kMebibyte / 4};
}

constexpr TrainingSizes kWanted{.batch = 512, .pool = 1000, .transport_batch = 1024, .buffer_mib = 64};

TEST(MemoryModel, AddsItsPartsAndTheLargerOfStepAndTransport) {
  EXPECT_EQ(example().total_bytes(kWanted), (10 + 64 + 512) * kMebibyte + 1000 * (kMebibyte / 100));
  TrainingSizes transports = kWanted;
  transports.batch = 128;
  EXPECT_EQ(example().total_bytes(transports), (10 + 64 + 256) * kMebibyte + 1000 * (kMebibyte / 100));
}

TEST(MemoryModel, AWindowHoldsNoMoreThanTheFile) {
  MemoryModel model = example();
  model.file_bytes = kMebibyte;
  EXPECT_EQ(model.buffer_bytes(kWanted), kMebibyte);
}

TEST(MemoryModel, WhatFitsStaysAsItIs) { EXPECT_EQ(example().fitting(kWanted, std::int64_t{4} << 30), kWanted); }

TEST(MemoryModel, FindsSizesThatFitByShrinkingWhatTakesMost) {
  for (const std::int64_t available : {700, 400, 200, 60}) {
    const TrainingSizes fit = example().fitting(kWanted, available * kMebibyte);
    EXPECT_GE(fit.batch, 1) << available;
    EXPECT_LE(example().total_bytes(fit), available * kMebibyte) << available;
  }
  EXPECT_EQ(example().fitting(kWanted, 700 * kMebibyte), (TrainingSizes{256, 1000, 1024, 64}));
}

TEST(MemoryModel, SaysThatNothingFits) {
  EXPECT_EQ(example().fitting(kWanted, 9 * kMebibyte), TrainingSizes{});
  EXPECT_NE(out_of_memory_message(example(), kWanted, 9 * kMebibyte).find("Not even a batch of 1 fits"), std::string::npos);
}

TEST(OutOfMemoryMessage, NamesSizesThatFit) {
  const std::string said = out_of_memory_message(example(), kWanted, 700 * kMebibyte);
  EXPECT_NE(said.find("needs about 596 MiB"), std::string::npos) << said;
  EXPECT_NE(said.find("scsi.batch = 256, scsi.pool = 1000."), std::string::npos) << said;
}

TEST(OutOfMemoryMessage, NeverNamesTheBatchThatFailed) {
  EXPECT_NE(out_of_memory_message(example(), kWanted, std::int64_t{4} << 30).find("scsi.batch = 256"), std::string::npos);
}

TEST(AvailableMemory, IsPositiveAndBelowAnExabyte) {
  EXPECT_GT(available_memory_bytes(), kMebibyte);
  EXPECT_LT(available_memory_bytes(), std::int64_t{1} << 60);
}

}  // namespace
}  // namespace unchannel
