#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/check_record.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

class CheckRecord : public ::testing::Test {
 protected:
  CheckRecord() {
    ::setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1);
    std::filesystem::create_directories(check_record_file(kHash).parent_path());
  }
  ~CheckRecord() override { ::unsetenv("XDG_CACHE_HOME"); }
  static void write(const std::string& text) { write_file_atomically(check_record_file(kHash), text); }
  static inline const std::string kHash = std::string(64, 'a');
  test_support::TempDir folder_;
};

TEST_F(CheckRecord, CountsOnlyWhenItSaysThatThisContentPassed) {
  EXPECT_EQ(check_record_file(kHash), folder_ / ("unchannel/checked/" + kHash + ".json"));
  EXPECT_FALSE(has_passed_check(kHash, {})) << "there is none";
  write(R"({"sha256": ")" + kHash + R"(", "passed": true})");
  EXPECT_TRUE(has_passed_check(kHash, {}));
  const std::vector<std::string> wrongs = {R"({"sha256": ")" + kHash + R"(", "passed": false})",
                                           R"({"sha256": ")" + kHash + R"(", "passed": "yes"})",
                                           R"({"sha256": "b", "passed": true})",
                                           R"({"passed": true})",
                                           "[]",
                                           "{"};
  for (const std::string& wrong : wrongs) {
    write(wrong);
    EXPECT_FALSE(has_passed_check(kHash, {})) << wrong;
  }
  EXPECT_FALSE(has_passed_check("../../etc/passwd", {}));
}

TEST_F(CheckRecord, CountsOnlyWhenNobodyElseCanWriteIt) {
  write(R"({"sha256": ")" + kHash + R"(", "passed": true})");
  ::chmod(check_record_file(kHash).c_str(), 0666);
  EXPECT_FALSE(has_passed_check(kHash, {}));
}

TEST_F(CheckRecord, CountsOnlyForTheLibrariesThatWereCheckedWithIt) {
  write(R"({"sha256": ")" + kHash + R"(", "passed": true, "needed": {"/lib/a.so": "1", "/lib/b.so": "2"}})");
  EXPECT_TRUE(has_passed_check(kHash, {{"/lib/b.so", "2"}, {"/lib/a.so", "1"}}));
  const std::vector<NeededLibraries> others = {{{"/lib/a.so", "1"}, {"/lib/b.so", "3"}},
                                               {{"/lib/a.so", "1"}},
                                               {{"/lib/a.so", "1"}, {"/home/b.so", "2"}},
                                               {{"/lib/a.so", "1"}, {"/lib/b.so", "2"}, {"/lib/c.so", "4"}},
                                               {}};
  for (const NeededLibraries& other : others) EXPECT_FALSE(has_passed_check(kHash, other));
  write(R"({"sha256": ")" + kHash + R"(", "passed": true, "needed": ["/lib/a.so"]})");
  EXPECT_FALSE(has_passed_check(kHash, {})) << "a record of another form";
}

TEST_F(CheckRecord, DecidesWhereAutoRunsAPlugin) {
  ProbeResult probe;
  probe.sha256 = kHash;
  EXPECT_FALSE(auto_runs_inproc(probe));
  write(R"({"sha256": ")" + kHash + R"(", "passed": true})");
  EXPECT_TRUE(auto_runs_inproc(probe));
}

TEST(IsolationNames, AreThree) {
  EXPECT_EQ(isolation_from_text("process"), Isolation::kProcess);
  EXPECT_THROW(isolation_from_text("proces"), ConfigError);
}

}  // namespace
}  // namespace unchannel
