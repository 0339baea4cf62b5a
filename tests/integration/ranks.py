"""Several processes of the program under mpirun on this machine, for tests."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

import program

MPIRUN = shutil.which("mpirun")
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1",
               "UNCHANNEL_PYTHON": os.environ.get("UNCHANNEL_PYTHON", sys.executable)}


def launcher(*options):
    return [MPIRUN, "--oversubscribe", "--bind-to", "none", *options]


def command(ranks, arguments, *options):
    """`arguments` of the program in `ranks` processes; one process is started without a launcher."""
    own = [str(program.PROGRAM), *map(str, arguments)]
    return own if ranks == 1 else [*launcher(*options), "-n", str(ranks), *own]


def run(ranks, arguments, timeout=120):
    result = subprocess.run(command(ranks, arguments), capture_output=True, text=True, timeout=timeout, check=False, env=ENVIRONMENT)
    return result.returncode, result.stdout, result.stderr


def expect_ok(ranks, arguments):
    code, out, err = run(ranks, arguments)
    if code != 0:
        raise AssertionError(f"{ranks} ranks of {' '.join(map(str, arguments))} ended with {code}:\n{out}\n{err}")
    return err


def start(ranks, arguments, *options):
    return subprocess.Popen(command(ranks, arguments, *options), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def parent_of(process_id):
    return int(pathlib.Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[1])


def process_of_rank(process, rank, deep=False):
    """Process id of one rank of an mpirun, or None. `deep`: the launcher is a child of the process."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = parent_of(folder.name)
            if deep and parent != 0:
                parent = parent_of(parent)
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
        if parent == process.pid and f"OMPI_COMM_WORLD_RANK={rank}".encode() in environment:
            return int(folder.name)
    return None


def wait_for_lines(run_folder, count, process, seconds=60):
    """Until metrics.jsonl has that many lines, or the process ended."""
    metrics, deadline = run_folder / "metrics.jsonl", time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if metrics.exists() and metrics.read_text().count("\n") >= count:
            return
        time.sleep(0.02)


def losses(run_folder):
    """Loss of each step from the running means of a run that was evaluated at every one; they are plain means up to step 100."""
    means = {}
    for line in (run_folder / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if "loss" in entry and entry["step"] > 0:
            means[entry["step"]] = entry["loss"]
    return {step: step * mean - (step - 1) * means.get(step - 1, 0.0) for step, mean in means.items()}


@unittest.skipUnless(MPIRUN, "mpirun is not installed: run script/setup")
@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class RanksTest(unittest.TestCase):
    """Small data and a configuration that trains in a second or two."""

    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=16)

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def train(self, run_name, *more, steps=50):
        """Arguments of a training that is evaluated at every step."""
        return [*self.work.train_arguments(run_name=run_name), "--set", f"scsi.steps={steps}", "--set", "run.evaluate_every=1", "--set",
                "data.early_stop_rows=16", "--set", "data.test_rows=16", "--set", "verdict.replicas=0", *more]
