"""The plugin API as a plugin author gets it: installed alone, moved elsewhere, found with find_package, projects built against it."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))


def run(*command, fails=False, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if (done.returncode != 0) != fails:
        raise AssertionError(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


@unittest.skipIf(shutil.which("cmake") is None, "cmake is not in PATH")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        run("cmake", "-S", ROOT / "plugin-api", "-B", cls.folder / "api")
        run("cmake", "--install", cls.folder / "api", "--prefix", cls.folder / "first")
        cls.sdk = (cls.folder / "first").rename(cls.folder / "sdk")  # an installation can be moved

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def build(self, source):
        build = self.folder / "build" / source.name
        run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.sdk}")
        run("cmake", "--build", build)
        return build

    def exported(self, plugin):
        return [line.split()[-1] for line in run("nm", "--dynamic", "--defined-only", plugin).splitlines()]

    def test_an_example_builds_outside_the_tree_and_exports_its_entry_only(self):
        build = self.build(ROOT / "plugin-api" / "examples" / "raw_abi")
        self.assertEqual(self.exported(build / "plugins" / "awgn.so"), ["unchannel_entry"])

    def test_installed_templates_build_and_their_tests_are_listed_where_they_cannot_run(self):
        for language, file in (("c", "lens.c"), ("c++", "lens.cpp")):
            with self.subTest(language=language):
                project = self.folder / f"lens_{file.split('.')[1]}"
                project.mkdir()
                for source in (self.sdk / "share" / "unchannel" / "template" / language).iterdir():
                    (project / source.name.replace("NAME", "lens")).write_text(source.read_text().replace("@NAME@", "lens"))
                self.assertTrue((project / file).exists())
                build = self.build(project)
                self.assertEqual(self.exported(build / "plugins" / "lens.so"), ["unchannel_entry"])
                # Neither program is in this installation, unless PATH has one: what cannot run is disabled, not missing.
                self.assertIn("Total Tests: 3", run("ctest", "--test-dir", build, "--show-only"))

    def test_another_major_version_is_refused(self):
        project = self.folder / "future"
        project.mkdir()
        (project / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.20)\nproject(future LANGUAGES C)\n"
                                                "find_package(unchannel-plugin-api 2 REQUIRED)\n")
        said = run("cmake", "-S", project, "-B", self.folder / "build" / "future", f"-DCMAKE_PREFIX_PATH={self.sdk}", fails=True)
        self.assertIn("1.0.0", said)

    def test_holds_everything_an_author_needs(self):
        for file in ("include/unchannel/channel.h", "include/unchannel/channel.hpp", "include/unchannel/random.h",
                     "include/unchannel/simple.h", "include/unchannel/sdk/module.hpp", "include/unchannel/sdk/simple_batch.h",
                     "share/unchannel/python/unchannel_random.py", "share/unchannel/template/c/NAME.c"):
            self.assertTrue((self.sdk / file).exists(), file)


class Examples(unittest.TestCase):
    @unittest.skipIf(shutil.which("cc") is None, "there is no C compiler cc in PATH")
    def test_the_random_numbers_of_the_c_and_numpy_examples_are_the_same(self):
        try:
            import numpy  # noqa: F401
        except ImportError:
            self.skipTest("NumPy is not installed")
        examples = ROOT / "plugin-api" / "examples" / "randomness"
        with tempfile.TemporaryDirectory() as name:
            program = pathlib.Path(name) / "draw"
            run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "plugin-api" / "include", examples / "draw.c", "-o", program)
            printed = run(program)
        self.assertEqual(len(printed.splitlines()), 3)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugin-api" / "python")}
        self.assertEqual(run(sys.executable, "-B", examples / "draw.py", env=environment), printed)


if __name__ == "__main__":
    unittest.main()
