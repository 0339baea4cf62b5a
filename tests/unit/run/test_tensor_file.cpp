#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

void write_raw(const std::filesystem::path& path, std::uint64_t length, const std::string& header, const std::string& data) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out << header << data;
}

TEST(TensorFile, GivesBackWhatWasWritten) {
  const test_support::TempDir folder;
  const TensorFile written{{{"a", at::randn({3, 4})}, {"b", at::arange(5, at::kLong)}, {"empty", at::empty({0, 2})}, {"c", at::randn({2}, at::kDouble)}},
                           "text ä"};
  write_tensor_file(folder / "f", written);
  const TensorFile read = read_tensor_file(folder / "f");
  EXPECT_EQ(read.text, written.text);
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (const auto& [name, tensor] : written.tensors) EXPECT_TRUE(at::equal(read.tensors.at(name), tensor)) << name;
}

TEST(TensorFile, RefusesEveryTruncation) {
  const test_support::TempDir folder;
  write_tensor_file(folder / "f", {{{"a", at::randn({3, 4})}}, "x"});
  const std::string whole = read_file(folder / "f");
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    std::ofstream(folder / "cut", std::ios::binary) << whole.substr(0, size);
    EXPECT_THROW(read_tensor_file(folder / "cut"), DataError) << size;
  }
}

TEST(TensorFile, ChecksSizesBeforeTakingMemory) {
  const test_support::TempDir folder;
  const std::vector<std::string> headers = {
      R"({"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}})",
      R"({"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}})",
      R"({"a":7})", "not json"};
  for (const std::string& header : headers) {
    write_raw(folder / "bad", header.size(), header, "1234");
    EXPECT_THROW(read_tensor_file(folder / "bad"), DataError) << header;
  }
  write_raw(folder / "bad", ~std::uint64_t{0}, "{}", "");
  EXPECT_THROW(read_tensor_file(folder / "bad"), DataError);
}

}  // namespace
}  // namespace unchannel
