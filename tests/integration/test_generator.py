"""Generator, sampling and guided sampling against the closed forms of Gaussian signals, and what the commands refuse."""

import json
import signal
import subprocess
import time
import unittest

import program

MEAN = (0.5, -0.3)
FACTOR = ((0.9, 0.0), (0.5, 0.4))  # x = mean + factor n
SIGMA = 0.5
ROWS = 20000

GENERATOR = """
[data]
signals = "signals.h5"
early_stop_rows = 64
test_rows = 64
[channel]
id = "noise"
[interpolant]
time_levels = 64
[model]
space = "elements"
width = 32
depth = 1
precision = "float32"
[transport]
solver = "multistep"
steps = 8
restore_steps = 16
[start]
kind = "truth"
[scsi]
steps = 800
batch = 500
resamples = 4
mixture = 1.0
pool = 20000
refresh_every = 0
[optimiser]
learning_rate = 0.005
final_learning_rate_share = 0.02
ema_horizon_steps = 50.0
[run]
threads = 1
evaluate_every = 400
checkpoint_every = 400
"""

MEASUREMENT = f"""
[data]
observations = "observed.h5"
early_stop_rows = 64
test_rows = 64
[channel]
id = "awgn"
[channel.parameters]
sigma = {SIGMA}
[start]
components = 2
rounds = 4
probes = 2048
weighting = "none"
"""


class Generator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import h5py
        import numpy

        cls.work = program.Workspace()
        draws = numpy.random.default_rng(1).standard_normal((ROWS, 2)) @ numpy.array(FACTOR).T + numpy.array(MEAN)
        for name, rows in (("signals", draws), ("truth", draws[:2000])):
            with h5py.File(cls.work / f"{name}.h5", "w") as file:
                file["signals"] = rows.astype("f4")
                file["object_id"] = numpy.arange(len(rows)) + 70
        (cls.work / "generator.toml").write_text(GENERATOR)
        (cls.work / "measurement.toml").write_text(MEASUREMENT)
        program.expect_ok("simulate", cls.work / "measurement.toml", "--input", cls.work / "truth.h5", "--key", 2, "--output", cls.work / "observed.h5")
        program.expect_ok("train", cls.work / "generator.toml", "--run", cls.work / "first" / "generator")

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def rows(self, name):
        import h5py

        with h5py.File(self.work / name) as file:
            return file["signals"][:].astype("f8"), list(file["object_id"]), file.attrs["origin"]

    def guided(self, method, name, *extra):
        return ["baseline", method, self.work / "measurement.toml", "--prior", self.work / "first", "--input", self.work / "observed.h5",
                "--output", self.work / name, *extra]

    def refused(self, code, fragments, arguments):
        got, _, err = program.run(*arguments)
        self.assertEqual(got, code, err)
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertFalse((self.work / "bad.h5").exists())

    def test_new_signals_have_the_law_of_the_given_ones(self):
        import numpy

        program.expect_ok("sample", self.work / "first", "--count", ROWS, "--output", self.work / "new.h5")
        signals, ids, origin = self.rows("new.h5")
        self.assertEqual(ids, list(range(ROWS)))
        self.assertIn("64 multistep steps", origin)
        covariance = numpy.array(FACTOR) @ numpy.array(FACTOR).T
        # Five standard errors of the draws and of the rows learnt from, √(2 · 0.81 / 20000) and √(4 · 0.66 / 20000), and 0.05 for a fit of 800 steps.
        self.assertLess(numpy.abs(signals.mean(0) - MEAN).max(), 0.045 + 0.05)
        self.assertLess(numpy.abs(numpy.cov(signals.T) - covariance).max(), 0.058 + 0.05)

    def test_a_signal_is_the_same_for_any_count(self):
        import numpy

        program.expect_ok("sample", self.work / "first" / "generator", "--count", 1500, "--key", 3, "--output", self.work / "more.h5")
        program.expect_ok("sample", self.work / "first" / "generator", "--count", 10, "--key", 3, "--output", self.work / "few.h5")
        # Other batch sizes may round matrix products differently.
        self.assertLess(numpy.abs(self.rows("more.h5")[0][:10] - self.rows("few.h5")[0]).max(), 1e-4)

    def test_a_composed_channel_has_the_noise_of_its_last_stage(self):
        stages = '[[channel.stages]]\nid = "awgn"\nparameters = { sigma = 0.0 }\n[[channel.stages]]\nid = "awgn"\n' + f"parameters = {{ sigma = {SIGMA} }}\n"
        composed = MEASUREMENT.replace(f'id = "awgn"\n[channel.parameters]\nsigma = {SIGMA}\n', f'id = "compose"\n{stages}')
        self.assertIn("compose", composed)
        (self.work / "composed.toml").write_text(composed)
        for name, config in (("composed", "composed.toml"), ("plain", "measurement.toml")):
            program.expect_ok("baseline", "mmps", self.work / config, "--prior", self.work / "first", "--input", self.work / "observed.h5", "--output",
                              self.work / f"{name}.h5", "--steps", 8)
        self.assertIn("noise 0.5", self.rows("composed.h5")[2])
        self.assertEqual(self.rows("composed.h5")[0].tolist(), self.rows("plain.h5")[0].tolist(), "a first stage that adds nothing changes nothing")

    def test_mmps_draws_have_the_exact_posterior(self):
        import h5py
        import numpy

        program.expect_ok(*self.guided("mmps", "mmps.h5"))
        draws, ids, origin = self.rows("mmps.h5")
        self.assertEqual(ids, [i + 70 for i in range(2000)])
        self.assertIn("mmps, guidance 1, noise 0.5", origin)
        covariance = numpy.array(FACTOR) @ numpy.array(FACTOR).T
        gain = covariance @ numpy.linalg.inv(covariance + SIGMA**2 * numpy.eye(2))
        with h5py.File(self.work / "observed.h5") as file:
            means = numpy.array(MEAN) + (file["observations"][:].astype("f8") - numpy.array(MEAN)) @ gain.T
        residual = draws - means
        posterior = covariance - gain @ covariance  # eigenvalues 0.2 and 0.1
        # Five standard errors of 2,000 draws, √(0.2 / 2000) and √(2 · 0.04 / 2000), and 0.05 for the fit.
        self.assertLess(numpy.abs(residual.mean(0)).max(), 0.05 + 0.05)
        self.assertLess(numpy.abs(numpy.cov(residual.T) - posterior).max(), 0.032 + 0.05)
        # A draw that ignored the observation would have the covariance of the prior there.
        self.assertLess(numpy.cov(residual.T).trace(), 0.5 * covariance.trace())

    def test_mmps_takes_masks_from_the_file(self):
        import h5py
        import numpy

        work = self.work
        (work / "hiding.toml").write_text('[data]\nobservations = "observed.h5"\n[channel]\nid = "random_mask"\n')
        program.expect_ok("simulate", work / "hiding.toml", "--input", work / "truth.h5", "--key", 5, "--output", work / "hidden.h5")
        program.expect_ok("baseline", "mmps", work / "hiding.toml", "--prior", work / "first", "--input", work / "hidden.h5", "--steps", 32,
                          "--output", work / "revealed.h5")
        draws = self.rows("revealed.h5")[0]
        with h5py.File(work / "hidden.h5") as file:
            kept, error = file["latents/mask"][:] == 1, draws - file["observations"][:]
        # Kept elements: the draw's and the data's noise of 0.1 at most. Hidden ones hold noise of deviation one, which says nothing of the signal.
        self.assertLess(numpy.sqrt((error[kept] ** 2).mean()), 0.15)
        self.assertGreater(numpy.sqrt((error[~kept] ** 2).mean()), 1.0)

    def test_dps_takes_the_best_guidance_of_a_grid_and_says_so(self):
        _, _, err = program.run(*self.guided("dps", "dps.h5", "--tune-on", self.work / "truth.h5", "--grid", "0,0.1,50"))
        self.assertIn("guidance 0.1, tuned on the truth of 256 rows", err)
        self.assertIn("tuned on the truth", self.rows("dps.h5")[2])

    def test_commands_refuse_what_they_cannot_do(self):
        work, bad = self.work, self.work / "bad.h5"
        self.refused(2, ["holds no generator", "unchannel train GENERATOR.toml"], ["sample", work / "nowhere", "--count", 3, "--output", bad])
        self.refused(2, ["time_levels = 64", "Use 32"], ["sample", work / "first", "--count", 3, "--steps", 33, "--output", bad])
        self.refused(2, ["Did you mean"], ["sample", work / "first", "--count", 3, "--setps", 32, "--output", bad])
        self.refused(2, ["Did you mean"], ["baseline", "mmpss"])
        self.refused(2, ["no guidance fits all"], self.guided("dps", "bad.h5"))
        self.refused(2, ["belong together"], self.guided("dps", "bad.h5", "--grid", "1,2"))
        self.refused(2, ["not both"], self.guided("dps", "bad.h5", "--guidance", 1, "--grid", "1,2", "--tune-on", work / "truth.h5"))
        self.refused(2, ["--noise-sigma"], self.guided("mmps", "bad.h5", "--set", "channel.parameters.sigma=0.0"))
        (work / "mask.toml").write_text('[data]\nobservations = "observed.h5"\n[channel]\nid = "random_mask"\n')
        self.refused(4, ["/latents/mask is missing"], ["baseline", "mmps", work / "mask.toml", "--prior", work / "first", "--input",
                                                       work / "observed.h5", "--output", bad])
        (work / "steps.toml").write_text('[data]\nobservations = "observed.h5"\n[channel]\nid = "quantise"\n')
        self.refused(2, ["mean and vjp"], ["baseline", "dps", work / "steps.toml", "--guidance", 1, "--prior", work / "first", "--input",
                                           work / "observed.h5", "--output", bad])

    def wait_for(self, process, ready):
        deadline = time.time() + 60
        while not ready() and process.poll() is None and time.time() < deadline:
            time.sleep(0.02)
        self.assertIsNone(process.poll(), "ended before it could be stopped")

    def start(self, arguments):
        return subprocess.Popen([str(program.PROGRAM), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def test_a_stopped_sample_writes_nothing(self):
        process = self.start(["sample", self.work / "first", "--count", 100000000, "--output", self.work / "stopped.h5"])
        self.wait_for(process, lambda: list(self.work.path.glob("*stopped.h5*")))
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, message)
        self.assertIn("nothing was written", message)
        self.assertEqual(list(self.work.path.glob("*stopped.h5*")), [])

    def test_em_goes_on_after_a_kill_as_if_there_had_been_none(self):
        work = self.work
        (work / "quick.toml").write_text(GENERATOR.replace("steps = 800", "steps = 120").replace("checkpoint_every = 400", "checkpoint_every = 10"))

        def em(name):
            return ["baseline", "em", work / "measurement.toml", "--generator", work / "quick.toml", "--rounds", 2, "--steps", 8, "--run", work / name]

        program.expect_ok(*em("straight"))
        process = self.start(em("killed"))
        self.wait_for(process, (work / "killed" / "round_02" / "checkpoints" / "latest.safetensors").exists)
        process.kill()
        process.communicate(timeout=60)
        program.expect_ok(*em("killed"), "--resume")
        self.assertEqual(program.weights(work / "killed" / "round_02"), program.weights(work / "straight" / "round_02"))
        self.assertEqual(len((work / "killed" / "metrics.jsonl").read_text().splitlines()), 2)

    def test_em_finds_the_law_of_signals_from_observations_alone(self):
        import numpy

        work = self.work
        short = GENERATOR.replace("steps = 800", "steps = 300")
        (work / "short.toml").write_text(short)
        em = ["baseline", "em", work / "measurement.toml", "--generator", work / "short.toml", "--run", work / "em", "--start", "gaussian",
              "--steps", 16]
        program.expect_ok(*em, "--rounds", 1)
        self.refused(2, ["already holds rounds"], [*em, "--rounds", 2])
        self.refused(2, ["other settings"], [*em, "--rounds", 2, "--resume", "--key", 9])
        program.expect_ok(*em, "--rounds", 2, "--resume")
        lines = [json.loads(line) for line in (work / "em" / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([(line["step"], line["signals"]) for line in lines], [(1, "gaussian"), (2, "mmps")])
        self.assertLess(lines[-1]["gap_excess_relative"], 0.2)
        program.expect_ok("sample", work / "em", "--count", 5000, "--output", work / "em.h5")
        covariance = numpy.array(FACTOR) @ numpy.array(FACTOR).T
        got = numpy.cov(self.rows("em.h5")[0].T)
        # 2,000 observations: five standard errors √(2 / 2000) (0.81 + 0.25), and 0.05 for the fit; the observations themselves differ by 0.25.
        self.assertLess(numpy.abs(got - covariance).max(), 0.168 + 0.05)


if __name__ == "__main__":
    unittest.main()
