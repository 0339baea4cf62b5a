"""What the tests of dropped-in plugins share: a small training through a project of `plugins new`."""

import os
import subprocess
import sys
import unittest

import program

CONFIG = """
[data]
observations = "observed.h5"
early_stop_rows = 32
test_rows = 32
[channel]
id = "{id}"
isolation = "process"
{channel}
[interpolant]
time_levels = 8
[model]
width = 16
depth = 1
[transport]
steps = 8
restore_steps = 8
[start]
components = 8
rounds = 1
probes = 256
[scsi]
steps = {steps}
batch = 32
pool = 256
refresh_every = 4
refresh_rows = 64
first_refresh = 4
[run]
threads = 1
evaluate_every = {steps}
checkpoint_every = {steps}
"""


def write_signals(path):
    import h5py
    import numpy

    random = numpy.random.default_rng(1)
    waves = numpy.sin(numpy.outer(numpy.arange(1, 5), numpy.linspace(0, 6, 64)))
    with h5py.File(path, "w") as file:
        file["signals"] = (random.normal(size=(512, 4)) @ waves).astype(numpy.float32)


class DroppedPluginTest(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)
        write_signals(self.work / "signals.h5")
        self.environment = {**os.environ, "UNCHANNEL_PYTHON": sys.executable}

    def project(self, name, language, edit=lambda folder: None):
        """A new plugin's folder, compiled where the language is. edit(folder) may change its sources before."""
        folder = self.work / name
        program.expect_ok("plugins", "new", name, "--language", language, "--dir", folder)
        edit(folder)
        if not (folder / "CMakeLists.txt").exists():
            return folder
        for step in (["-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={program.BUILD}"], ["--build", folder / "build"]):
            subprocess.run(["cmake", *map(str, step)], check=True, capture_output=True)
        return folder / "build" / "plugins"

    def config(self, name, steps, channel):
        path = self.work / f"{name}.toml"
        path.write_text(CONFIG.format(id=f"org.example.{name}", steps=steps, channel=channel))
        return path

    def observe(self, name, plugins, steps=12, channel=""):
        """A configuration, its observations made; channel: more lines of its table [channel]."""
        config = self.config(name, steps, channel)
        program.expect_ok("simulate", config, "--input", self.work / "signals.h5", "--key", 3, "--output", self.work / "observed.h5",
                          "--plugin-dir", plugins, env=self.environment)
        return config
