"""The whole path in seconds: data, training, kills, restoration, evaluation, report."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

import program


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        cls.work.make_data()

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def test_trains_restores_evaluates_and_reports(self):
        work = self.work
        program.expect_ok(*work.train_arguments(run_name="path"))
        lines = [json.loads(line) for line in (work / "path" / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], [0, 20, 40, 60, 60, 60])
        self.assertEqual(lines[-1]["verdict"], "cannot tell", "three evaluations are too few")
        program.expect_ok("restore", work / "path", "--input", work / "test_observed.h5", "--output", work / "restored.h5")
        program.expect_ok("evaluate", "--truth", work / "test_signals.h5", "--restored", work / "restored.h5", "--observed",
                          work / "test_observed.h5", "--json", work / "figures.json")
        self.assertTrue(json.loads((work / "figures.json").read_text()))
        program.expect_ok("report", work / "path", "--input", work / "test_observed.h5", "--truth", work / "test_signals.h5")
        page = (work / "path" / "report.html").read_text()
        self.assertIn("<svg", page)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))

    def test_a_run_with_enough_evaluations_is_judged(self):
        work = self.work
        arguments = [*work.train_arguments(run_name="judged"), "--set", "run.evaluate_every=2", "--set", "scsi.steps=80", "--set", "verdict.replicas=20"]
        code, _, err = program.run(*arguments)
        self.assertEqual(code, 0, err)
        self.assertIn("verdict: ", err)
        verdict = json.loads((work / "judged" / "metrics.jsonl").read_text().splitlines()[-1])
        self.assertIn("contraction", verdict, verdict["reason"])
        self.assertGreater(verdict["test"]["p_value"], 0)
        self.assertLessEqual(len(verdict["recoverability"]), 16)
        program.expect_ok("report", work / "judged")
        page = (work / "judged" / "report.html").read_text()
        for text in ("Convergence", verdict["verdict"], "determined by"):
            self.assertIn(text, page)
        # Lost when the training was killed after its last figures: the resume writes the same one.
        metrics = work / "judged" / "metrics.jsonl"
        whole = metrics.read_text()
        metrics.write_text("".join(line for line in whole.splitlines(keepends=True)[:-1]))
        program.expect_ok(*arguments, "--resume")
        self.assertEqual(metrics.read_text(), whole)

    def test_restored_rows_keep_their_order_and_ids(self):
        work = self.work
        program.expect_ok(*work.train_arguments(run_name="ids"))
        program.expect_ok("restore", work / "ids", "--input", work / "test_observed.h5", "--output", work / "ids_all.h5")
        for part in (1, 2):
            program.expect_ok("restore", work / "ids", "--input", work / "test_observed.h5", "--output", work / f"ids_{part}.h5", "--shard",
                              f"{part}/2")
        import h5py
        import numpy

        with h5py.File(work / "ids_all.h5") as whole, h5py.File(work / "ids_1.h5") as one, h5py.File(work / "ids_2.h5") as two:
            self.assertEqual(list(whole["object_id"]), list(one["object_id"]) + list(two["object_id"]))
            joined = numpy.concatenate([one["signals"][:], two["signals"][:]])
            self.assertEqual(whole["signals"][:].tobytes(), joined.tobytes())

    def test_is_bit_identical_after_kills_at_random_moments(self):
        work = self.work
        extra = ["--set", "model.precision=\"bfloat16\"", "--set", "model.dropout=0.1", "--set", "run.checkpoint_every=5", "--set",
                 "scsi.steps=200"]
        program.expect_ok(*work.train_arguments(run_name="straight"), *extra)
        arguments = [str(program.PROGRAM), *map(str, work.train_arguments(run_name="killed")), *extra]
        random.seed(4)
        kills = int(os.environ.get("UNCHANNEL_KILLS", "4"))
        for attempt in range(200):
            resume = ["--resume"] if (work / "killed" / "config.resolved.toml").exists() else []
            process = subprocess.Popen(arguments + resume, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if kills > 0:
                time.sleep(random.uniform(0.3, 2.0))
                if process.poll() is None:
                    process.kill()
                    kills -= 1
            if process.wait(timeout=120) == 0:
                break
        self.assertEqual(process.returncode, 0)
        self.assertEqual(program.weights(work / "killed"), program.weights(work / "straight"))

    def test_automatic_precision_follows_the_processor_and_is_kept(self):
        flags = set(pathlib.Path("/proc/cpuinfo").read_text().split())
        native = "bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32"
        other = {"bfloat16": "float32", "float32": "bfloat16"}[native]
        arguments = self.work.train_arguments(run_name="auto")
        automatic = ["--set", 'model.precision="auto"', "--set", "scsi.steps=4"]
        program.expect_ok(*arguments, *automatic)
        resolved = self.work / "auto" / "config.resolved.toml"
        self.assertIn(f'precision = "{native}"', resolved.read_text().replace("'", '"'))
        program.expect_ok(*arguments, *automatic, "--resume")
        # As if it had been started on another kind of processor: its arithmetic stays.
        resolved.write_text(resolved.read_text().replace(native, other))
        program.expect_ok(*arguments, *automatic, "--resume")

    def test_stops_cleanly_on_sigterm_and_goes_on(self):
        work = self.work
        arguments = [str(program.PROGRAM), *map(str, work.train_arguments(run_name="stopped")), "--set", "scsi.steps=100000"]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.time() + 60
        while not (work / "stopped" / "checkpoints" / "latest.safetensors").exists() and time.time() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 143)
        self.assertIn("--resume", message)

    def test_other_model_families_train(self):
        for config in ("smoke/quasar_sde.toml", "smoke/quasar_unet.toml"):
            with self.subTest(config):
                name = config.replace("/", "_")
                program.expect_ok(*self.work.train_arguments(config=config, run_name=name))
                program.expect_ok("restore", self.work / name, "--input", self.work / "test_observed.h5", "--output",
                                  self.work / f"{name}.h5")


if __name__ == "__main__":
    unittest.main()
