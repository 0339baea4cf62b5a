"""unchannel identify as a user meets it: an interval, a limit, the same again after a stop, and what is refused."""

import json
import signal
import subprocess
import time
import unittest

import program

CONFIG = program.ROOT / "configs" / "unknown" / "noise.toml"
SIGMA = 0.7


def write_rows(path, name, rows):
    import h5py

    with h5py.File(path, "w") as file:
        file[name] = rows.astype("f4")


class Identify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import numpy

        cls.work = work = program.Workspace()
        random = numpy.random.default_rng(5)
        signals = random.normal(size=(2000, 8)) * numpy.array([1.2, 1.1, 1.0, 1.0, 0.9, 0.8, 0.0, 0.0])
        observed = signals + SIGMA * random.normal(size=signals.shape)
        write_rows(work / "observed.h5", "observations", observed)
        write_rows(work / "known.h5", "signals", signals[:100])
        write_rows(work / "seen.h5", "observations", observed[:100])

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def arguments(self, name, *settings, config=CONFIG):
        text = ["identify", config, "--run", self.work / name, "--set", f'data.observations="{self.work / "observed.h5"}"']
        for setting in settings:
            text += ["--set", setting]
        return text

    def identified(self, name):
        return json.loads((self.work / name / "identify.json").read_text())

    def test_a_signal_free_subspace_gives_an_interval_and_the_same_again(self):
        quick = ["unknown.points=4", "unknown.refinements=1", "scsi.steps=80", "unknown.worlds=20"]
        out = program.expect_ok(*self.arguments("free", *quick))
        found = self.identified("free")
        self.assertEqual(found["verdict"], "interval", out)
        self.assertLess(found["low"], found["high"])
        # 1,600 numbers without signal tell the deviation to 1.8 %; five standard errors.
        self.assertLess(abs(found["estimate"] - SIGMA), 5 * 0.018 * SIGMA)
        self.assertIn("sigma: interval", out)
        self.assertIn("<svg", (self.work / "free" / "identify.svg").read_text())
        self.assertEqual([statistic["name"] for statistic in found["statistics"]], ["gap", "outside"])
        # The same command leaves finished trainings and what they came to; one that lost its record is compared again, to the same end.
        checkpoints = {path: path.stat().st_mtime_ns for path in (self.work / "free").rglob("latest.safetensors")}
        (self.work / "free" / "sigma-0.2" / "identify.json").unlink()
        program.expect_ok(*self.arguments("free", *quick))
        self.assertEqual({path: path.stat().st_mtime_ns for path in checkpoints}, checkpoints)
        self.assertEqual(self.identified("free"), found)
        code, _, err = program.run(*self.arguments("free", *quick[:2], "scsi.steps=90"))
        self.assertEqual((code, "other settings" in err), (2, True), err)
        # A member is an ordinary run.
        program.expect_ok("restore", self.work / "free" / "sigma-0.2", "--input", self.work / "observed.h5", "--output", self.work / "restored.h5")

    def test_gaussian_signals_alone_give_no_interval_and_members_join(self):
        settings = ['unknown.constraint="none"', "unknown.signal_free_elements=[]", "unknown.points=3", "unknown.refinements=0", "unknown.members=2",
                    'unknown.refit="weights"', "unknown.refit_steps=40", "unknown.worlds=20", "scsi.steps=80"]
        program.expect_ok(*self.arguments("alone", *settings))
        found = self.identified("alone")
        self.assertIn(found["verdict"], ("only an upper limit", "not identifiable"))
        self.assertEqual({len(point["members"]) for point in found["points"]}, {2})
        self.assertIsNone(found["low"])

    def test_goes_on_after_a_stop(self):
        arguments = self.arguments("stopped", "unknown.points=3", "unknown.refinements=0", "unknown.worlds=20", "scsi.steps=40")
        process = subprocess.Popen([str(program.PROGRAM), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.time() + 60
        while not (self.work / "stopped" / "sigma-0.2" / "checkpoints" / "latest.safetensors").exists() and time.time() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 143), err)
        program.expect_ok(*arguments)
        self.assertEqual(len(self.identified("stopped")["points"]), 3)

    def test_refuses_what_says_nothing_or_does_not_fit(self):
        known, seen = self.work / "known.h5", self.work / "seen.h5"
        plain = ['unknown.constraint="none"', "unknown.signal_free_elements=[]"]
        faults = [
            (['unknown.prior="undeclared"'], ["noise.toml:", "unknown.prior is missing"]),
            (['unknown.constraint="undeclared"'], ["noise.toml:", "unknown.constraint is missing", '"none"']),
            (['unknown.constraint="signal_fre"'], ["unknown.constraint", "Did you mean 'signal_free'"]),
            (["unknown.high=0.1"], ["unknown.low = 0.2 must be less than unknown.high = 0.1"]),
            (["unknown.low=-0.5"], ["unknown.low: channel awgn: parameter sigma must lie in the range", "it is -0.5"]),
            (['unknown.parameter="sigm"'], ["noise.toml", "channel awgn", "Did you mean 'sigma'"]),
            (["unknown.stage=0"], ["unknown.stage = 0: channel awgn has 0 stages"]),
            (["unknown.signal_free_elements=[]"], ["unknown.signal_free_elements", "must be given"]),
            (["unknown.signal_free_elements=[8]"], ["8 is no element of signals with 8"]),
            (["unknown.signal_free_elements=[]", "unknown.signal_free_directions=[[1.0, 0.0]]"], ["a row has 2 numbers; signals have 8 elements"]),
            (plain + ['unknown.constraint="range"'], ["needs the range of signals", "model.signal_min"]),
            (plain + ['unknown.constraint="prior"'], ["identifies nothing", "normal"]),
            (plain + ['unknown.constraint="calibration"'], ["unknown.calibration_observations"]),
            (plain + ['unknown.constraint="calibration"', f'unknown.calibration_signals="{known}"',
                      f'unknown.calibration_observations="{self.work / "observed.h5"}"'], ["has 100 rows", "has 2000"]),
            (["interpolant.noise_sigma=0.5"], ["interpolant.noise_sigma"]),
            (["unknown.worlds=5"], ["unknown.worlds", "must"]),
        ]
        for settings, fragments in faults:
            with self.subTest(settings):
                code, out, err = program.run(*self.arguments("refused", *settings, "scsi.steps=2"))
                self.assertEqual(code, 2, f"{out}\n{err}")
                for fragment in fragments:
                    self.assertIn(fragment, err)
        self.assertTrue(seen.exists())
        code, _, err = program.run("identify", program.ROOT / "configs" / "two_moons" / "awgn_ode.toml")
        self.assertEqual((code, "unknown.parameter is missing" in err), (2, True), err)

    def test_train_says_which_value_it_takes(self):
        arguments = self.arguments("plain", "scsi.steps=4")
        arguments[0] = "train"
        code, _, err = program.run(*arguments)
        self.assertEqual((code, "sigma is declared unknown" in err), (0, True), err)


if __name__ == "__main__":
    unittest.main()
