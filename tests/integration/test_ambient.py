"""Ambient diffusion: trained on masked signals alone, against the closed form of Gaussian ones; stopping, drawing, refusing."""

import hashlib
import json
import subprocess
import time
import unittest

import program

LENGTH = 3
SIGMA = 0.2
ROWS = 20000

CONFIG = f"""
[data]
observations = "observed.h5"
early_stop_rows = 2048
test_rows = 64
[channel]
id = "random_mask"
[channel.parameters]
hidden_share = 0.4
noise_sigma = {SIGMA}
[channel.latents.mask]
visible = true
[interpolant]
time_levels = 32
[model]
space = "elements"
width = 64
depth = 1
[start]
kind = "observation"
[scsi]
steps = 1500
batch = 256
resamples = 2
[optimiser]
learning_rate = 0.005
final_learning_rate_share = 0.02
ema_horizon_steps = 50.0
[run]
threads = 1
evaluate_every = 500
checkpoint_every = 20
"""


def law():
    """Mean and covariance of the signals: neighbours alike."""
    import numpy

    place = numpy.arange(LENGTH)
    return numpy.sin(0.9 * place) + 0.5, numpy.exp(-0.1 * (place[:, None] - place) ** 2) + 0.05 * numpy.eye(LENGTH)


class Ambient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import h5py
        import numpy

        cls.work = program.Workspace()
        mean, covariance = law()
        draws = numpy.random.default_rng(1).standard_normal((ROWS + 1000, LENGTH)) @ numpy.linalg.cholesky(covariance).T + mean
        (cls.work / "ambient.toml").write_text(CONFIG)
        for name, observed, rows in (("signals", "observed", draws[:ROWS]), ("truth", "test", draws[ROWS:])):
            with h5py.File(cls.work / f"{name}.h5", "w") as file:
                file["signals"] = rows.astype("f4")
                file["object_id"] = numpy.arange(len(rows)) + 70
            program.expect_ok("simulate", cls.work / "ambient.toml", "--input", cls.work / f"{name}.h5", "--key", len(rows), "--output",
                              cls.work / f"{observed}.h5")
        program.expect_ok(*cls.arguments("run"))

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @classmethod
    def arguments(cls, run, *extra):
        return ["baseline", "ambient", cls.work / "ambient.toml", "--run", cls.work / run, *extra]

    def rows(self, name):
        import h5py

        with h5py.File(self.work / name) as file:
            return file["signals"][:].astype("f8"), list(file["object_id"]), file.attrs["origin"]

    def observed(self):
        import h5py

        with h5py.File(self.work / "test.h5") as file:
            return file["observations"][:].astype("f8"), file["latents/mask"][:] == 1

    def test_hidden_pixels_are_restored_by_their_posterior_mean(self):
        import h5py
        import numpy

        program.expect_ok(*self.arguments("run", "--input", self.work / "test.h5", "--output", self.work / "restored.h5"))
        restored, ids, origin = self.rows("restored.h5")
        self.assertEqual(ids, [i + 70 for i in range(1000)])
        self.assertIn("posterior mean of hidden pixels", origin)
        y, seen = self.observed()
        numpy.testing.assert_array_equal(restored[seen], y[seen])
        with h5py.File(self.work / "truth.h5") as file:
            truth = file["signals"][:].astype("f8")
        mean, covariance = law()
        exact = numpy.empty_like(y)
        for i, kept in enumerate(seen):
            noisy = covariance[numpy.ix_(kept, kept)] + SIGMA**2 * numpy.eye(kept.sum())
            exact[i] = mean + covariance[:, kept] @ numpy.linalg.solve(noisy, y[i, kept] - mean[kept])

        def distance(a, b):
            return numpy.sqrt(((a - b)[~seen] ** 2).mean())

        # Nothing has a smaller error than the posterior mean, 0.66. A perceptron of this size learns a different linear map for each mask only
        # roughly in 1,500 steps: a quarter of the way that the mean of the signals is off, and a twentieth of the error, are left to it.
        self.assertGreater(distance(mean, exact), 0.65)
        self.assertLess(distance(restored, exact), 0.25)
        self.assertLess(distance(restored, truth), 1.05 * distance(exact, truth))

    def test_the_error_of_thinned_pixels_is_logged_without_clean_data(self):
        lines = [json.loads(line) for line in (self.work / "run" / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in lines], [500, 1000, 1500])
        self.assertLess(lines[-1]["thinned_pixels_rmse"], 0.94)  # three standard errors of 370 pixels below 1.04, the deviation
        self.assertGreater(lines[-1]["thinned_pixels_rmse"], 0.6)  # posterior deviation and noise with both neighbours shown are 0.69

    def test_goes_on_after_a_kill_as_if_there_had_been_none(self):
        arguments = [str(program.PROGRAM), *map(str, self.arguments("killed"))]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        checkpoint = self.work / "killed" / "checkpoints" / "ambient.safetensors"
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        program.expect_ok(*self.arguments("killed"))

        def tensors(run):
            content = (self.work / run / "checkpoints" / "ambient.safetensors").read_bytes()
            return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little"):]).hexdigest()

        self.assertEqual(tensors("killed"), tensors("run"))

    def test_new_signals_follow_the_law_where_their_masks_show_them(self):
        import numpy

        program.expect_ok(*self.arguments("run", "--count", 4000, "--output", self.work / "new.h5"))
        signals, ids, origin = self.rows("new.h5")
        self.assertEqual(ids, list(range(4000)))
        self.assertIn("32 steps", origin)
        mean, covariance = law()
        # Five standard errors, √(1.09 / 4000), and 0.1 for the fit.
        self.assertLess(numpy.abs(signals.mean(0) - mean).max(), 0.08 + 0.1)
        # Shown pixels, 0.54 of all, have the variance of x + noise; hidden ones that of their conditional mean, which is less.
        spread = signals.var(0).mean()
        self.assertLess(spread, covariance[0, 0] + SIGMA**2 + 0.05)
        self.assertGreater(spread, 0.54 * covariance[0, 0])
        program.expect_ok(*self.arguments("run", "--count", 5, "--output", self.work / "few.h5"))
        self.assertLess(numpy.abs(self.rows("few.h5")[0] - signals[:5]).max(), 1e-4)  # products of other sizes round differently

    def test_guidance_pulls_draws_towards_the_observation(self):
        import numpy

        y, seen = self.observed()
        misfits = []
        for guidance in (0, 0.5):
            program.expect_ok(*self.arguments("run", "--input", self.work / "test.h5", "--guidance", guidance, "--output", self.work / "drawn.h5"))
            drawn, _, origin = self.rows("drawn.h5")
            self.assertIn(f"guidance {guidance}", origin)
            misfits.append(numpy.sqrt(((drawn - y)[seen] ** 2).mean()))
        self.assertGreater(misfits[0], 1.2)  # independent draws: √2 deviations apart
        self.assertLess(misfits[1], 0.5 * misfits[0])

    def test_refuses_what_it_cannot_do_and_leaves_nothing(self):
        work, bad = self.work, self.work / "bad.h5"
        (work / "awgn.toml").write_text('[data]\nobservations = "observed.h5"\n[channel]\nid = "awgn"\n')
        (work / "unseen.toml").write_text(CONFIG.replace("visible = true", "visible = false"))
        fresh = ["--run", work / "fresh"]
        cases = ((["baseline", "ambient", work / "awgn.toml", *fresh], ["channel.id is 'awgn'", "random_mask"]),
                 (["baseline", "ambient", work / "unseen.toml", *fresh], ["not visible", "channel.latents.mask"]),
                 (self.arguments("fresh", "--set", "model.members=2"), ["model.members = 2"]),
                 (self.arguments("run", "--delta", 0.2, "--count", 3, "--output", bad), ["other settings (delta 0.1)", "--run"]),
                 (self.arguments("run", "--set", "scsi.steps=1600"), ["other settings"]),
                 (self.arguments("run", "--count", 3), ["--output"]),
                 (self.arguments("run", "--output", bad), ["--input or --count"]),
                 (self.arguments("run", "--count", 3, "--input", work / "test.h5", "--output", bad), ["give one of them"]),
                 (self.arguments("run", "--count", 3, "--guidance", 1, "--output", bad), ["--input"]),
                 (self.arguments("run", "--steps", 8, "--input", work / "test.h5", "--output", bad), ["one network call"]),
                 (self.arguments("run", "--count", 3, "--steps", 31, "--output", bad), ["time_levels = 32", "Use 16"]))
        for arguments, fragments in cases:
            with self.subTest(fragments[0]):
                code, _, err = program.run(*arguments)
                self.assertEqual(code, 2, err)
                for fragment in fragments:
                    self.assertIn(fragment, err)
                self.assertFalse(bad.exists())
                self.assertFalse((work / "fresh" / "config.resolved.toml").exists())


if __name__ == "__main__":
    unittest.main()
