"""Signals and starts that fail: exit codes, and that the same command then works."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import time
import unittest

import program


def start(*arguments):
    return subprocess.Popen([str(program.PROGRAM), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_until(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class Restarts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=16)

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def test_ctrl_c_during_training_ends_with_130_and_a_checkpoint(self):
        run = self.work / "interrupted"
        arguments = self.work.train_arguments(run_name="interrupted")
        process = start(*arguments, "--set", "scsi.steps=100000", "--set", "run.evaluate_every=1")
        wait_until(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text().count("\n") > 2, process)
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, message)
        self.assertIn("a checkpoint is written, continue with --resume", message)

    def test_sigterm_during_the_linear_start_ends_with_143_and_the_same_command_starts_anew(self):
        run = self.work / "early"
        arguments = [*self.work.train_arguments(run_name="early"), "--set", "scsi.steps=4"]
        process = start(*arguments, "--set", "start.rounds=1000")
        wait_until((run / "provenance.json").exists, process)
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, message)
        self.assertFalse((run / "checkpoints" / "latest.safetensors").exists())
        program.expect_ok(*arguments)  # without --resume, and with other settings

    def test_a_start_that_failed_can_be_repeated(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        run = self.work / "failed"
        # In a worker, the memory that is shared with it would be such a file, too.
        arguments = [*self.work.train_arguments(run_name="failed"), "--set", "scsi.steps=4", "--set", "run.evaluate_every=4",
                     "--set", 'channel.isolation="inproc"']
        code, _, err = program.run(*arguments, preexec_fn=limit)  # no room for the checkpoint
        self.assertEqual(code, 4, err)
        self.assertTrue((run / "config.resolved.toml").exists(), "the start failed too early to test anything")
        program.expect_ok(*arguments)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([(line["step"], line.get("split", line.get("verdict"))) for line in lines],
                         [(0, None), (4, None), (4, "test"), (4, "cannot tell")])
        program.expect_ok(*arguments, "--resume")
        self.assertEqual(len((run / "metrics.jsonl").read_text().splitlines()), 4, "a resume of a finished run wrote figures again")


def full_pipe():
    """Both ends of a pipe in which nothing more fits: who prints into it waits, in the middle of its command."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    try:
        while True:
            os.write(into, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(into, True)
    return out, into


class CommandsThatDoNotPoll(unittest.TestCase):
    def test_end_at_once_on_ctrl_c(self):
        import h5py
        import numpy

        work = program.Workspace()
        self.addCleanup(work.close)
        with h5py.File(work / "a.h5", "w") as file:
            file["signals"] = numpy.arange(32, dtype="f4").reshape(8, 4)
        for command in (["evaluate", "--truth", work / "a.h5", "--restored", work / "a.h5"], ["info", work / "a.h5"],
                        ["export", "npy", work / "a.h5", "--output", work / "a.npy"], ["reference"]):
            with self.subTest(command[0]):
                out, into = full_pipe()
                process = subprocess.Popen([str(program.PROGRAM), *map(str, command)], stdout=into, stderr=into)
                stat = pathlib.Path(f"/proc/{process.pid}/stat")
                wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "S", process)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(timeout=30), -signal.SIGINT)
                os.close(out)
                os.close(into)


if __name__ == "__main__":
    unittest.main()
