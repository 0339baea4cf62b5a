#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

TEST(Errors, MapToTheDocumentedExitCodes) {
  EXPECT_EQ(Error("").exit_code(), 1);
  EXPECT_EQ(ConfigError("").exit_code(), 2);
  EXPECT_EQ(PluginError("").exit_code(), 3);
  EXPECT_EQ(DataError("").exit_code(), 4);
  EXPECT_EQ(ShapeError("").exit_code(), 4);
  EXPECT_EQ(NumericalError("").exit_code(), 5);
  EXPECT_EQ(InterruptedError("", 2).exit_code(), 130);
  EXPECT_EQ(InterruptedError("", 15).exit_code(), 143);
}

TEST(Check, ThrowsTheFormattedMessageOnlyWhenTheConditionFails) {
  EXPECT_NO_THROW(check<DataError>(true, "unused {}", 1));
  try {
    check<ShapeError>(false, "{}: has rank {}; it must be {}.", "a.h5", 1, 2);
    FAIL() << "a failed check was passed over";
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "a.h5: has rank 1; it must be 2.");
  }
}

}  // namespace
}  // namespace unchannel
