"""`unchannel plugins new` from the command line: the printed commands work as they are, wrong input has its exit code and writes nothing."""

import pathlib
import subprocess
import tempfile
import unittest

import program


class PluginsNew(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def new(self, *arguments):
        return program.run("plugins", "new", *arguments, cwd=self.folder)

    def test_the_printed_commands_build_a_plugin_that_passes_its_tests_and_is_found(self):
        code, out, err = self.new("lens", "--language", "c", "--dir", "my plugins/lens")
        self.assertEqual(code, 4, "the parent folder does not exist yet")
        (self.folder / "my plugins").mkdir()
        code, out, err = self.new("lens", "--language", "c", "--dir", "my plugins/lens")
        self.assertEqual(code, 0, err)
        steps = out.split("\nNext:\n")[1]
        done = subprocess.run(["bash", "-euc", steps], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("0 tests failed", done.stdout)
        listed = program.expect_ok("plugins", "info", "org.example.lens", "--plugin-dir", self.folder / "my plugins/lens/build/plugins")
        self.assertIn("noise_sigma [data units]", listed)

    def test_help_lists_the_languages_that_there_are(self):
        languages = sorted(path.name for path in (program.ROOT / "plugin-api/template").iterdir())
        self.assertIn("one of: " + ", ".join(languages), " ".join(program.expect_ok("plugins", "new", "--help").split()))

    def test_wrong_input_writes_nothing(self):
        (self.folder / "taken").mkdir()
        (self.folder / "taken" / "file").write_text("mine")
        for arguments, code, said in ((["../x", "--language", "c"], 2, "Try x."), (["lens", "--language", "cobol"], 2, "must be one of: c, c++"),
                                      (["lens"], 2, "--language"), (["lens", "--language", "c", "--dir", "taken"], 4, "nothing is ever overwritten")):
            with self.subTest(arguments=arguments):
                got, _, err = self.new(*arguments)
                self.assertEqual(got, code, err)
                self.assertIn(said, err)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["taken"])
        self.assertEqual([path.name for path in (self.folder / "taken").iterdir()], ["file"])


if __name__ == "__main__":
    unittest.main()
