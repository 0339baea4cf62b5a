"""New plugins in a folder train without a rebuild, in every language of `plugins new`; and a worker that is killed costs a run nothing."""

import os
import pathlib
import signal
import subprocess
import sys
import time
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


def workers_of(process):
    """Process numbers of the plugin workers that the process has now."""
    try:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(child) for child in children if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("unchannel-worke")]
    except (FileNotFoundError, ProcessLookupError):
        return []


class DroppedPlugin(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)
        write_signals(self.work / "signals.h5")
        self.environment = {**os.environ, "UNCHANNEL_PYTHON": sys.executable}

    def project(self, name, language):
        """A new plugin's folder, compiled where the language is."""
        folder = self.work / name
        program.expect_ok("plugins", "new", name, "--language", language, "--dir", folder)
        if not (folder / "CMakeLists.txt").exists():
            return folder
        for step in (["-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={program.BUILD}"], ["--build", folder / "build"]):
            subprocess.run(["cmake", *map(str, step)], check=True, capture_output=True)
        return folder / "build" / "plugins"

    def config(self, name, steps):
        path = self.work / f"{name}.toml"
        path.write_text(CONFIG.format(id=f"org.example.{name}", steps=steps))
        return path

    def observe(self, name, plugins, steps=12):
        config = self.config(name, steps)
        program.expect_ok("simulate", config, "--input", self.work / "signals.h5", "--key", 3, "--output", self.work / "observed.h5",
                          "--plugin-dir", plugins, env=self.environment)
        return config

    def test_trains_in_every_language_without_a_rebuild(self):
        for path in sorted((program.ROOT / "plugin-api" / "template").iterdir()):
            with self.subTest(path.name):
                name = "lens_" + path.name.replace("+", "p")
                plugins = self.project(name, path.name)
                config = self.observe(name, plugins)
                run = self.work / f"run_{name}"
                program.expect_ok("train", config, "--run", run, "--plugin-dir", plugins, env=self.environment)
                self.assertIn('"step":12', (run / "metrics.jsonl").read_text().replace(" ", ""))
                (self.work / "observed.h5").unlink()

    def test_killed_workers_leave_the_weights_bit_identical(self):
        kills = int(os.environ.get("UNCHANNEL_WORKER_KILLS", "20"))
        plugins = self.project("lens", "c")
        config = self.observe("lens", plugins, steps=40 * kills)
        arguments = ["train", config, "--plugin-dir", plugins, "--run"]
        program.expect_ok(*arguments, self.work / "straight", timeout=None)
        with open(self.work / "output", "w") as output:
            process = subprocess.Popen([str(program.PROGRAM), *map(str, [*arguments, self.work / "killed"])], stdout=output, stderr=output)
        killed = set()
        while process.poll() is None:
            for worker in workers_of(process):
                if len(killed) < kills and worker not in killed:
                    time.sleep(0.05)  # into the middle of its work
                    try:
                        os.kill(worker, signal.SIGKILL)
                        killed.add(worker)
                    except ProcessLookupError:
                        pass
            time.sleep(0.005)
        self.assertEqual(process.returncode, 0, (self.work / "output").read_text()[-2000:])
        self.assertEqual(len(killed), kills, "the run ended before all workers were killed: give it more steps")
        self.assertEqual(program.weights(self.work / "killed"), program.weights(self.work / "straight"))


if __name__ == "__main__":
    unittest.main()
