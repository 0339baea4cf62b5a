"""The image experiments in small: every smoke configuration through train, restore and evaluate; simulation on the fly."""

import hashlib
import json
import unittest

import images
import program

CONFIGS = program.ROOT / "configs" / "smoke"


@unittest.skipUnless(images.FASHION.is_dir(), "Fashion-MNIST is not installed: run script/setup")
class FashionMnist(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = program.Workspace()
        images.import_fashion("train", 0, 128, cls.work / "train.h5")
        images.import_fashion("t10k", 0, 16, cls.work / "test.h5")

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    def trains_and_restores(self, name):
        work, config, run = self.work, CONFIGS / f"images_{name}.toml", self.work / name
        program.expect_ok("train", config, "--run", run, "--set", f'data.signals="{work / "train.h5"}"')
        program.expect_ok("simulate", config, "--input", work / "test.h5", "--key", 2, "--output", work / f"{name}_observed.h5")
        program.expect_ok("restore", run, "--input", work / f"{name}_observed.h5", "--output", work / f"{name}_restored.h5")
        program.expect_ok("evaluate", "--truth", work / "test.h5", "--restored", work / f"{name}_restored.h5", "--json", work / f"{name}.json")
        self.assertTrue(json.loads((work / f"{name}.json").read_text()))

    def test_row_3_masking(self):
        self.trains_and_restores("mask")

    def test_row_4_blur(self):
        self.trains_and_restores("blur")

    def test_row_5_photon_noise(self):
        self.trains_and_restores("poisson")

    def test_row_6_motion(self):
        self.trains_and_restores("motion")

    def test_row_7_jpeg(self):
        self.trains_and_restores("jpeg")

    def test_row_8_tomography(self):
        self.trains_and_restores("tomography")


class OnTheFly(unittest.TestCase):
    def setUp(self):
        self.work = program.Workspace()
        self.addCleanup(self.work.close)
        images.write_blobs(self.work / "signals.h5")

    def test_trains_to_the_bits_of_the_simulated_file_latents_included(self):
        work = self.work
        for name in ("mask", "motion", "jpeg", "tomography"):
            with self.subTest(name):
                config, extra = CONFIGS / f"images_{name}.toml", ["--set", "scsi.mixture=0.5"]
                program.expect_ok("simulate", config, "--input", work / "signals.h5", "--key", 9, "--output", work / "observed.h5")
                program.expect_ok("train", config, "--run", work / f"{name}_read", "--set", f'data.signals="{work / "signals.h5"}"', "--set",
                                  "data.simulation_key=9", *extra)
                program.expect_ok("train", config, "--run", work / f"{name}_file", "--set", 'data.signals=""', "--set",
                                  f'data.observations="{work / "observed.h5"}"', "--set", "channel.signal_shape=[1,16,16]", *extra)
                self.assertEqual(program.weights(work / f"{name}_read"), program.weights(work / f"{name}_file"))

    def test_the_oracle_and_a_clean_share_train(self):
        work, config = self.work, CONFIGS / "images_blur.toml"
        signals = ["--set", f'data.signals="{work / "signals.h5"}"']
        program.expect_ok("train", config, "--run", work / "oracle", *signals, "--set", 'start.kind="truth"', "--set", "scsi.refresh_every=0")
        images.write_blobs(work / "clean.h5", key=4)
        program.expect_ok("train", config, "--run", work / "clean", *signals, "--set", f'data.clean_signals="{work / "clean.h5"}"', "--set",
                          "scsi.clean_share=0.25")
        provenance = json.loads((work / "clean" / "provenance.json").read_text())
        self.assertEqual(provenance["signals"], str(work / "signals.h5"))
        self.assertEqual(len(provenance["signals_sha256"]), 64)

    def test_a_run_starts_from_another_one_and_says_from_which(self):
        work, config = self.work, CONFIGS / "images_mask.toml"
        signals = ["--set", f'data.signals="{work / "signals.h5"}"']
        program.expect_ok("train", config, "--run", work / "first", *signals)
        start = ["--set", 'start.kind="run"', "--set", f'start.run="{work / "first"}"', "--set", "channel.parameters.hidden_share=0.25"]
        program.expect_ok("train", config, "--run", work / "second", *signals, *start)
        checkpoint = (work / "first" / "checkpoints" / "latest.safetensors").read_bytes()
        provenance = json.loads((work / "second" / "provenance.json").read_text())
        self.assertEqual(provenance["start_run_checkpoint_sha256"], hashlib.sha256(checkpoint).hexdigest())
        program.expect_ok("simulate", config, "--input", work / "signals.h5", "--key", 5, "--output", work / "observed.h5")
        program.expect_ok("report", work / "second", "--input", work / "observed.h5", "--truth", work / "signals.h5", "--json", work / "report.json")
        rows = {row["method"]: row for row in json.loads((work / "report.json").read_text())["comparison"]["rows"]}
        self.assertTrue(rows["start alone"]["computed"], rows["start alone"])
        for code, fragment, extra in ((2, "model.width = 8", ["--set", "model.width=16"]), (2, "is no run folder", ["--set", 'start.run="nowhere"']),
                                      (2, "start.run must be given", ["--set", 'start.run=""']),
                                      (2, "start.run must be given", ["--set", 'start.kind="observation"'])):
            with self.subTest(fragment):
                got, _, err = program.run("train", config, "--run", work / "bad", *signals, *start, *extra)
                self.assertEqual(got, code, err)
                self.assertIn(fragment, err)
                self.assertFalse((work / "bad").exists())


if __name__ == "__main__":
    unittest.main()
