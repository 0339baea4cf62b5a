"""degrade: noise added and written down, reference rows untouched, clear words for files that cannot be used."""

import unittest

import program


def write_spectra(path, count=12, pixels=1024, with_snr=True):
    """Smooth spectra in the layout of unchannel import sdss; every third one is too noisy to be used."""
    import h5py
    import numpy

    generator = numpy.random.default_rng(3)
    x = numpy.linspace(0.0, 6.0, pixels)
    flux = (2.0 + numpy.sin(x)[None, :] * generator.uniform(0.5, 1.0, (count, 1))).astype("f4")
    with h5py.File(path, "w") as file:
        file["observations"] = flux
        file["ivar"] = numpy.full((count, pixels), 100.0, "f4")
        mask = numpy.zeros((count, pixels), "u1")
        mask[:, 500:504] = 1
        file["mask"] = mask
        file["observations"][:, 500:504] = 1e4  # what stands in bad pixels must not leak out of them
        file["redshift"] = numpy.full(count, 2.5)
        if with_snr:
            file["snr"] = numpy.where(numpy.arange(count) % 3 == 0, 2.0, 20.0)
        latents = file.create_group("latents")
        latents["mask"] = mask.astype("f4")
        latents["ivar"] = file["ivar"]
    return flux


class Degrade(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)

    def arguments(self):
        work = self.work
        return ["degrade", program.ROOT / "configs" / "quasar" / "boss.toml", "--input", work / "spectra.h5", "--key", 1, "--output",
                work / "degraded.h5", "--reference", work / "reference.h5"]

    def test_noise_is_as_large_as_the_inverse_variance_says(self):
        import h5py
        import numpy

        flux = write_spectra(self.work / "spectra.h5")
        program.expect_ok(*self.arguments())
        chosen = flux[numpy.arange(12) % 3 != 0]
        with h5py.File(self.work / "degraded.h5") as degraded, h5py.File(self.work / "reference.h5") as reference:
            good = degraded["mask"][:] == 0
            self.assertEqual(good.sum(), 8 * 1020)
            self.assertTrue((reference["observations"][:][good] == chosen[good]).all())
            self.assertTrue(numpy.allclose(degraded["ivar"][:], 100.0 / 9.0))
            self.assertTrue(numpy.array_equal(degraded["latents/ivar"][:], degraded["ivar"][:]))
            # Added variance (3² − 1)/100; 8,160 pixels give it to 1.6 %, and the line spread moves these spectra by less than 1e-4.
            added = numpy.mean((degraded["observations"][:][good] - chosen[good]) ** 2)
            self.assertAlmostEqual(added, 0.08, delta=0.005)

    def test_a_channel_with_noise_of_its_own_is_refused(self):
        write_spectra(self.work / "spectra.h5")
        arguments = self.arguments()
        arguments[1] = program.ROOT / "configs" / "quasar" / "demo.toml"
        code, _, err = program.run(*arguments)
        self.assertEqual(code, 2)
        self.assertIn("ivar", err)
        self.assertFalse((self.work / "degraded.h5").exists())

    def test_an_output_that_cannot_be_written_leaves_neither(self):
        write_spectra(self.work / "spectra.h5")
        arguments = self.arguments()
        arguments[-1] = self.work / "nowhere" / "reference.h5"
        code, _, err = program.run(*arguments)
        self.assertEqual(code, 4)
        self.assertIn("nowhere", err)
        self.assertFalse((self.work / "degraded.h5").exists())

    def test_outputs_that_are_one_file_or_the_input_are_refused(self):
        write_spectra(self.work / "spectra.h5")
        before = (self.work / "spectra.h5").read_bytes()
        for option, name in (("--reference", "degraded.h5"), ("--reference", "spectra.h5"), ("--output", "spectra.h5")):
            arguments = self.arguments()
            arguments[arguments.index(option) + 1] = self.work / name
            code, _, err = program.run(*arguments)
            self.assertEqual(code, 2, err)
            self.assertIn(f"{option} {self.work / name}: is the same file", err)
            self.assertFalse((self.work / "degraded.h5").exists())
        self.assertEqual((self.work / "spectra.h5").read_bytes(), before)

    def test_files_without_noise_columns_are_refused_by_name(self):
        write_spectra(self.work / "spectra.h5", with_snr=False)
        code, _, err = program.run(*self.arguments())
        self.assertEqual(code, 4)
        self.assertIn("snr", err)
        self.assertFalse((self.work / "degraded.h5").exists())


if __name__ == "__main__":
    unittest.main()
