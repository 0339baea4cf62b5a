"""The plugin API as a plugin author gets it: installed alone, found with find_package, the template built against it."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@unittest.skipIf(shutil.which("cmake") is None, "cmake is not in PATH")
class Package(unittest.TestCase):
    def test_template_builds_outside_the_tree_and_exports_its_entry_only(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            run("cmake", "-S", ROOT / "plugin-api", "-B", folder / "api")
            run("cmake", "--install", folder / "api", "--prefix", folder / "sdk")
            shutil.copytree(ROOT / "plugin-api" / "template", folder / "mine")
            run("cmake", "-S", folder / "mine", "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={folder / 'sdk'}")
            run("cmake", "--build", folder / "build")
            plugin = folder / "build" / "plugins" / "awgn.so"
            symbols = [line.split()[-1] for line in run("nm", "--dynamic", "--defined-only", plugin).splitlines()]
            self.assertEqual(symbols, ["unchannel_entry"])
            self.assertTrue((folder / "sdk" / "share" / "unchannel" / "python" / "unchannel_random.py").exists())
            self.assertTrue((folder / "sdk" / "include" / "unchannel" / "sdk" / "module.hpp").exists())


if __name__ == "__main__":
    unittest.main()
