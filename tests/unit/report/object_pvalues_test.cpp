#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/report/object_pvalues.hpp>

namespace unchannel::report {
namespace {

const std::vector<ObjectPvalue> kObjects = {
    {70, true, "a", 0.5}, {71, true, "", NAN}, {72, true, "c", 0.01}, {73, true, "d", 0.25}, {74, true, "e", 0.01}};

TEST(ObjectPvalues, TheWorstComeFirstAndEqualOnesInTheOrderOfTheFile) {
  const Table table = worst_objects(kObjects, 3);
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.columns[0].heading, "object_id");
  EXPECT_EQ(table.rows[0].cells, (std::vector<std::string>{"72", "c", "0.01"}));
  EXPECT_EQ(table.rows[1].cells, (std::vector<std::string>{"74", "e", "0.01"}));
  EXPECT_EQ(table.rows[2].cells, (std::vector<std::string>{"73", "d", "0.25"}));
}

TEST(ObjectPvalues, ObjectsWithoutOneAreCountedAndNull) {
  const Table table = worst_objects(kObjects);
  EXPECT_EQ(table.rows.size(), 4U);
  EXPECT_NE(table.note.find("simulation failed: 1."), std::string::npos) << table.note;
  const nlohmann::json json = pvalues_json(kObjects);
  ASSERT_EQ(json.size(), 5U);
  EXPECT_EQ(json[0].dump(), R"({"name":"a","object_id":70,"p_value":0.5})");
  EXPECT_TRUE(json[1].at("p_value").is_null());
  EXPECT_FALSE(json[1].contains("name"));
}

TEST(ObjectPvalues, FilesWithoutIdsGiveRows) {
  EXPECT_EQ(pvalues_json({{3, false, "", 1.0}})[0].dump(), R"({"p_value":1.0,"row":3})");
  const Table table = worst_objects({{3, false, "", 1.0}});
  EXPECT_EQ(table.columns.at(0).heading, "row");
  EXPECT_EQ(table.columns.size(), 2U);  // no names, no column of them
  EXPECT_EQ(table.rows.at(0).cells, (std::vector<std::string>{"3", "1"}));
}

}  // namespace
}  // namespace unchannel::report
