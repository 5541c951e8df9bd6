"""What a detector finds in image files: pictures with boxes, a prediction file and a table."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from miaod_nb import plots
from miaod_nb.data.files import image_files, records_of_files
from miaod_nb.errors import DataError
from miaod_nb.inspection.seeing import pixels
from miaod_nb.runs.machine import memory_explained, prepare_torch
from miaod_nb.runs.outputs import check_out, out_folder, refuse_run
from miaod_nb.trained.detector import Detector, ImageResult
from miaod_nb.trained.image_names import image_ids
from miaod_nb.trained.prediction_files import save_predictions

LONGEST_SIDE = 7.0  # inches of a picture, so that texts and lines keep their share of it
MIN_PIXELS = 1000  # of the longest side of a picture: small images are enlarged
PICTURES = "images"  # the folder of the pictures


def predict_files(
    detector: Detector, path: Path, out: Path, score: float
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Writes what is found in an image, or in those of a folder, into the folder `out`.

    Pictures show the boxes from `score` on; `predictions.json` has all, in COCO's results format;
    `images.csv` has a row for every image. Returns a table with the columns rank, file, uncertainty
    and boxes (those shown), the most uncertain image first, and why files were left out, by name.
    Raises DataError.
    """
    check_out(out)
    refuse_run(out)
    prepare_torch(detector.config, detector.model.device)
    if out.exists() and path.is_dir() and out.samefile(path):
        raise DataError("the images and the results would lie in one folder", where=out,
                        remedy="choose another --out, for example a new folder in it")  # fmt: skip
    files = image_files(path, but_not_in=out)
    _refuse_overwriting(files, out)
    records, left_out = records_of_files(files.items(), detector.gray)
    if not records:
        name, reason = next(iter(left_out.items()))
        raise DataError(f"no image can be used ({len(left_out)} tried; {name}: {reason})",
                        where=path, remedy="give images that are whole, such as JPEG")  # fmt: skip
    results: list[ImageResult] = []
    with out_folder(out) as folder, memory_explained():
        for result in detector.look_at(records):
            folder.save_bytes(picture_name(result.record.id), picture(detector, result, score))
            results.append(result)
        results.sort(key=lambda result: -result.uncertainty)
        ids = image_ids(list(files))
        folder.save_csv("images.csv", _table(results, left_out, ids))
        detections = {result.record.id: result.detections for result in results}
        save_predictions(folder, detections, ids, dict(enumerate(detector.classes, start=1)))
    shown = [len(result.detections.above(score)) for result in results]
    return _ranked(results).assign(boxes=shown), left_out


def _refuse_overwriting(files: Mapping[str, Path], out: Path) -> None:
    for name, file in files.items():
        target = out / picture_name(name)
        if target.exists() and target.samefile(file):
            raise DataError("the image would be overwritten by its picture", where=file,
                            remedy="choose another --out")  # fmt: skip


def picture_name(name: str) -> str:
    """Where the picture of an image goes: different for each file, whatever its folder."""
    is_usual = name.lower().endswith((".jpg", ".jpeg", ".png"))
    return f"{PICTURES}/{name}" + ("" if is_usual else ".png")


def picture(detector: Detector, result: ImageResult, score: float) -> bytes:
    """The image with the boxes from `score` on, their classes and scores, as PNG or JPEG."""
    image = pixels(result.record)
    height, width = image.shape[:2]
    longest = max(height, width)
    shown = result.detections.above(score)
    size = (width / longest * LONGEST_SIDE, height / longest * LONGEST_SIDE)
    with plots.style(), plt.rc_context({"savefig.bbox": "standard"}):
        dpi = (max(longest, MIN_PIXELS) + 0.01) / LONGEST_SIDE  # matplotlib rounds down
        figure = plt.figure(figsize=size, dpi=dpi)
        axes = figure.add_axes((0, 0, 1, 1))
        texts = shown.texts(detector.classes)
        plots.boxes_on_image(axes, image, shown.boxes, texts, role="prediction")
        buffer = io.BytesIO()
        suffix = Path(picture_name(result.record.id)).suffix.lower()
        figure.savefig(buffer, format="png" if suffix == ".png" else "jpg", dpi="figure")
        plt.close(figure)
    return buffer.getvalue()


def _ranked(results: Sequence[ImageResult]) -> pd.DataFrame:
    """Of the images, most uncertain first: rank, file, uncertainty."""
    rows = [(rank, one.record.id, one.uncertainty) for rank, one in enumerate(results, start=1)]
    return pd.DataFrame(rows, columns=["rank", "file", "uncertainty"])


def _table(
    results: Sequence[ImageResult], left_out: Mapping[str, str], ids: Mapping[str, str]
) -> pd.DataFrame:
    """What `images.csv` says: the images by rank, then those that were left out, and why."""
    sizes = pd.DataFrame({"width": [one.record.width for one in results],
                          "height": [one.record.height for one in results]})  # fmt: skip
    others = pd.DataFrame(left_out.items(), columns=["file", "left_out"])
    table = pd.concat([_ranked(results).join(sizes).assign(left_out=""), others])
    whole = dict.fromkeys(["rank", "width", "height"], "Int64")  # empty where there is none
    columns = ["rank", "file", "image_id", "width", "height", "uncertainty", "left_out"]
    return table.assign(image_id=table["file"].map(ids)).astype(whole)[columns]
