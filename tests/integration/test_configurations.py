"""Every configuration of the checkout is read whole and its channel runs; the small ones that no other test trains are trained here."""

import tomllib
import unittest

import program
import test_degrade

CONFIGS = program.ROOT / "configs"


def signal_shape(config):
    """The shape of a row that a configuration's channel and network take."""
    if config["channel"]["id"] == "org.unchannel.spectrograph":
        return (1024,)
    if config["model"]["family"] == "unet2d":
        size = 64 if "ct/" in config["data"]["signals"] or "faces/" in config["data"]["signals"] else 28
        return (3 if "cifar10/" in config["data"]["signals"] else 1, size, size)
    return (2,)


def write_signals(path, shape):
    """A few smooth positive rows, with what a channel may want from the data beside them."""
    import h5py
    import numpy

    pixels = int(numpy.prod(shape))
    x = numpy.linspace(0.0, 6.0, pixels)
    rows = (0.6 + 0.3 * numpy.sin(x)[None, :] * numpy.linspace(0.5, 1.0, 4)[:, None]).astype("f4")
    with h5py.File(path, "w") as file:
        file["signals"] = rows.reshape(4, *shape)
        file["latents/ivar"] = numpy.full((4, pixels), 100.0, "f4")
        file["latents/mask"] = numpy.zeros((4, pixels), "f4")


class EveryConfiguration(unittest.TestCase):
    def test_is_read_and_its_channel_observes_signals(self):
        import h5py
        import numpy

        work = program.Workspace()
        self.addCleanup(work.close)
        names = sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.toml"))
        self.assertIn("quasar/high_resolution_low_snr_offset.toml", names)
        self.assertIn("images/mask_small.toml", names)
        for name in names:
            with self.subTest(name):
                config = tomllib.loads((CONFIGS / name).read_text())
                if "channel" not in config:  # a table [theory] alone: test_theory.py computes it
                    self.assertIn("theory", config)
                    continue
                write_signals(work / "signals.h5", signal_shape(config))
                program.expect_ok("simulate", CONFIGS / name, "--input", work / "signals.h5", "--key", 1, "--output", work / "observed.h5")
                with h5py.File(work / "observed.h5") as file:
                    expected = (4, *signal_shape(config))
                    if config["channel"]["id"] == "org.unchannel.tomography":  # as many bins as see every line
                        expected = (4, config["channel"]["parameters"]["views"], file["observations"].shape[2])
                    self.assertEqual(file["observations"].shape, expected)
                    self.assertTrue(numpy.isfinite(file["observations"][:]).all())

    def test_a_mistyped_key_is_found(self):
        work = program.Workspace()
        self.addCleanup(work.close)
        write_signals(work / "signals.h5", (1024,))
        for name in ("quasar/low_resolution_high_snr_offset.toml", "smoke/boss.toml"):
            text = (CONFIGS / name).read_text()
            (work / "mistyped.toml").write_text(text.replace("refresh_rows", "refresh_row", 1))
            code, _, err = program.run("simulate", work / "mistyped.toml", "--input", work / "signals.h5", "--key", 1, "--output",
                                       work / "observed.h5")
            self.assertEqual((code, "Did you mean" in err), (2, True), err)


@unittest.skipUnless(program.real_prior(), "the quasar prior is not downloaded: run script/setup")
class SmokeConfigurations(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)

    def test_two_arms_with_sky_lines_train_and_restore(self):
        self.work.make_data(config="smoke/quasar_arms.toml", count=384, test_count=16)
        program.expect_ok(*self.work.train_arguments(config="smoke/quasar_arms.toml"))
        program.expect_ok("restore", self.work / "run", "--input", self.work / "test_observed.h5", "--output", self.work / "restored.h5")

    def test_boss_trains_on_latents_of_a_survey_and_restores_it(self):
        work = self.work
        test_degrade.write_spectra(work / "spectra.h5")
        program.expect_ok("import", "quasar-prior", program.real_prior(), "--frame", "rest", "--wavelength-min", 1100, "--wavelength-max", 1415,
                          "--count", 320, "--key", 5, "--output", work / "signals.h5")
        program.expect_ok("simulate", CONFIGS / "smoke" / "boss.toml", "--input", work / "signals.h5", "--latents", work / "spectra.h5", "--key", 6,
                          "--output", work / "train_observed.h5")
        program.expect_ok(*work.train_arguments(config="smoke/boss.toml"))
        program.expect_ok("restore", work / "run", "--input", work / "spectra.h5", "--output", work / "restored.h5")


if __name__ == "__main__":
    unittest.main()
