"""Wrong image files and settings: one message that names place and remedy, the documented exit code, nothing half-written."""

import shutil
import unittest

import images
import program

CONFIG = program.ROOT / "configs" / "smoke" / "images_mask.toml"


class BadImages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = work = program.Workspace()
        images.write_blobs(work / "signals.h5")
        images.write_blobs(work / "large.h5", size=32)
        images.write_blobs(work / "colour.h5", planes=3)
        for name in ("signals", "large", "colour"):
            program.expect_ok("simulate", CONFIG, "--input", work / f"{name}.h5", "--key", 1, "--output", work / f"{name}_observed.h5")
        program.expect_ok("train", CONFIG, "--run", work / "good", *cls.source())

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @classmethod
    def source(cls, name="signals"):
        return ["--set", f'data.signals="{cls.work / name}.h5"']

    def observed(self, path):
        return ["--set", 'data.signals=""', "--set", f'data.observations="{path}"']

    def changed(self, change):
        """The observations with a change to the open file."""
        import h5py

        path = self.work / "changed.h5"
        shutil.copy(self.work / "signals_observed.h5", path)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    def refuse(self, code, fragments, *arguments):
        got, out, err = program.run(*arguments)
        self.assertEqual(got, code, f"{out}\n{err}")
        for fragment in fragments:
            self.assertIn(fragment, err)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("unchannel:")]), 1, err)

    def refuse_training(self, code, fragments, *options):
        self.refuse(code, fragments, "train", CONFIG, "--run", self.work / "bad", *options)
        self.assertFalse((self.work / "bad" / "config.resolved.toml").exists())

    def test_latents_that_are_missing(self):
        path = self.changed(lambda file: file.__delitem__("latents/mask"))
        self.refuse_training(4, ["changed.h5", "/latents/mask is missing", "visible to the model"], *self.observed(path))
        self.refuse(4, ["changed.h5", "/latents/mask is missing"], "restore", self.work / "good", "--input", path, "--output", self.work / "x.h5")
        self.assertFalse((self.work / "x.h5").exists())

    def test_latents_of_another_shape(self):
        import numpy

        def shrink(file):
            del file["latents/mask"]
            file["latents/mask"] = numpy.ones((96, 1, 8, 8), "f4")

        path = self.changed(shrink)
        self.refuse_training(4, ["changed.h5", "/latents/mask has 64 values a row", "256"], *self.observed(path))
        self.refuse(4, ["changed.h5", "64 values a row"], "restore", self.work / "good", "--input", path, "--output", self.work / "x.h5")

    def test_latents_of_the_data_that_signals_do_not_have(self):
        self.refuse_training(4, ["signals.h5", "/latents/mask is missing", "every signal"], *self.source(), "--set",
                             'channel.latents.mask.source="own"')

    def test_images_of_another_size(self):
        for name, shape in (("large", "[1, 32, 32]"), ("colour", "[3, 16, 16]")):
            self.refuse(4, [f"{name}_observed.h5", shape, "[1, 16, 16]", "good"], "restore", self.work / "good", "--input",
                        self.work / f"{name}_observed.h5", "--output", self.work / "x.h5")
            self.refuse_training(4, [f"{name}.h5", "256"], *self.source(), "--set", f'data.clean_signals="{self.work / name}.h5"', "--set",
                                 "scsi.clean_share=0.5")

    def test_sizes_that_cannot_be_halved(self):
        images.write_blobs(self.work / "odd.h5", size=18)
        self.refuse(2, ["model.multipliers has 3 levels", "divisible by 4", "18 x 18", "Use fewer levels"], "train", CONFIG, "--run", self.work / "odd",
                    *self.source("odd"), "--set", "model.multipliers=[1,2,2]")

    def test_a_checkpoint_of_another_configuration(self):
        self.refuse(2, ["good", "other settings", "config.resolved.toml"], "train", CONFIG, "--run", self.work / "good", "--resume", *self.source(),
                    "--set", "model.width=16")
        mixed = self.work / "mixed"
        shutil.copytree(self.work / "good", mixed)
        resolved = mixed / "config.resolved.toml"
        text = resolved.read_text()
        self.assertIn("width = 8", text)
        resolved.write_text(text.replace("width = 8", "width = 16", 1))
        self.refuse(4, ["another configuration", "config.resolved.toml"], "restore", mixed, "--input", self.work / "signals_observed.h5", "--output",
                    self.work / "x.h5")

    def test_both_or_no_source_of_observations(self):
        self.refuse_training(2, ["data.observations and data.signals", "exactly one"], *self.source(), "--set", 'data.observations="x.h5"')
        self.refuse_training(2, ["data.observations is missing"], "--set", 'data.signals=""')

    def test_rows_beyond_the_file(self):
        self.refuse_training(2, ["signals.h5", "data.first_row = 90 and data.rows = 7", "96 rows"], *self.source(), "--set", "data.first_row=90",
                             "--set", "data.rows=7")

    def test_truth_without_signals(self):
        self.refuse_training(2, ['start.kind = "truth"', "data.signals"], *self.observed(self.work / "signals_observed.h5"), "--set",
                             'start.kind="truth"')


if __name__ == "__main__":
    unittest.main()
