"""Posterior samplers of small Gaussian runs against the closed form, and what the commands refuse."""

import json
import shutil
import unittest

import program

MEAN = (0.5, -0.3)
FACTOR = ((0.9, 0.0), (0.5, 0.4))  # x = mean + factor n
SIGMA = 0.8
ROWS = 3000
DRAWS = 40

CONFIG = """
[data]
observations = "observed.h5"
early_stop_rows = 64
test_rows = 64
[channel]
id = "awgn"
[channel.parameters]
sigma = SIGMA
[interpolant]
time_levels = 8
[transport]
restore_steps = 8
[model]
space = "basis"
width = 32
depth = 1
precision = "float32"
[start]
components = 2
rounds = 4
em_steps = 10
probes = 2048
weighting = "none"
[scsi]
steps = 60
batch = 100
pool = 2000
[optimiser]
learning_rate = 0.001
[verdict]
replicas = 0
[run]
threads = 1
evaluate_every = 30
checkpoint_every = 30
""".replace("SIGMA", str(SIGMA))

SAMPLER = ["--set", "posterior.steps=60", "--set", "posterior.batch=100", "--set", "posterior.held_out_rows=200", "--set", "posterior.calibration_samples=19",
           "--set", "posterior.solver_steps=4"]


class Posterior(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import h5py
        import numpy

        cls.work = program.Workspace()
        draws = numpy.random.default_rng(1).standard_normal((ROWS, 2)) @ numpy.array(FACTOR).T + numpy.array(MEAN)
        with h5py.File(cls.work / "truth.h5", "w") as file:
            file["signals"] = draws.astype("f4")
            file["object_id"] = numpy.arange(ROWS) + 70
        (cls.work / "c.toml").write_text(CONFIG)
        program.expect_ok("simulate", cls.work / "c.toml", "--input", cls.work / "truth.h5", "--key", 2, "--output", cls.work / "observed.h5")
        program.expect_ok("train", cls.work / "c.toml", "--run", cls.work / "run")
        program.expect_ok("posterior", cls.work / "run", *SAMPLER)

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def restore(self, run, output, *extra):
        return ["restore", self.work / run, "--input", self.work / "observed.h5", "--output", self.work / output, *extra]

    def refused(self, fragments, arguments):
        got, _, err = program.run(*arguments)
        self.assertEqual(got, 2, err)
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertFalse((self.work / "bad.h5").exists())

    def copy(self, name):
        shutil.copytree(self.work / "run", self.work / name)
        return self.work / name

    def test_draws_have_the_closed_form_posterior(self):
        import h5py
        import numpy

        program.expect_ok(*self.restore("run", "draws.h5", "--posterior", "--samples", DRAWS))
        program.expect_ok(*self.restore("run", "mean.h5", "--posterior", "--samples", DRAWS, "--summary"))
        program.expect_ok(*self.restore("run", "call.h5", "--posterior", "--one-call"))
        with h5py.File(self.work / "draws.h5") as file, h5py.File(self.work / "observed.h5") as observed:
            draws, y = file["signals"][:].astype("f8"), observed["observations"][:].astype("f8")
            self.assertIn("own uncertainty is not in their spread", file.attrs["uncertainty"])
        self.assertEqual(draws.shape, (ROWS, DRAWS, 2))
        factor = numpy.array(FACTOR)
        c = factor @ factor.T
        gain = c @ numpy.linalg.inv(c + SIGMA**2 * numpy.eye(2))
        exact, covariance = numpy.array(MEAN) + (y - MEAN) @ gain.T, c - gain @ c
        # The learnt prior is that of 3,000 observations, √2 σ²/√3000 ≈ 0.03 a variance, and short fits: 0.1 of 0.37 a spread, 0.12 of the mean.
        scatter = draws - draws.mean(1, keepdims=True)
        learnt = numpy.einsum("nsi,nsj->ij", scatter, scatter) / (ROWS * (DRAWS - 1))
        self.assertLess(numpy.abs(learnt - covariance).max(), 0.1, (learnt, covariance))
        self.assertLess(numpy.sqrt(((draws.mean(1) - exact) ** 2).mean()), 0.12)
        with h5py.File(self.work / "mean.h5") as file:
            self.assertLess(numpy.abs(file["signals"][:] - draws.mean(1)).max(), 1e-5)
            self.assertLess(numpy.abs(file["ivar"][:] * draws.var(1, ddof=1) - 1).max(), 1e-3)
        with h5py.File(self.work / "call.h5") as file:
            self.assertLess(numpy.sqrt(((file["signals"][:] - exact) ** 2).mean()), 0.12)
        out = program.expect_ok("evaluate", "--truth", self.work / "truth.h5", "--restored", self.work / "draws.h5", "--json", self.work / "e.json")
        self.assertIn("40 draws an object", str(out))
        figures = json.loads((self.work / "e.json").read_text())["draws"]
        # A spread wrong by 0.1 of 0.37, as above, moves the coverage by up to 8 and 7 points.
        self.assertAlmostEqual(figures["coverage_50"]["value"], 0.5, delta=0.08)
        self.assertAlmostEqual(figures["coverage_90"]["value"], 0.9, delta=0.07)

    def test_shards_of_a_summary_are_joined_to_the_whole_with_its_variances(self):
        import h5py
        import numpy

        summary = ["--posterior", "--samples", 3, "--summary"]
        parts = [self.work / f"part_{part}.h5" for part in (1, 2)]
        for part, output in enumerate(parts, 1):
            program.expect_ok(*self.restore("run", output.name, *summary, "--shard", f"{part}/2"))
        program.expect_ok("join", *parts, "--output", self.work / "joined.h5")
        program.expect_ok(*self.restore("run", "in_one.h5", *summary))
        with h5py.File(self.work / "joined.h5") as joined, h5py.File(self.work / "in_one.h5") as whole:
            self.assertEqual(sorted(joined), sorted(whole))
            for name in ("signals", "ivar", "object_id"):
                self.assertTrue(numpy.array_equal(joined[name][:], whole[name][:]), name)
            self.assertEqual(joined.attrs["uncertainty"], whole.attrs["uncertainty"])

    def test_calibration_is_written_and_a_finished_sampler_resumes_to_the_same(self):
        first = json.loads((self.work / "run" / "posterior" / "calibration.json").read_text())
        self.assertEqual((first["pairs"], first["samples"]), (200, 19))
        program.expect_ok("posterior", self.work / "run", *SAMPLER, "--resume")
        self.assertEqual(json.loads((self.work / "run" / "posterior" / "calibration.json").read_text()), first)
        self.refused(["begun with other settings"], ["posterior", self.work / "run", "--resume", "--set", "posterior.steps=70"])
        self.refused(["already holds a run"], ["posterior", self.work / "run", *SAMPLER])

    def test_a_sampler_of_another_checkpoint_or_channel_is_refused(self):
        run = self.copy("other")
        provenance = run / "posterior" / "provenance.json"
        facts = json.loads(provenance.read_text())
        provenance.write_text(json.dumps({**facts, "run_checkpoint_sha256": "0" * 64}))
        self.refused(["another checkpoint", "unchannel posterior"], self.restore("other", "bad.h5", "--posterior"))
        facts["channel"]["parameters"] = {"sigma": 0.7}
        provenance.write_text(json.dumps(facts))
        self.refused(["another channel", "unchannel posterior"], self.restore("other", "bad.h5", "--posterior"))

    def test_what_cannot_be_pooled_or_cross_fitted_is_refused(self):
        self.copy("twin")
        self.refused(["same run.key"], self.restore("run", "bad.h5", "--posterior", "--samples", 4, "--ensemble", self.work / "twin"))
        self.refused(["add --posterior"], self.restore("run", "bad.h5", "--ensemble", self.work / "twin"))
        self.refused(["single network", "model.members"], self.restore("run", "bad.h5", "--cross-fit"))
        self.refused(["--posterior --samples"], self.restore("run", "bad.h5", "--summary"))
        self.refused(["unchannel posterior"], self.restore("run", "bad.h5", "--samples", 4))

    def test_committee_restores_its_own_rows_cross_fitted_and_pools_with_another_run(self):
        import h5py
        import numpy

        program.expect_ok("train", self.work / "c.toml", "--run", self.work / "two", "--set", "model.members=2", "--set", "run.key=2")
        program.expect_ok("posterior", self.work / "two", *SAMPLER)
        program.expect_ok(*self.restore("two", "plain.h5"))
        program.expect_ok(*self.restore("two", "cross.h5", "--cross-fit"))
        program.expect_ok(*self.restore("two", "cross_draws.h5", "--cross-fit", "--posterior", "--samples", 2))
        with h5py.File(self.work / "plain.h5") as plain, h5py.File(self.work / "cross.h5") as cross:
            self.assertGreater(numpy.abs(plain["signals"][:] - cross["signals"][:]).max(), 0)
            self.assertIn("cross-fit", cross.attrs["origin"])
        with h5py.File(self.work / "observed.h5", "r") as observed, h5py.File(self.work / "part.h5", "w") as part:
            part["observations"] = observed["observations"][:50]
        self.refused(["is not the file that"], ["restore", self.work / "two", "--cross-fit", "--input", self.work / "part.h5", "--output", self.work / "bad.h5"])
        program.expect_ok(*self.restore("run", "pooled.h5", "--posterior", "--samples", 4, "--ensemble", self.work / "two"))
        with h5py.File(self.work / "pooled.h5") as file:
            self.assertEqual(file["signals"].shape, (ROWS, 4, 2))
            self.assertIn("pooled over 2 runs", file.attrs["uncertainty"])


if __name__ == "__main__":
    unittest.main()
