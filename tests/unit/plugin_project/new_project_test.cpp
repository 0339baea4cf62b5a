// What is written, and what is not: the templates here are small ones of the test's own.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_project/new_project.hpp>
#include <unchannel/plugin_project/templates.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

namespace fs = std::filesystem;

class NewProjectTest : public testing::Test {
 protected:
  NewProjectTest() {
    write("templates/c/NAME.c", "/* @NAME@ */ int @NAME@_2; /* NAME @OTHER@ */\n");
    write("templates/c/src/NAME_extra.h", "@NAME@@NAME@");
    write("templates/c/CMakeLists.txt", "project(@NAME@)\n");
    write("templates/shell/NAME", "#!/bin/sh\n");
    fs::permissions(folder_ / "templates/shell/NAME", fs::perms::owner_exec, fs::perm_options::add);
  }
  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }
  NewProject make(const std::string& name, const fs::path& where, const std::string& language = "c") const {
    return write_new_project({.name = name, .language = language, .folder = folder_.path() / where, .templates = folder_ / "templates"});
  }
  std::string complaint(const std::string& name, const fs::path& where, const std::string& language = "c") const {
    try {
      make(name, where, language);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  test_support::TempDir folder_;
};

TEST_F(NewProjectTest, FillsTheNameIntoFilesAndFileNamesAndNothingElse) {
  const NewProject project = make("lens", "lens");
  EXPECT_EQ(project.files, (std::vector<fs::path>{"CMakeLists.txt", "lens.c", "src/lens_extra.h"}));
  EXPECT_EQ(read_file(folder_ / "lens/lens.c"), "/* lens */ int lens_2; /* NAME @OTHER@ */\n");
  EXPECT_EQ(read_file(folder_ / "lens/src/lens_extra.h"), "lenslens");
  EXPECT_EQ(entries(), (std::vector<std::string>{"lens", "templates"}));  // no temporary folder is left
}

TEST_F(NewProjectTest, KeepsExecutableFilesExecutableAndOthersNot) {
  const auto executable = [](const fs::path& file) { return (fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none; };
  make("lens", "a", "shell");
  make("lens", "b", "c");
  EXPECT_TRUE(executable(folder_ / "a/lens"));
  EXPECT_FALSE(executable(folder_ / "b/lens.c"));
}

TEST_F(NewProjectTest, UsesAnEmptyFolderAndATrailingSlash) {
  fs::create_directory(folder_ / "empty");
  EXPECT_EQ(complaint("lens", "empty/"), "");
  EXPECT_TRUE(fs::exists(folder_ / "empty/lens.c"));
}

TEST_F(NewProjectTest, HasTheRightsOfAnyNewFolder) {
  fs::create_directory(folder_ / "plain");
  make("lens", "lens");
  EXPECT_EQ(fs::status(folder_ / "lens").permissions(), fs::status(folder_ / "plain").permissions());
}

TEST_F(NewProjectTest, OverwritesNothing) {
  write("full/mine.txt", "mine");
  write("file", "mine");
  fs::create_directory_symlink(folder_ / "nowhere", folder_ / "link");
  for (const std::string where : {"full", "file", "link"}) {
    const std::string text = complaint("lens", where);
    EXPECT_NE(text.find(where + ": is not an empty folder, and nothing is ever overwritten."), std::string::npos) << text;
  }
  EXPECT_EQ(read_file(folder_ / "full/mine.txt"), "mine");
  EXPECT_EQ(read_file(folder_ / "file"), "mine");
  EXPECT_EQ(entries(), (std::vector<std::string>{"file", "full", "link", "templates"}));
}

TEST_F(NewProjectTest, LeavesNothingBehindWhenItCannotFinish) {
  // A path too long for the file system fails after the first files are written.
  write("templates/broken/a.txt", "");
  fs::create_directories(folder_ / "templates/broken/z");
  write("templates/broken/z/NAME" + std::string(240, 'x'), "");
  const std::string text = complaint(std::string(40, 'n'), "lens", "broken");
  EXPECT_NE(text, "");
  EXPECT_EQ(entries(), std::vector<std::string>{"templates"});
}

TEST_F(NewProjectTest, OneOfTwoAtOnceWinsAndIsWhole) {
  std::vector<std::string> texts(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& text : texts) threads.emplace_back([&] { text = complaint("lens", "race"); });
  }
  EXPECT_EQ(std::count(texts.begin(), texts.end(), ""), 1);
  EXPECT_TRUE(fs::exists(folder_ / "race/src/lens_extra.h"));
  EXPECT_EQ(entries(), (std::vector<std::string>{"race", "templates"}));
}

TEST_F(NewProjectTest, AnUnknownLanguageIsAnsweredWithThoseThatThereAre) {
  EXPECT_EQ(complaint("lens", "lens", "shel"), "plugins new --language shel: must be one of: c, shell.");
  EXPECT_EQ(complaint("lens", "lens", "../c"), "plugins new --language ../c: must be one of: c, shell.");
  EXPECT_EQ(complaint("lens", "lens", ""), "plugins new --language : must be one of: c, shell.");
}

TEST_F(NewProjectTest, ATemplateWithSomethingElseThanFilesIsRefused) {
  fs::create_symlink("/etc/passwd", folder_ / "templates/c/link");
  EXPECT_EQ(complaint("lens", "lens"), "");  // a link to a file is read like one
  fs::create_symlink("/dev/zero", folder_ / "templates/c/endless");
  EXPECT_NE(complaint("lens", "other").find("endless: a template holds regular files only."), std::string::npos);
}

TEST_F(NewProjectTest, MissingTemplatesAreExplained) {
  try {
    find_templates(folder_ / "absent");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("absent: the templates of plugin projects are missing."), std::string::npos);
  }
}

TEST_F(NewProjectTest, NextStepsSurviveTheShell) {
  const NewProject project = make("lens", "it's a folder");
  EXPECT_NE(project.next_steps.find("/it'\\''s a folder/build'"), std::string::npos) << project.next_steps;
  EXPECT_EQ(project.next_steps.substr(0, 10), "cmake -S '");
}

}  // namespace
}  // namespace unchannel
