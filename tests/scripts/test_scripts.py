"""The scripts say how they are used, and refuse what they do not know."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


class Scripts(unittest.TestCase):
    def test_every_script_has_help_and_a_usage_line(self):
        for name in ("setup", "build", "test", "demo", "bench", "data", "format", "reference"):
            done = run(os.path.join(ROOT, "script", name), "--help")
            self.assertEqual(done.returncode, 0, name)
            self.assertIn(f"usage: script/{name}", done.stdout)
            self.assertNotIn("set -euo", done.stdout)

    def test_unknown_option_and_preset_end_with_code_2(self):
        done = run(os.path.join(ROOT, "script", "setup"), "--nonsense")
        self.assertEqual((done.returncode, "--nonsense is not a known option" in done.stderr), (2, True))
        done = run(os.path.join(ROOT, "script", "build"), "nonsense")
        self.assertEqual((done.returncode, "nonsense is not a known preset" in done.stderr), (2, True))

    @unittest.skipUnless(shutil.which("dpkg-query"), "this is not a Debian system")
    def test_missing_packages_give_the_command_to_type_when_not_root(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            shutil.copytree(os.path.join(ROOT, "script"), os.path.join(folder, "script"))
            with open(os.path.join(folder, "script", "packages.txt"), "a", encoding="utf-8") as packages:
                packages.write("unchannel-no-such-package\n")
            # A user who is not root, whoever runs the tests: a stand-in for id says so.
            os.mkdir(os.path.join(folder, "bin"))
            with open(os.path.join(folder, "bin", "id"), "w", encoding="utf-8") as stand_in:
                stand_in.write("#!/bin/sh\necho 1000\n")
            os.chmod(os.path.join(folder, "bin", "id"), 0o755)
            environment = {**os.environ, "PATH": os.path.join(folder, "bin") + ":" + os.environ["PATH"]}
            done = run(os.path.join(folder, "script", "setup"), env=environment)
            self.assertEqual(done.returncode, 1)
            self.assertIn("sudo apt-get install --yes --no-install-recommends", done.stderr)
            self.assertIn("unchannel-no-such-package", done.stderr)
            self.assertFalse(os.path.exists(os.path.join(folder, ".deps")), "something was downloaded before the packages were there")


if __name__ == "__main__":
    unittest.main()
