"""plan and curve as a user meets them, and the advice of a training that ran out of memory."""

import json
import pathlib
import re
import resource
import unittest

import images
import program

CONFIG = program.ROOT / "configs" / "smoke" / "images_blur.toml"


class PlanAndCurve(unittest.TestCase):
    def setUp(self):
        self.work = work = program.Workspace()
        self.addCleanup(work.close)
        images.write_blobs(work / "signals.h5", count=160)
        images.write_blobs(work / "test.h5", count=16, key=8)
        program.expect_ok("simulate", CONFIG, "--input", work / "test.h5", "--key", 2, "--output", work / "test_observed.h5")
        self.signals = ["--set", f'data.signals="{work / "signals.h5"}"']
        self.monitored = [*self.signals, "--set", f'data.monitor_observations="{work / "test_observed.h5"}"', "--set",
                          f'data.monitor_signals="{work / "test.h5"}"']

    def test_plan_says_what_a_training_then_does(self):
        work = self.work
        out = program.expect_ok("plan", CONFIG, *self.signals, "--json", work / "plan.json")
        for word in ("data", "channel", "network", "memory", "time", "calls"):
            self.assertRegex(out, rf"(?m)^{word} ")
        plan = json.loads((work / "plan.json").read_text())
        self.assertNotIn("linear_start", plan)
        self.assertEqual(plan["data"]["training_rows"], 128)
        self.assertEqual(plan["channel"]["signal_shape"], [1, 16, 16])
        program.expect_ok("train", CONFIG, "--run", work / "run", *self.signals)
        lines = [json.loads(line) for line in (work / "run" / "metrics.jsonl").read_text().splitlines()]
        last = [line for line in lines if "network_calls" in line][-1]
        self.assertEqual(plan["network"]["calls"], last["network_calls"])
        self.assertGreater(plan["time"]["total_s"], 0.0)

    def test_plan_of_a_linear_start_lists_directions(self):
        out = program.expect_ok("plan", CONFIG, *self.signals, "--set", 'start.kind="linear"', "--set", "start.components=12", "--set",
                                "start.probes=512", "--json", self.work / "plan.json")
        self.assertIn("is determined by one observation", out)
        start = json.loads((self.work / "plan.json").read_text())["linear_start"]
        self.assertEqual(len(start["signal_variance"]), 12)
        for signal, posterior, share in zip(start["signal_variance"], start["posterior_variance"], start["explained_share"]):
            self.assertLessEqual(posterior, signal)
            self.assertTrue(0.0 <= share <= 1.0)
        self.assertGreater(start["rmse_spread_preserving_data_units"], start["rmse_posterior_mean_data_units"])

    def test_plan_refuses_what_train_refuses(self):
        code, _, err = program.run("plan", CONFIG, "--set", 'data.signals="/nowhere.h5"')
        self.assertEqual(code, 4, err)
        code, _, err = program.run("plan", CONFIG, *self.signals, "--set", "scsi.stepps=3")
        self.assertEqual((code, "Did you mean" in err), (2, True), err)

    def test_curve_trains_each_size_and_goes_on_where_it_stopped(self):
        work, folder = self.work, self.work / "curve"
        command = ["curve", CONFIG, "--rows", "64,128", "--seeds", "2", "--run", folder, *self.monitored]
        program.expect_ok(*command)
        names = sorted(path.name for path in folder.iterdir())
        self.assertEqual(names, ["curve.json", "curve.svg", "rows-128-seed-1", "rows-128-seed-2", "rows-64-seed-1", "rows-64-seed-2"])
        curve = json.loads((folder / "curve.json").read_text())
        self.assertEqual([(point["observations"], point["runs"]) for point in curve["points"]], [(64, 2), (128, 2)])
        self.assertEqual(len({run["rmse_data_units"] for run in curve["runs"]}), 4)
        self.assertIn("<svg", (folder / "curve.svg").read_text())
        # As after a crash: one run without its end, the others untouched.
        lost = folder / "rows-64-seed-2" / "metrics.jsonl"
        whole = lost.read_text()
        lost.write_text("".join(whole.splitlines(keepends=True)[:-1]))
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("latest.safetensors")}
        program.expect_ok(*command)
        self.assertEqual(lost.read_text(), whole)
        self.assertEqual({path: path.stat().st_mtime_ns for path in folder.rglob("latest.safetensors")}, before)
        self.assertEqual(json.loads((folder / "curve.json").read_text()), curve)
        code, _, err = program.run(*command, "--set", "scsi.batch=4")
        self.assertEqual((code, "other settings" in err), (2, True), err)

    def test_curve_needs_an_error_to_show_and_rows_that_exist(self):
        code, _, err = program.run("curve", CONFIG, "--rows", "64", "--run", self.work / "none", *self.signals)
        self.assertEqual((code, "data.monitor_observations" in err), (2, True), err)
        code, _, err = program.run("curve", CONFIG, "--rows", "64,1000", "--run", self.work / "none", *self.monitored)
        self.assertEqual((code, "160 rows" in err), (2, True), err)
        self.assertFalse((self.work / "none").exists())


class OutOfMemory(unittest.TestCase):
    def test_a_training_that_does_not_fit_names_a_batch_that_does(self):
        work = program.Workspace()
        self.addCleanup(work.close)
        images.write_blobs(work / "signals.h5", count=160)

        def train(run, limit, *extra):
            arguments = ["train", CONFIG, "--run", work / run, "--set", f'data.signals="{work / "signals.h5"}"', "--set", "model.width=32", "--set",
                         "scsi.steps=2", "--set", "scsi.pool=96", *extra]
            return program.run(*arguments, preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None)

        limit = address_space_of_the_program() + (1 << 30)
        code, out, err = train("large", limit, "--set", "scsi.batch=8192")
        self.assertEqual(code, 5, out + err)
        self.assertIn("out of memory", err)
        advice = re.search(r"This would fit: scsi.batch = (\d+), scsi.pool = (\d+)", err)
        self.assertIsNotNone(advice, err)
        self.assertLess(int(advice[1]), 8192)
        self.assertGreaterEqual(int(advice[1]), 64, "more than a GiB for 64 images of 16 x 16 is no good advice: " + err)
        code, out, err = train("advised", limit, "--set", f"scsi.batch={advice[1]}", "--set", f"scsi.pool={advice[2]}")
        self.assertEqual(code, 0, out + err)


def address_space_of_the_program():
    """What the program has mapped by itself, libraries and all, in bytes."""
    import subprocess
    import time

    process = subprocess.Popen([str(program.PROGRAM), "reference"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        peak = 0
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and process.poll() is None:
            for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmPeak:"):
                    peak = max(peak, int(line.split()[1]) << 10)
            time.sleep(0.01)
            if peak > 0 and time.monotonic() > deadline - 4:
                break
        return peak
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
