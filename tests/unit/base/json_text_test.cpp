#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

TEST(JsonText, GivesWhatJsonCanHoldUnchanged) {
  const nlohmann::json json = {{"path", "/data/Ångström.h5"}, {"rows", 3}};
  EXPECT_EQ(json_text(json), json.dump());
  EXPECT_EQ(json_text(json, 2), json.dump(2));
}

TEST(JsonText, ReplacesBytesThatAreNotUtf8AndStaysReadable) {
  const nlohmann::json json = {{"class", "Q\xFFSO"}};
  EXPECT_EQ(nlohmann::json::parse(json_text(json)).at("class"), "Q\uFFFDSO");
}

}  // namespace
}  // namespace unchannel
