"""New plugins in a folder train without a rebuild, in every language of `plugins new`; and a worker that is killed costs a run nothing.

UNCHANNEL_WORKER_KILLS says how many kills there are; 20 without it.
"""

import os
import pathlib
import signal
import subprocess
import time
import unittest

import dropped
import program


def workers_of(process):
    """Process numbers of the plugin workers that the process has now."""
    try:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(child) for child in children if pathlib.Path(f"/proc/{child}/comm").read_text().startswith("unchannel-worke")]
    except (FileNotFoundError, ProcessLookupError):
        return []


class DroppedPlugin(dropped.DroppedPluginTest):
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
        config = self.observe("lens", plugins, steps=100 * kills)
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
