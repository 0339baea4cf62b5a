"""unchannel report on runs of images: the grid of examples, figures for images, other restorations and other clean signals."""

import base64
import io
import json
import re
import shutil
import unittest

import images
import program

CONFIGS = program.ROOT / "configs" / "smoke"
OBJECTS, SIZE = 24, 16


def add_ids(path, first):
    import h5py

    with h5py.File(path, "r+") as file:
        file["object_id"] = range(first, first + len(file["signals"]))


def figures(report):
    return {row["method"]: row for row in report["comparison"]["rows"]}


class ImageReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = work = program.Workspace()
        for name, count, key in (("train", 96, 3), ("truth", OBJECTS, 4), ("other", 3 * OBJECTS, 5), ("few", 3 * OBJECTS - 1, 6)):
            images.write_blobs(work / f"{name}.h5", count=count, size=SIZE, key=key)
        add_ids(work / "truth.h5", 100)
        images.write_blobs(work / "small.h5", count=OBJECTS, size=12)
        add_ids(work / "small.h5", 100)
        cls.prepare("mask")
        program.expect_ok("restore", work / "mask", "--input", work / "mask_observed.h5", "--output", work / "restored.h5")

    @classmethod
    def tearDownClass(cls):
        cls.work.close()

    @classmethod
    def prepare(cls, name, *settings):
        """A run of the smoke configuration, and observations of the truth."""
        work, config = cls.work, CONFIGS / f"images_{name}.toml"
        program.expect_ok("train", config, "--run", work / name, "--set", f'data.signals="{work / "train.h5"}"', *settings)
        program.expect_ok("simulate", config, "--input", work / "truth.h5", "--key", 2, "--output", work / f"{name}_observed.h5")

    def arguments(self, name, *more):
        work = self.work
        return ["report", work / name, "--input", work / f"{name}_observed.h5", "--truth", work / "truth.h5", "--json", work / "report.json",
                "--output", work / "report.html", *more]

    def report(self, name, *more):
        program.expect_ok(*self.arguments(name, *more))
        return json.loads((self.work / "report.json").read_text()), (self.work / "report.html").read_text()

    def shuffled_restorations(self):
        """The run's own restorations in another order."""
        import h5py
        import numpy

        path = self.work / "shuffled.h5"
        with h5py.File(self.work / "restored.h5") as source, h5py.File(path, "w") as target:
            order = numpy.random.default_rng(1).permutation(OBJECTS)
            for name in ("signals", "object_id"):
                target[name] = source[name][:][order]
        return path

    def test_has_psnr_and_similarity_as_evaluate_and_the_law_of_the_reference(self):
        report, page = self.report("mask", "--reference", self.work / "other.h5")
        program.expect_ok("evaluate", "--truth", self.work / "truth.h5", "--restored", self.work / "restored.h5", "--reference",
                          self.work / "other.h5", "--json", self.work / "figures.json")
        expected = json.loads((self.work / "figures.json").read_text())["results"]["restored"]
        row = figures(report)["SCSI"]
        self.assertAlmostEqual(row["psnr_db"]["value"], expected["psnr_db"], places=6)
        self.assertAlmostEqual(row["ssim"]["value"], expected["ssim"], places=9)
        # The report projects the reference by blocks: float32 sums in another order.
        self.assertAlmostEqual(row["excess_sliced_w2_data_units"], expected["excess_sliced_w2_data_units"], places=4)
        self.assertEqual(report["comparison"]["reference_rows"], 2 * OBJECTS)
        self.assertEqual(("PSNR" in page, "Lyα" in page, "exact posterior" in page), (True, False, False))

    def test_rows_of_other_files_are_matched_by_object_id(self):
        report, page = self.report("mask", "--compare", f"A & B={self.shuffled_restorations()}")
        rows = figures(report)
        self.assertAlmostEqual(rows["A & B"]["rmse_data_units"]["value"], rows["SCSI"]["rmse_data_units"]["value"], places=6)
        self.assertEqual(report["images"]["labels"], ["observed", "restored", "A & B", "truth"])
        self.assertTrue("A &amp; B</text>" in page)

    def test_the_picture_shows_the_values_of_evenly_spread_objects(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("Pillow is not installed")
        import h5py
        import numpy

        report, page = self.report("mask")
        self.assertEqual(report["images"]["object_ids"], [100, 103, 106, 109, 113, 116, 119, 123])
        self.assertEqual((report["images"]["black_data_units"], report["images"]["white_data_units"]), (-1, 1))
        data = re.search(r'href="data:image/png;base64,([^"]+)"', page).group(1)
        picture = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        factor, gap = 7, 4
        cell = factor * SIZE + gap
        self.assertEqual(picture.shape, (3 * cell + gap, 8 * cell + gap))
        with h5py.File(self.work / "truth.h5") as file:
            truth = file["signals"][23, 0].astype("f8")
        with h5py.File(self.work / "mask_observed.h5") as file:
            hidden = file["latents/mask"][23].reshape(SIZE, SIZE) == 0
        shown = picture[2 * cell + gap:3 * cell, 7 * cell + gap:8 * cell][factor // 2::factor, factor // 2::factor]
        self.assertLessEqual(numpy.abs(shown - 255 * (truth + 1) / 2).max(), 0.501)
        observed = picture[gap:cell, 7 * cell + gap:8 * cell][factor // 2::factor, factor // 2::factor]
        self.assertTrue(hidden.any() and (observed[hidden] == 128).all())
        self.assertLessEqual(numpy.abs(observed - 255 * (truth + 1) / 2)[~hidden].max(), 0.501)

    def test_every_object_has_a_p_value_under_its_id(self):
        report, _ = self.report("mask")
        self.assertEqual([value["object_id"] for value in report["p_values"]], list(range(100, 100 + OBJECTS)))

    def test_every_channel_gives_a_page_and_every_row_a_figure_or_a_reason(self):
        missing = {"blur": set(), "motion": {"linear-Gaussian"}, "jpeg": {"linear-Gaussian", "Tikhonov, tuned on truth"},
                   "poisson": {"Tikhonov, tuned on truth"}, "tomography": set()}
        for name, expected in missing.items():
            with self.subTest(name):
                self.prepare(name)
                report, page = self.report(name)
                rows = figures(report)
                self.assertEqual({method for method, row in rows.items() if not row["computed"]}, expected | {"SI oracle"}, rows)
                self.assertTrue(all(row["reason"] for row in rows.values() if not row["computed"]))
                self.assertEqual(len(report["p_values"]), OBJECTS)
                self.assertTrue("data:image/png" in page)

    def test_without_a_truth_the_page_shows_observations_and_restorations(self):
        program.expect_ok("report", self.work / "mask", "--input", self.work / "mask_observed.h5", "--json", self.work / "report.json", "--output",
                          self.work / "report.html")
        report = json.loads((self.work / "report.json").read_text())
        self.assertEqual(report["images"]["labels"], ["observed", "restored"])
        self.assertNotIn("comparison", report)

    def test_wrong_comparisons_end_in_one_message(self):
        work = self.work
        good = self.shuffled_restorations()
        lacking = work / "lacking.h5"
        shutil.copy(good, lacking)
        import h5py

        with h5py.File(lacking, "r+") as file:
            file["object_id"][3] = 7
        for code, parts, more in ((2, ["NAME=FILE", "nothing"], ["--compare", "nothing"]), (2, ["NAME=FILE"], ["--compare", f"={good}"]),
                                  (2, ["'SCSI' already names a row"], ["--compare", f"SCSI={good}"]),
                                  (2, ["'A' already names a row"], ["--compare", f"A={good}", "--compare", f"A={good}"]),
                                  (2, ["at most 32"], ["--compare", f"{33 * 'n'}={good}"]),
                                  (4, ["small.h5", "144", "256"], ["--compare", f"A={work / 'small.h5'}"]),
                                  (4, ["lacking.h5", "1 of the 24 objects"], ["--compare", f"A={lacking}"]),
                                  (4, ["absent.h5"], ["--compare", f"A={work / 'absent.h5'}"]),
                                  (4, ["few.h5", "at least three times"], ["--reference", work / "few.h5"]),
                                  (4, ["small.h5", "144", "256"], ["--reference", work / "small.h5"])):
            with self.subTest(more):
                result, _, err = program.run(*self.arguments("mask", *more))
                self.assertEqual(result, code, err)
                for part in parts:
                    self.assertIn(part, err)
        result, _, err = program.run("report", work / "mask", "--input", work / "mask_observed.h5", "--compare", f"A={good}")
        self.assertEqual((result, "--truth" in err), (2, True), err)


if __name__ == "__main__":
    unittest.main()
