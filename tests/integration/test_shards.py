"""Restoration in shards: killed, stopped, resumed and joined, against a restoration in one piece, bit for bit."""

import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import program

ROWS, PARTS, BLOCK = 90, 3, 8


def contents(path):
    """Everything in a data file: datasets by name with their attributes, and those of the root."""
    import h5py

    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            values = item[:]
            found[name] = (item.dtype.str, item.shape, values.tolist() if item.dtype.hasobject else values.tobytes(), dict(item.attrs))

    with h5py.File(path) as file:
        file.visititems(visit)
        found["/"] = dict(file.attrs)
    return found


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class Shards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data(count=256, test_count=ROWS)
        cls.run_folder = cls.work / "run"
        program.expect_ok(*cls.work.train_arguments(), "--set", "scsi.steps=4", "--set", f"transport.batch={BLOCK}", "--set",
                          "transport.restore_steps=256", "--set", "interpolant.time_levels=256", "--set", "verdict.replicas=0", "--set", "data.early_stop_rows=16", "--set", "data.test_rows=16")
        program.expect_ok(*cls.restore("whole.h5"))

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @classmethod
    def restore(cls, output, *more):
        return ["restore", cls.run_folder, "--input", cls.work / "test_observed.h5", "--output", cls.work / output, *more]

    def start(self, *arguments):
        return subprocess.Popen([str(program.PROGRAM), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop_after_some_rows(self, arguments, output, how):
        """Ends the command with the signal once at least two blocks are kept; exit code and messages."""
        partial = pathlib.Path(f"{self.work / output}.partial")
        process = self.start(*arguments)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if partial.exists() and partial.stat().st_size > 2 * BLOCK * 4 * 1024:
                break
            time.sleep(0.005)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    def shards(self, name):
        for part in range(1, PARTS + 1):
            program.expect_ok(*self.restore(f"{name}_{part}.h5", "--shard", f"{part}/{PARTS}"))
        return [self.work / f"{name}_{part}.h5" for part in range(1, PARTS + 1)]

    def test_shards_that_were_stopped_and_killed_join_to_the_bits_of_one_run(self):
        random.seed(11)
        for part in range(1, PARTS + 1):
            output = f"part_{part}.h5"
            arguments = self.restore(output, "--shard", f"{part}/{PARTS}", "--resume")
            code, err = self.stop_after_some_rows(arguments, output, signal.SIGTERM)
            self.assertEqual(code, 143, err)
            self.assertIn("continue with --resume", err)
            self.assertFalse((self.work / output).exists())
            self.assertGreater(pathlib.Path(f"{self.work / output}.partial").stat().st_size, 0)
            for _ in range(3):
                process = self.start(*arguments)
                time.sleep(random.uniform(0.05, 0.8))
                process.kill()
                process.communicate()
            program.expect_ok(*arguments)
            self.assertFalse(pathlib.Path(f"{self.work / output}.partial").exists())
            self.assertIn("complete", program.expect_ok(*arguments))
        parts = [self.work / f"part_{part}.h5" for part in (3, 1, 2)]
        program.expect_ok("join", *parts, "--output", self.work / "joined.h5")
        self.assertEqual(contents(self.work / "joined.h5"), contents(self.work / "whole.h5"))

    def test_a_damaged_block_is_restored_again(self):
        output = "damaged.h5"
        self.stop_after_some_rows(self.restore(output), output, signal.SIGTERM)
        partial = pathlib.Path(f"{self.work / output}.partial")
        content = bytearray(partial.read_bytes())
        content[-100] ^= 1
        partial.write_bytes(content[:-3])
        program.expect_ok(*self.restore(output, "--resume"))
        self.assertEqual(contents(self.work / output), contents(self.work / "whole.h5"))

    def test_rows_of_another_task_are_not_continued(self):
        output = "other.h5"
        self.stop_after_some_rows(self.restore(output), output, signal.SIGTERM)
        code, _, err = program.run(*self.restore(output, "--resume", "--key", "7"))
        self.assertEqual(code, 2, err)
        for text in ("other.h5.partial", "key is 1 there and 7 now", "leave --resume out"):
            self.assertIn(text, err)

    def test_two_processes_do_not_write_one_output(self):
        output = "twice.h5"
        process = self.start(*self.restore(output))
        deadline = time.monotonic() + 60
        while not pathlib.Path(f"{self.work / output}.partial").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        code, _, err = program.run(*self.restore(output))
        process.kill()
        process.communicate()
        self.assertEqual(code, 4, err)
        self.assertIn("another process", err)

    def test_more_shards_than_blocks_have_the_bits_of_one_run_too(self):
        import h5py

        program.expect_ok(*self.restore("thin.h5", "--shard", f"7/{ROWS // 3}"))
        with h5py.File(self.work / "thin.h5") as thin, h5py.File(self.work / "whole.h5") as whole:
            self.assertEqual(thin["signals"][:].tobytes(), whole["signals"][18:21].tobytes())

    def test_shards_that_are_missing_twice_there_or_of_another_task_are_refused(self):
        import h5py
        import shutil

        files = self.shards("bad")
        joined = self.work / "bad.h5"

        def refuse(code, texts, *shards):
            got, _, err = program.run("join", *shards, "--output", joined)
            self.assertEqual(got, code, err)
            for text in texts:
                self.assertIn(text, err)
            self.assertFalse(joined.exists())

        refuse(4, ["missing: 2/3", "--shard"], files[0], files[2])
        refuse(4, ["bad_1.h5: is shard 1/3, as is", "Name each shard once"], *files, files[0])
        refuse(4, ["whole.h5: is no shard"], *files, self.work / "whole.h5")
        refuse(4, ["one of 3 parts"], files[0], self.make_other("--shard", "2/2"))
        program.expect_ok(*self.restore("key.h5", "--shard", "2/3", "--key", "5"))
        refuse(4, ["another checkpoint, input, channel, key"], files[0], self.work / "key.h5", files[2])
        cut = self.work / "cut.h5"
        shutil.copy(files[1], cut)
        with h5py.File(cut, "r+") as file:
            rows = file["signals"].shape[0] - 1
            for name in list(file):
                if isinstance(file[name], h5py.Dataset) and file[name].shape[0] == rows + 1:
                    file[name].resize(rows, axis=0)
        refuse(4, ["cut.h5: says that it is shard 2/3"], files[0], cut, files[2])
        code, _, err = program.run("join", *files, "--output", files[0])
        self.assertEqual(code, 2, err)
        program.expect_ok("join", *files, "--output", joined)

    def make_other(self, *more):
        program.expect_ok(*self.restore("other_split.h5", *more))
        return self.work / "other_split.h5"

    def test_the_array_job_of_the_documentation_is_requeued_when_it_is_preempted(self):
        """The job script with stand-ins for SLURM's commands: srun runs its command, scontrol notes what it is asked for."""
        tools, notes = self.work / "tools", self.work / "requeued"
        tools.mkdir()
        (tools / "srun").write_text('#!/bin/bash\nexec "$@"\n')
        (tools / "scontrol").write_text(f'#!/bin/bash\necho "$*" >> {notes}\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        parts = self.work / "array"
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "UNCHANNEL": str(program.PROGRAM), "RUN": str(self.run_folder),
                       "INPUT": str(self.work / "test_observed.h5"), "PARTS": str(parts), "SLURM_ARRAY_TASK_COUNT": str(PARTS), "SLURM_ARRAY_JOB_ID": "42"}
        for part in range(1, PARTS + 1):
            job = ["bash", str(program.ROOT / "docs" / "slurm" / "restore.sbatch")]
            settings = {**environment, "SLURM_ARRAY_TASK_ID": str(part)}
            if part == 2:  # preempted once
                process = subprocess.Popen(job, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
                partial = parts / "2.h5.partial"
                deadline = time.monotonic() + 60
                while process.poll() is None and time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size > BLOCK * 4 * 1024):
                    time.sleep(0.005)
                subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=True)  # its children: the job's step
                process.communicate(timeout=60)
                self.assertEqual(notes.read_text(), "requeue 42_2\n")
            subprocess.run(job, env=settings, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        program.expect_ok("join", *sorted(parts.glob("*.h5")), "--output", self.work / "array.h5")
        self.assertEqual(contents(self.work / "array.h5"), contents(self.work / "whole.h5"))


if __name__ == "__main__":
    unittest.main()
