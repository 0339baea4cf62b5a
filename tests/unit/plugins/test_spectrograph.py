"""Arms, resolution tables and sky lines of the spectrograph against dense matrices in float64 (SciPy) and the NumPy twin of the random numbers."""

import os
import pathlib
import sys
import tempfile
import unittest

try:
    import numpy as np
    from scipy.special import ndtr
    from scipy.stats import norm
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)

ROOT = pathlib.Path(os.environ.get("UNCHANNEL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
BUILD = pathlib.Path(os.environ.get("UNCHANNEL_BINARY_DIR", ROOT / "build" / "release"))
sys.path[:0] = [str(ROOT / "plugin-api" / "python"), str(pathlib.Path(__file__).parent)]
import plugin_host  # noqa: E402
import unchannel_random as random  # noqa: E402

LOW, HIGH = 4000.0, 5320.0
FWHM_OVER_SIGMA = 2 * np.sqrt(2 * np.log(2))
RESOLUTION_FACTOR = 6  # the place of the latent among the plugin's
# K: float32 sums and the cut at 5 sigma, 2e-6 of max |x|, plus 1e-6 by interpolation in a table (README); |x| < 6, some margin for m.
ATOL = 2.5e-5
GRADIENT = 2e-5  # K^T of a float32 slope, relative to its largest value


def wavelengths(pixels):
    return LOW * (HIGH / LOW) ** (np.arange(pixels) / (pixels - 1))


def dense(fwhm):
    """K [D, D] for a FWHM in ln(wavelength) for each row: the Gaussian integrated over pixels to 9 sigma, reflected as often as needed."""
    pixels = len(fwhm)
    k = np.zeros((pixels, pixels))
    for i, sigma in enumerate(fwhm / FWHM_OVER_SIGMA / (np.log(HIGH / LOW) / (pixels - 1))):
        if sigma < 1e-3:
            k[i, i] = 1
            continue
        offset = np.arange(-int(9 * sigma + 2), int(9 * sigma + 2) + 1)
        weight = ndtr(-(np.abs(offset) - 0.5) / sigma) - ndtr(-(np.abs(offset) + 0.5) / sigma)
        place = (i + offset) % (2 * pixels)
        np.add.at(k[i], np.where(place < pixels, place, 2 * pixels - 1 - place), weight)
    return k


def by_arm(rows, factors, pixels):
    arm = np.searchsorted([last for _, last, _ in rows[:-1]], wavelengths(pixels), side="right")
    return np.array([row[2] for row in rows])[arm] * np.asarray(factors)[arm]


def by_table(rows, factor, pixels):
    rows = np.asarray(rows)
    return factor * np.interp(np.log(wavelengths(pixels)), np.log(rows[:, 0]), rows[:, 1])


def signals(count, pixels):
    return np.random.default_rng(5).normal(1, 1, (count, pixels)).astype(np.float32)


def text(rows):
    return "".join(" ".join(f"{v!r}" for v in row) + "\n" for row in rows)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.channel = plugin_host.Channel(BUILD / "plugins" / "spectrograph.so")
        self.addCleanup(self.channel.close)

    def file(self, rows):
        path = self.folder / "table.txt"
        path.write_text(rows if isinstance(rows, str) else text(rows))
        return path

    def refused(self, pixels=100, **parameters):
        with self.assertRaises(plugin_host.PluginError) as caught:
            self.channel.configure((pixels,), **parameters)
        return str(caught.exception)


ARMS = {
    "two": [(LOW, 4500.0, 5e-4), (4500.0, HIGH, 1e-3)],
    "wide beside none": [(LOW, 4801.3, 2e-2), (4801.3, HIGH, 0.0)],
    "three, the widths of all loops": [(LOW, 4300.0, 1e-4), (4300.0, 4700.0, 4e-2), (4700.0, 5400.0, 4e-3)],
    "one": [(LOW, HIGH, 2e-3)],
}
TABLES = {
    "linear": [(3900.0, 4e-4), (5400.0, 8e-4)],
    "down and up over the decades": [(LOW, 3e-2), (4500.0, 1e-4), (4700.0, 1e-3), (HIGH, 2e-3)],
    "constant": [(LOW, 1e-3), (HIGH, 1e-3)],
    "below a pixel": [(LOW, 1e-5), (HIGH, 5e-4)],
}


class VaryingResolution(Case):
    def check(self, pixels, kernels, **parameters):
        """mean, simulate, vjp and loglik against K of each sample, made by kernels(factors of the sample)."""
        count, ids = 3, np.arange(40, 43)
        self.channel.configure((pixels,), resolution_relative_spread=0.1, offset_multiplicative_sigma=0.2, offset_additive_sigma=0.3,
                               snr_min=5.0, snr_max=9.0, **parameters)
        latents = self.channel.draw_latents(11, ids)
        arms = latents["resolution_factor"].reshape(count, -1).shape[1]
        key = random.derive(11, random.tag(random.TAG_LATENT, RESOLUTION_FACTOR))
        factors = (1 + 0.1 * (2 * random.uniform(key, ids, (arms,)).astype(np.float64) - 1)).astype(np.float32)
        np.testing.assert_array_equal(latents["resolution_factor"].reshape(count, arms), factors)

        x, cotangent = signals(count, pixels), np.random.default_rng(6).normal(size=(count, pixels)).astype(np.float32)
        noise = random.normal(random.derive(12, random.tag(random.TAG_NOISE, 0)), ids, (pixels,)).astype(np.float64)
        mean, vjp = self.channel.mean(x, latents), self.channel.vjp(x, cotangent, latents)
        y = self.channel.simulate(12, ids, x, latents)
        values, gradient = self.channel.loglik(y, x, latents)
        for i in range(count):
            m, a, snr = (float(latents[name][i]) for name in ("offset_multiplicative", "offset_additive", "snr"))
            k = m * dense(kernels(factors[i].astype(np.float64)))
            wanted = k @ x[i].astype(np.float64) + a
            sigma = np.abs(wanted).mean() / snr
            np.testing.assert_allclose(mean[i], wanted, rtol=0, atol=ATOL)
            np.testing.assert_allclose(y[i], wanted + sigma * noise[i], rtol=0, atol=ATOL)
            np.testing.assert_allclose(vjp[i], k.T @ cotangent[i].astype(np.float64), rtol=0, atol=ATOL)
            residual = (y[i] - wanted) / sigma
            # an error of ATOL in every mean, and of ATOL / snr in sigma
            delta = ATOL / sigma * (np.abs(residual).sum() + ((residual**2).sum() + pixels) / snr)
            self.assertAlmostEqual(values[i], norm.logpdf(y[i], wanted, sigma).sum(), delta=delta)
            by_sigma = ((residual**2).sum() - pixels) / sigma
            slope = residual / sigma + by_sigma * np.sign(wanted) / (pixels * snr)
            np.testing.assert_allclose(gradient[i], k.T @ slope, rtol=0, atol=2 * ATOL / sigma**2 + GRADIENT * np.abs(slope).max())

    def test_arms_are_the_dense_matrix_with_the_width_of_each_output_pixel(self):
        for name, rows in ARMS.items():
            for pixels in (37, 1024):
                with self.subTest(name, pixels=pixels):
                    self.check(pixels, lambda factors: by_arm(rows, factors, pixels), resolution_arms=text(rows))

    def test_tables_are_the_dense_matrix_with_the_width_of_each_output_pixel(self):
        for name, rows in TABLES.items():
            for pixels in (37, 1024):
                with self.subTest(name, pixels=pixels):
                    self.check(pixels, lambda factors: by_table(rows, factors[0], pixels), resolution_table=self.file(rows))

    def test_constants_stay_and_flux_is_conserved_inside_an_arm(self):
        pixels, edge = 1024, 4500.0
        self.channel.configure((pixels,), noise="none", resolution_arms=text(ARMS["two"]))
        latents = self.channel.draw_latents(1, np.arange(1))
        np.testing.assert_allclose(self.channel.mean(np.full((1, pixels), 2.5, np.float32), latents), 2.5, rtol=0, atol=5e-6)
        at = int(np.searchsorted(wavelengths(pixels), edge))
        # 5 sigma of the wider arm are 8 pixels: outside of them a line keeps its flux, the ends of the spectrum included.
        for line, most in ((0, 2e-6), (at - 12, 2e-6), (at + 12, 2e-6), (pixels - 1, 2e-6), (at, 0.2)):
            x = np.zeros((1, pixels), np.float32)
            x[0, line] = 1
            self.assertLess(abs(float(self.channel.mean(x, latents).sum(dtype=np.float64)) - 1), most, line)

    def test_equal_arms_are_the_constant_resolution(self):
        x, pixels = signals(2, 1024), 1024
        self.channel.configure((pixels,), noise="none", resolution_arms=text([(LOW, 4400.0, 2e-2), (4400.0, HIGH, 2e-2)]))
        arms = self.channel.mean(x, self.channel.draw_latents(1, np.arange(2)))
        self.channel.configure((pixels,), noise="none", resolution_delta_ln_lambda=2e-2)
        np.testing.assert_allclose(arms, self.channel.mean(x, {"resolution": np.full(2, 2e-2, np.float32)}), rtol=0, atol=2e-6)

    def test_factors_without_sense_cost_their_sample_only(self):
        self.channel.configure((64,), noise="none", resolution_arms=text(ARMS["two"]))
        factors = np.array([[1, 1], [1, 0], [np.nan, 1], [1, 1e6]], np.float32)
        mean = self.channel.mean(signals(4, 64), {"resolution_factor": factors})
        self.assertEqual(list(self.channel.sample_status), [plugin_host.SAMPLE_OK] + 3 * [plugin_host.SAMPLE_OUT_OF_DOMAIN])
        self.assertTrue((mean[1:] == 0).all() and (mean[0] != 0).all())

    def test_refusals_name_place_rule_value_and_remedy(self):
        for parameter, content, *parts in (
                ("resolution_arms", "4000 4500 5e-4\n# comment\n4500 5320 abc\n", "resolution_arms:3", "\"abc\"", "finite decimal number"),
                ("resolution_arms", "4000 4500 5e-4\n4500 5320\n", "resolution_arms:2", "3 numbers, not 2", "first_angstrom last_angstrom"),
                ("resolution_arms", "4000 5320 5e-4 7\n", "resolution_arms:1", "3 numbers, not more"),
                ("resolution_arms", "4000 5320 nan\n", "resolution_arms:1", "\"nan\""),
                ("resolution_arms", "\n# nothing\n", "holds no line of numbers"),
                ("resolution_arms", "4000 4600 5e-4\n4500 5320 5e-4\n", "resolution_arms:2", "4500", "4600", "cut overlaps"),
                ("resolution_arms", "4600 4000 5e-4\n", "resolution_arms:1", "first < last"),
                ("resolution_arms", "4000 4500 5e-4\n4600 5320 5e-4\n", "resolution_arms:2", "is in no arm", "4600", "cover every pixel"),
                ("resolution_arms", "4000 4500 5e-4\n4500 5300 5e-4\n", "resolution_arms:2", "is in no arm", "5300"),
                ("resolution_arms", "3000 3500 5e-4\n3500 5320 5e-4\n", "resolution_arms:1", "holds no pixel", "Leave it out"),
                ("resolution_arms", "4000 5320 1.5\n", "resolution_arms:1", "from 0 to 1, not 1.5", "1 / resolving power"),
                ("resolution_table", "4000 5e-4\n5320 0\n", "table.txt:2", "above 0", "not 0"),
                ("resolution_table", "4000 5e-4\n4000 6e-4\n5320 5e-4", "table.txt:2", "ascend", "4000 after 4000"),
                ("resolution_table", "4100, 5e-4\n5320, 6e-4\n", "from 4100 to 5320", "4000", "extrapolated"),
                ("resolution_table", "4000 5e-4\n", "2 lines or more", "resolution_delta_ln_lambda = 5e-04"),
                ("sky_line_table", "4358\n", "table.txt:1", "2 numbers, not 1", "centre_angstrom width_angstrom"),
                ("sky_line_table", "4358 0\n", "table.txt:1", "above 0 angstrom", "4358 and 0"),
                ("sky_line_table", "6300 10\n", "none of the 1 sky lines", "4000 and 5320", "sky_lines = \"none\""),
                ("sky_line_table", "5000 5000\n", "cover all 100 pixels"),
        ):
            with self.subTest(content):
                others = {"sky_lines": "table"} if parameter == "sky_line_table" else {}
                said = self.refused(**{parameter: content if parameter == "resolution_arms" else self.file(content)}, **others)
                for part in (*parts, "status 2"):
                    self.assertIn(part, said)

    def test_refuses_contradictions_and_files_that_cannot_be_read(self):
        arms, table = text(ARMS["two"]), self.file(TABLES["linear"])
        self.assertIn("only one of", self.refused(resolution_arms=arms, resolution_delta_ln_lambda=0.001))
        self.assertIn("only one of", self.refused(resolution_arms=arms, resolution_table=table))
        for path in (self.folder, self.folder / "absent.txt"):
            said = self.refused(resolution_table=path)
            self.assertIn("readable text file", said)
            self.assertIn(str(path), said)
        self.assertIn("must go together", self.refused(sky_lines="table"))
        self.assertIn("must go together", self.refused(sky_line_table=table))
        self.assertIn("sky_effect = \"noise\" needs", self.refused(sky_lines="strong_air", sky_effect="noise", noise="ivar"))

    def test_files_may_have_comments_commas_and_carriage_returns(self):
        self.channel.configure((64,), resolution_arms="# Å\r\n4000,4500 , 5e-4 # blue\r\n\r\n\t4500 5320 1e-3")
        self.assertEqual(self.channel.draw_latents(1, np.arange(2))["resolution_factor"].shape, (2, 2))


class SkyLines(Case):
    LINES = [(4358.3, 20.0), (5000.0, 0.01)]

    def masked(self, lines, pixels):
        """[D] bool: some wavelength of the pixel lies in a window."""
        edges = LOW * (HIGH / LOW) ** ((np.arange(pixels + 1) - 0.5) / (pixels - 1))
        return np.any([(edges[:-1] < c + w / 2) & (edges[1:] > c - w / 2) for c, w in lines], axis=0)

    def configure(self, pixels, **parameters):
        self.channel.configure((pixels,), sky_lines="table", sky_line_table=self.file(self.LINES), **parameters)
        hit = self.masked(self.LINES, pixels)
        self.assertTrue(0 < hit.sum() < pixels / 2)
        return hit

    def test_mask_marks_the_pixels_that_a_line_touches_in_every_spectrum(self):
        for pixels in (30, 1024):
            hit = self.configure(pixels)
            mask = self.channel.draw_latents(3, np.arange(4))["sky_mask"]
            np.testing.assert_array_equal(mask, np.tile(hit.astype(np.int32), (4, 1)))

    def test_built_in_lines_are_the_same_in_air_and_vacuum(self):
        def centres(kind, low, high, pixels=200001):
            self.channel.configure((pixels,), sky_lines=kind, sky_line_width_angstrom=0.01, wavelength_min_angstrom=low, wavelength_max_angstrom=high)
            hit = np.flatnonzero(self.channel.draw_latents(1, np.arange(1))["sky_mask"][0])
            return np.array([low * (high / low) ** (run.mean() / (pixels - 1)) for run in np.split(hit, np.flatnonzero(np.diff(hit) > 1) + 1)])

        air, vacuum = centres("strong_air", 4000.0, 6500.0), centres("strong_vacuum", 4000.0, 6500.0)
        np.testing.assert_allclose(air, [4046.565, 4358.335, 5460.750, 5577.339, 5889.951, 5895.924, 6300.304, 6363.776], rtol=0, atol=0.02)
        # Refraction of standard air by Ciddor (1996), wave number in 1 / micrometre
        s2 = (1e4 / vacuum) ** 2
        index = 1 + 0.05792105 / (238.0185 - s2) + 0.00167917 / (57.362 - s2)
        np.testing.assert_allclose(vacuum / index, air, rtol=0, atol=0.02)

    def test_masked_pixels_carry_no_information(self):
        for noise in ("snr", "none", "ivar"):
            with self.subTest(noise):
                pixels, ids = 512, np.arange(200)
                hit = self.configure(pixels, noise=noise, snr_min=20.0, snr_max=20.0, resolution_arms=text(ARMS["two"]))
                latents = {"resolution_factor": np.ones((200, 2), np.float32), "snr": np.full(200, 20, np.float32),
                           "sky_mask": np.tile(hit.astype(np.int32), (200, 1))}
                survey = np.zeros(pixels, bool)
                if noise == "ivar":
                    survey[5] = True
                    latents |= {"ivar": np.full((200, pixels), 100, np.float32), "mask": np.tile(survey.astype(np.int32), (200, 1))}
                out = hit | survey
                x, c = signals(200, pixels), np.random.default_rng(2).normal(size=(200, pixels)).astype(np.float32)
                k = dense(by_arm(ARMS["two"], (1, 1), pixels))
                mean = x.astype(np.float64) @ k.T
                np.testing.assert_allclose(self.channel.mean(x, latents), np.where(out, 0, mean), rtol=0, atol=ATOL)
                np.testing.assert_allclose(self.channel.vjp(x, c, latents), np.where(out, 0, c.astype(np.float64)) @ k, rtol=0, atol=ATOL)
                y = self.channel.simulate(7, ids, x, latents)
                fill = y[:, out].ravel().astype(np.float64)
                # standard normal: mean and variance within 4 standard errors
                self.assertLess(abs(fill.mean()), 4 / np.sqrt(fill.size))
                self.assertLess(abs(fill.var() - 1), 4 * np.sqrt(2 / fill.size))
                # a pure function of the observed pixels: what a survey left there does not matter
                spoilt = y.copy()
                spoilt[:, out] = np.nan
                np.testing.assert_array_equal(self.channel.lift(spoilt, latents), y)
                without = {name: rows for name, rows in latents.items() if name in ("ivar", "mask")}  # what is hidden is not given
                np.testing.assert_array_equal(self.channel.lift(spoilt, without), y)
                if noise == "none":
                    self.assertFalse(self.channel.offers("loglik/1"))
                    continue
                sigma = np.abs(mean).mean(axis=1, keepdims=True) / 20 if noise == "snr" else 0.1
                wanted = np.where(out, 0, norm.logpdf(y, mean, sigma)).sum(axis=1)
                values, gradient = self.channel.loglik(y, x, latents)
                np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=0.05)
                slope = np.where(out, 0, (y - mean) / sigma**2)
                if noise == "snr":  # sigma follows all pixels of the mean
                    by_sigma = (slope * (y - mean) / sigma - ~out / sigma).sum(axis=1, keepdims=True)
                    slope += by_sigma * np.sign(mean) / (20 * pixels)
                np.testing.assert_allclose(gradient, slope @ k, rtol=0, atol=1e-4 * np.abs(slope).max())
                moved = y.copy()
                moved[:, out] += 1
                np.testing.assert_array_equal(self.channel.loglik(moved, x, latents)[0], values)

    def test_noise_is_raised_by_the_factor_under_the_lines_only(self):
        pixels, ids = 512, np.arange(3)
        hit = self.configure(pixels, sky_effect="noise", sky_noise_factor=7.0)
        self.assertFalse(self.channel.offers("lift/1"))
        latents, x = self.channel.draw_latents(1, ids), signals(3, pixels)
        y = self.channel.simulate(2, ids, x, latents)
        noise = random.normal(random.derive(2, random.tag(random.TAG_NOISE, 0)), ids, (pixels,)).astype(np.float64)
        scale = np.abs(x.astype(np.float64)).mean(axis=1, keepdims=True) / latents["snr"][:, None]
        sigma = scale * np.where(hit, 7, 1)
        np.testing.assert_allclose(y, x + sigma * noise, rtol=2e-6, atol=1e-5)
        np.testing.assert_array_equal(self.channel.mean(x, latents), x)
        values, gradient = self.channel.loglik(y, x, latents)
        np.testing.assert_allclose(values, norm.logpdf(y, x, sigma).sum(axis=1), rtol=1e-5)
        residual = (y - x) / sigma
        by_scale = ((residual**2).sum(axis=1, keepdims=True) - pixels) / scale
        slope = residual / sigma + by_scale * np.sign(x) / (pixels * latents["snr"][:, None])
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-5 * np.abs(slope).max())

    def test_a_mask_that_comes_with_the_data_counts_instead_of_the_configured_lines(self):
        pixels = 128
        self.configure(pixels, noise="none")
        own = np.zeros((1, pixels), np.int32)
        own[0, 77] = 4
        x = signals(1, pixels)
        np.testing.assert_array_equal(self.channel.mean(x, {"sky_mask": own}), np.where(own != 0, 0, x))


if __name__ == "__main__":
    unittest.main()
