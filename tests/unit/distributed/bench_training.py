"""What sharing a training costs: two ranks of one thread at a batch, against two trainings of one rank and one thread at half of it.

usage: bench_training.py PROGRAM CONFIG DATA [--steps N] [--rounds R]

Both fill two cores and do the same work, so that what the cores share (memory, caches, other programs) slows both alike. A training of N steps and one
of 3 N are timed, so that the difference has no start. Processor time is the mean of both processes; it counts the exchange and what a rank polls while
it waits. `waiting` is what metrics.jsonl says of wall time: it counts other programs' time, too.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
# One process of the job, as which it is started: runs the program and notes its processor time.
TIMED = """import os, resource, subprocess, sys
code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1] + os.environ.get("OMPI_COMM_WORLD_RANK", "0"), "w").write(str(used.ru_utime + used.ru_stime))
sys.exit(code)"""


def command_of(arguments, ranks, steps, run):
    share = 3 - ranks
    settings = {"scsi.steps": steps, "scsi.batch": arguments.batch // share, "scsi.refresh_rows": arguments.refresh_rows // share, "scsi.first_refresh": 0,
                "run.threads": 1, "run.evaluate_every": steps, "run.checkpoint_every": steps, "data.early_stop_rows": 16, "data.test_rows": 16,
                "data.signals": f'"{arguments.data}"', "start.kind": '"observation"', "verdict.replicas": 0, "scsi.pool": arguments.pool}
    command = [sys.executable, "-c", TIMED, f"{run}.cpu", arguments.program, "train", arguments.config, "--run", str(run)]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    return command if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *command]


def train(arguments, ranks, steps, folder):
    """Mean processor seconds of two processes, and the waiting fraction."""
    runs = [pathlib.Path(folder) / f"run_{ranks}_{number}" for number in range(3 - ranks)]
    for run in runs:
        shutil.rmtree(run, ignore_errors=True)
    jobs = [subprocess.Popen(command_of(arguments, ranks, steps, run), env=ENVIRONMENT, stdout=subprocess.DEVNULL) for run in runs]
    if any([job.wait() != 0 for job in jobs]):  # a list: all are waited for
        sys.exit("bench_training: a training failed; see above.")
    seconds = [float(pathlib.Path(f"{run}.cpu{rank}").read_text()) for run in runs for rank in range(ranks)]
    lines = [json.loads(line) for line in (runs[0] / "metrics.jsonl").read_text().splitlines()]
    return statistics.mean(seconds), [line["waiting_fraction"] for line in lines if "waiting_fraction" in line][-1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("config")
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--refresh-rows", type=int, default=256)
    parser.add_argument("--pool", type=int, default=512)
    arguments = parser.parse_args()
    ratios, waits, single = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            step = {}
            for ranks in (1, 2):
                short, _ = train(arguments, ranks, arguments.steps, folder)
                long, waiting = train(arguments, ranks, 3 * arguments.steps, folder)
                step[ranks] = (long - short) / (2 * arguments.steps)
            ratios.append(step[2] / step[1])
            single.append(step[1])
            waits += waiting
    print(f"{arguments.config}: one rank at batch {arguments.batch // 2}: {1e3 * statistics.median(single):.1f} ms of processor time a step, refreshes included")
    print(f"two ranks at batch {arguments.batch} / two trainings of one rank at half of it: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    print(f"waiting, share of wall time: {statistics.median(waits):.3f} ({min(waits):.3f} to {max(waits):.3f})")


if __name__ == "__main__":
    main()
