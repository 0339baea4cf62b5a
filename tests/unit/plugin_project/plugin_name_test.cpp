#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/plugin_project/plugin_name.hpp>

namespace unchannel {
namespace {

std::string complaint(const std::string& name) {
  try {
    check_plugin_name(name);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(PluginName, TakesSnakeCaseUpToFortyCharacters) {
  for (const std::string name : {"a", "spectrograph", "my_instrument_2", "x_", "testing"}) EXPECT_EQ(complaint(name), "") << name;
  EXPECT_EQ(complaint(std::string(40, 'a')), "");
  EXPECT_NE(complaint(std::string(41, 'a')), "");
}

TEST(PluginName, RefusesWhatIsUnsafeAsAPathATargetOrAnId) {
  for (const std::string name : {"", "2d", "_a", "a-b", "a b", "A", "../x", "a/b", ".", "a.b", "a;b", "$(x)", "a\nb", "ä", "\"", "-x"}) {
    EXPECT_NE(complaint(name), "") << name;
  }
  EXPECT_NE(complaint(std::string("a\0b", 3)), "");
}

TEST(PluginName, RefusesTheTargetsOfCMake) {
  EXPECT_EQ(complaint("test"), "plugins new 'test': CMake keeps this name for a target of its own. Try test_channel.");
}

TEST(PluginName, ProposesANameWhereItCanMakeOne) {
  const std::string rule = ": a plugin's name has 1 to 40 of a-z, 0-9 and _, and begins with a letter.";
  EXPECT_EQ(complaint("My-Instrument 2"), "plugins new 'My-Instrument 2'" + rule + " Try my_instrument_2.");
  EXPECT_EQ(complaint("../../etc/x"), "plugins new '../../etc/x'" + rule + " Try etc_x.");
  EXPECT_EQ(complaint("42"), "plugins new '42'" + rule);
}

TEST(PluginName, ShowsNoControlCharactersAndNoEndlessLine) {
  EXPECT_EQ(complaint("\x1b[2J").find('\x1b'), std::string::npos);
  EXPECT_LT(complaint(std::string(100000, 'A')).size(), 300u);
}

}  // namespace
}  // namespace unchannel
