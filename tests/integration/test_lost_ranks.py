"""Training in several processes when one is stopped, lost, fails or disagrees."""

import os
import shutil
import signal
import subprocess
import time
import unittest

import program
import ranks


class Failures(ranks.RanksTest):
    def test_sigterm_to_one_rank_stops_all_with_a_checkpoint(self):
        arguments = self.train("stopped", steps=100000)
        process = ranks.start(2, arguments)
        ranks.wait_for_lines(self.work / "stopped", 5, process)
        os.kill(ranks.process_of_rank(process, 1), signal.SIGTERM)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, message)
        self.assertEqual(message.count("a checkpoint is written, continue with --resume"), 1, message)
        lines = (self.work / "stopped" / "metrics.jsonl").read_text().count("\n")
        process = ranks.start(1, [*arguments, "--resume"])
        ranks.wait_for_lines(self.work / "stopped", lines + 3, process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)

    def test_sigusr1_to_the_launcher_stops_all_with_a_checkpoint(self):
        process = ranks.start(2, self.train("told", steps=100000))
        ranks.wait_for_lines(self.work / "told", 5, process)
        process.send_signal(signal.SIGUSR1)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143, message)
        self.assertIn("a checkpoint is written, continue with --resume", message)

    def test_the_job_of_the_documentation_is_requeued_when_it_is_preempted(self):
        """The job script with stand-ins for SLURM's commands: srun starts two ranks, scontrol notes what it is asked for."""
        tools, notes, run = self.work / "tools", self.work / "requeued", self.work / "job"
        tools.mkdir()
        (tools / "srun").write_text(f'#!/bin/bash\nshift 2  # its own options\nexec {" ".join(ranks.launcher())} -n 2 "$@"\n')
        (tools / "scontrol").write_text(f'#!/bin/bash\necho "$*" >> {notes}\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        config = self.work / "job.toml"
        settings = {"observations": f'"{self.work / "train_observed.h5"}"', "early_stop_rows": "16", "test_rows": "16", "evaluate_every": "1", "steps": "100000"}
        lines = (program.ROOT / "configs/smoke/quasar.toml").read_text().splitlines()
        section = ""
        for number, line in enumerate(lines):
            section = line.strip("[]") if line.startswith("[") else section
            key = line.split("=")[0].strip()
            if key in settings and section in ("data", "run", "scsi"):
                lines[number] = f"{key} = {settings[key]}"
        config.write_text("\n".join(lines) + "\n")
        environment = {**ranks.ENVIRONMENT, "PATH": f"{tools}:{os.environ['PATH']}", "UNCHANNEL": str(program.PROGRAM), "RUN": str(run),
                       "CONFIG": str(config), "SLURM_JOB_ID": "42", "SLURM_CPUS_PER_TASK": "1"}
        script = program.ROOT / "docs" / "slurm" / "train.sbatch"
        for attempt in (1, 2):
            process = subprocess.Popen(["bash", str(script)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            before = (run / "metrics.jsonl").read_text().count("\n") if run.exists() else 0
            ranks.wait_for_lines(run, before + 4, process)
            os.kill(ranks.process_of_rank(process, 1, deep=True), signal.SIGTERM)
            _, message = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 143, message)
            self.assertEqual(notes.read_text(), "requeue 42\n" * attempt)
            self.assertEqual("resuming at step" in message, attempt == 2, message)

    def test_a_killed_rank_ends_the_job_and_keeps_the_checkpoint(self):
        # With and without a launcher that ends the others by itself, as srun may.
        for name, options in (("killed", []), ("survived", ["--enable-recovery"])):
            with self.subTest(name):
                arguments = self.train(name, "--set", "run.checkpoint_every=4", steps=100000)
                process = ranks.start(2, arguments, *options)
                ranks.wait_for_lines(self.work / name, 10, process)
                os.kill(ranks.process_of_rank(process, 1), signal.SIGKILL)
                begin = time.monotonic()
                _, message = process.communicate(timeout=60)
                self.assertLess(time.monotonic() - begin, 30)
                if not options:
                    self.assertNotEqual(process.returncode, 0, message)
                else:  # that launcher counts a job as done that ended by itself
                    self.assertIn("rank 1 on ", message)
                    self.assertIn("has ended; the job cannot go on without it", message)
                process = ranks.start(2, [*arguments, "--resume"])
                lines = (self.work / name / "metrics.jsonl").read_text().count("\n")
                ranks.wait_for_lines(self.work / name, lines + 1, process)
                self.assertIsNone(process.poll(), "the checkpoint cannot be resumed")
                os.kill(ranks.process_of_rank(process, 0), signal.SIGTERM)
                _, message = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 143, message)

    def refuse(self, code, texts, first, second, second_program=program.PROGRAM):
        """Two ranks with arguments of their own."""
        both = ["-n", "1", str(program.PROGRAM), *map(str, first), ":", "-n", "1", str(second_program), *map(str, second)]
        result = subprocess.run([*ranks.launcher(), *both], capture_output=True, text=True, timeout=60, check=False, env=ranks.ENVIRONMENT)
        self.assertEqual(result.returncode, code, result.stderr)
        for text in texts:
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count(texts[0]), 1, "said more than once:\n" + result.stderr)

    def test_ranks_with_other_settings_are_refused(self):
        self.refuse(2, ["differs between the ranks", "rank 1 on ", "batch = 32", "batch = 64"], self.train("differ"), self.train("differ", "--set", "scsi.batch=32"))
        self.assertFalse((self.work / "differ" / "metrics.jsonl").exists())

    def test_a_failure_of_one_rank_is_said_once_with_its_name(self):
        self.refuse(4, ["nowhere.h5", "rank 1 on "], self.train("lacking"), self.train("lacking", "--set", 'data.observations="nowhere.h5"'))

    def test_ranks_with_another_plugin_are_refused(self):
        for name, comment in (("one", "# as it was\n"), ("two", "# changed\n")):
            folder = self.work / f"plugins_{name}"
            folder.mkdir()
            source = (program.ROOT / "plugin-api/examples/python/binned_detector.py").read_text()
            (folder / "binned_detector.py").write_text(source + comment)
        config = self.work / "python.toml"
        config.write_text(f'[data]\nsignals = "{self.work / "train_signals.h5"}"\nearly_stop_rows = 16\ntest_rows = 16\n[channel]\nid = "{self.python_id()}"\n'
                          '[model]\nspace = "elements"\n[start]\nkind = "observation"\n[scsi]\nsteps = 2\nbatch = 16\npool = 32\nrefresh_rows = 16\n')
        arguments = ["train", config, "--run", self.work / "plugins_differ", "--plugin-dir"]
        self.refuse(2, ["differs between the ranks", "channel"], [*arguments, self.work / "plugins_one"], [*arguments, self.work / "plugins_two"])

    def test_ranks_of_another_program_are_refused(self):
        other = self.work / "unchannel"
        shutil.copy(program.PROGRAM, other)
        with other.open("ab") as file:
            file.write(b"\0")
        self.refuse(2, ["program/sha256 differs between the ranks", "rank 1 on "], self.train("programs"), self.train("programs"), other)

    def python_id(self):
        return (program.ROOT / "plugin-api/examples/python/binned_detector.py").read_text().split('"id": "')[1].split('"')[0]

    def test_more_ranks_than_rows_in_a_group_are_refused(self):
        code, _, err = ranks.run(3, self.train("many", "--set", "scsi.batch=1"))
        self.assertEqual(code, 2, err)
        self.assertIn("Start 2 ranks at most", err)


if __name__ == "__main__":
    unittest.main()
