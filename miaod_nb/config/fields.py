"""Every setting of an experiment: type, default, bounds, and what it does."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from miaod_nb.config.budget import budget_setting
from miaod_nb.config.files import content_hash, weights_file
from miaod_nb.config.shares import parse_class_target, parse_mix


def json_or_text(text: str) -> Any:
    """The value that the text spells in JSON (or null and booleans in Python), else the text."""
    text = text.strip()
    try:
        return json.loads(text)
    except ValueError:
        return {"None": None, "True": True, "False": False}.get(text, text)


def _numbers(value: Any) -> Any:
    """Lets `320x240`, `0.5,1,2`, a list and a single number stand for a tuple of numbers."""
    if isinstance(value, str):
        value = [json_or_text(part) for part in re.split("[,x]", value)]
    elif isinstance(value, int | float):
        value = [value]
    return tuple(value) if isinstance(value, list) else value


def _names(value: Any) -> Any:
    """Lets `dog,cat` and a list stand for a tuple of names."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return tuple(value) if isinstance(value, list) else value


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(name.strip() for name in names):
        raise ValueError("a name is empty")
    if len(set(names)) < len(names):
        raise ValueError("a name stands twice")
    return names


def _plausible_size(size: tuple[int, int]) -> tuple[int, int]:
    longest, shortest = size
    if not 32 <= shortest <= longest <= 4096:
        raise ValueError("longest first, both from 32 to 4096")
    return size


def _mix(text: str) -> str:
    if text:
        parse_mix(text)  # raises a ValueError
    return text


def _class_target(text: str) -> str:
    if text:
        parse_class_target(text)  # raises a ValueError
    return text


def _weight(value: float | str) -> float | str:
    if isinstance(value, float) and not 0 <= value <= 10:
        raise ValueError("from 0 to 10, or auto")
    return value


def _whole_count(amount: float) -> float:
    if amount >= 1 and not amount.is_integer():
        raise ValueError("from 1 on it is a count and must be whole")
    return amount


Names = Annotated[
    tuple[str, ...], BeforeValidator(_names), AfterValidator(_distinct), Field(min_length=1)
]
Ratios = Annotated[
    tuple[Annotated[float, Field(gt=0, le=10)], ...], BeforeValidator(_numbers), Field(min_length=1)
]
Size = Annotated[tuple[int, int], BeforeValidator(_numbers), AfterValidator(_plausible_size)]
Amount = Annotated[float, AfterValidator(_whole_count)]
BudgetSetting = Annotated[float | str, BeforeValidator(budget_setting)]
Weight = Annotated[float | Literal["auto"], AfterValidator(_weight)]

_RUN: dict[str, Any] = {"run": True}  # marks a field that does not change the results
_ADDED: dict[str, Any] = {"added": True}  # one that runs before it had by its default, unnamed


class Config(BaseModel):
    """Everything that describes an experiment, flat so that `--set key=value` reaches all of it.

    Fields marked `run` in their metadata change how an experiment is carried out but not its
    results; they stay out of the fingerprint. Defaults are the authors' settings (`voc0712`).
    """

    # Strict, so that `cycles=true` is not 1; no infinity, because JSON and the fingerprint lack it.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    # One or two lines a field are easier to read than one argument a line.
    # fmt: off
    preset: str = Field("voc0712", description="name of the preset the values came from",
                        json_schema_extra=_RUN)

    # data
    classes: Names | None = Field(None, description="class names such as dog,cat, all different; "
                                  "None: those found in the labels, new ones joining later")
    train_list: str = Field("trainval", description="list that holds the pool: "
                            "ImageSets/Main/<list>.txt (VOC), annotations/instances_<list>.json "
                            "(COCO), or a list elsewhere by its whole path without suffix (VOC, "
                            "COCO, image folder)")
    test_list: str = Field("test", description="list used for evaluation, found in the same way")
    voc_pixels_from: int = Field(1, ge=0, le=1, description="number of the first pixel in VOC "
                                 "files in which nothing tells it: 1 in VOC's own, 0 in those of "
                                 "most label tools", json_schema_extra=_ADDED)
    empty_images: Literal["keep", "drop"] = Field("keep", description="pool images without "
                                                  "objects: background, or left out (COCO alone)")
    holdout: float = Field(0.2, ge=0, lt=1, description="share of the initial labeled images kept "
                           "for evaluation when there is no test list; 0: no mAP")
    image_size: Size = Field((1000, 600), description="longest and shortest side an image is "
                             "resized to fit, whatever its orientation: two whole numbers of "
                             "pixels from 32 to 4096 such as 320x240")
    resize: Literal["fit", "stretch"] = Field("fit", description="scaled to fit image_size with "
                                              "its ratio kept, or stretched to exactly image_size")
    augmentation: Literal["flip", "crop_flip", "ssd"] = Field(
        "flip", description="training augmentation"
    )

    # detector
    detector: str = Field("retinanet", description="retinanet, ssd300, or a detector of your own")
    backbone: str = Field("resnet50", description="feature extractor: ssd300 has vgg16; retinanet "
                          "resnet18, resnet34, resnet50, resnet101, efficientnet_lite0, or a model "
                          "of timm by its name, such as mobilenetv3_large_100")
    backbone_weights: str = Field("imagenet", description="imagenet, none, or a weight file")
    weights: str = Field("", description="file that the whole detector begins with in every cycle: "
                         "weights.pt of a run (or the folder of its cycle), or torchvision's "
                         "RetinaNet trained on COCO", json_schema_extra=_ADDED)
    backbone_channels: int = Field(64, ge=4, le=256, description="stem width of a ResNet or "
                                   "VGG")
    frozen_stages: int = Field(1, ge=0, le=4, description="backbone stages (after the stem, which "
                               "is frozen with the first) that never train")
    num_levels: int = Field(5, ge=3, le=7, description="retinanet: feature levels, the first has "
                            "stride 8")
    fpn_channels: int = Field(256, ge=4, le=1024, description="retinanet: channels of every "
                              "feature level")
    tower_channels: int = Field(256, ge=4, le=1024, description="retinanet: channels inside the "
                                "towers")
    tower_convs: int = Field(4, ge=0, le=8, description="retinanet: 3x3 convolutions in each tower")
    tower_norm: Literal["none", "group"] = Field(
        "none", description="retinanet: what normalizes the features inside the towers (group: "
        "GroupNorm; short trainings learn faster)", json_schema_extra=_ADDED,
    )
    anchor_scale: float = Field(4.0, gt=0, le=16, description="retinanet: anchor side at ratio 1, "
                                "in strides")
    scales_per_octave: int = Field(3, ge=1, le=5, description="retinanet: anchor sizes between two "
                                   "levels")
    anchor_ratios: Ratios = Field((0.5, 1.0, 2.0), description="retinanet: anchor height / width, "
                                  "numbers above 0 to 10 such as 0.5,1,2")

    # method
    training: Literal["auto", "mi_aod", "label_set"] = Field(
        "auto", description="all three stages, or labeled images alone; auto: as the strategy needs"
    )
    discrepancy_weight: Weight = Field(
        0.5, description="lambda of the paper, a number from 0 to 10; auto: such that batches of "
        "this size and so many levels and classes weigh the disagreement as the authors' did"
    )
    discrepancy_norm: Literal["l1", "l2"] = Field(
        "l1", description="discrepancy in the losses: absolute (authors' code) or squared (paper)"
    )
    stage_order: Literal["minimize_first", "maximize_first"] = Field(
        "minimize_first", description="authors' code, or the paper's order"
    )
    trained_layers: Literal["code", "paper"] = Field(
        "code", description="which layers the adversarial stages train: minimize all but the "
        "classifiers, maximize the classifiers (code); minimize features and MIL tower, maximize "
        "classifiers and regressor (paper)"
    )
    mil_instance_score: Literal["max_class", "per_class"] = Field(
        "max_class", description="score whose softmax over instances enters the MIL score: of the "
        "best class (authors' code) or of each class (paper)"
    )
    mil_softmax: Literal["level", "image"] = Field(
        "level", description="instances compete within a feature level (code) or the image (paper)"
    )
    weighted_selection: bool = Field(
        False, description="weight instances by their MIL score in the image uncertainty too"
    )
    uncertainty_scores: Literal["sigmoid", "softmax"] = Field(
        "sigmoid", description="what the image uncertainty of ssd300 compares: the sigmoid of each "
        "output, background included (authors' code), or the softmax over all"
    )
    uncertainty_norm: Literal["l1", "l2"] = Field(
        "l2", description="disagreement in the image uncertainty: squared (authors' code) or "
        "absolute"
    )
    top_k: Amount = Field(10000, gt=0, le=10**7, description="anchors averaged in the image "
                          "uncertainty: a whole count, or below 1 a fraction of its anchors")

    # training
    start_from: Literal["pretrained", "previous"] = Field(
        "pretrained", description="what the training of a cycle begins with: the pretrained "
        "backbone, or, after the first, the detector of the cycle before",
        json_schema_extra=_ADDED,
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="optimizer of every stage")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="for the preset's batch size")
    backbone_lr_factor: float = Field(1.0, ge=0, le=1, description="of the backbone's learning "
                                      "rate")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="arithmetic of convolutions: fp32; tf32 (newer CUDA devices, faster); "
        "bf16 by autocast (CUDA, and processors with bf16 instructions)"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD momentum")
    weight_decay: float = Field(5e-4, ge=0, le=1, description="L2 (SGD) or decoupled (AdamW)")
    weight_averaging: float = Field(0.0, ge=0, lt=1, description="decay of a moving average of "
                                    "the weights over the steps of a cycle, which is then its "
                                    "detector, such as 0.998; 0: the last weights",
                                    json_schema_extra=_ADDED)
    clip_norm: float = Field(0.0, ge=0, le=10**6, description="largest gradient norm; 0: no "
                             "clipping")
    batch_size: int = Field(2, ge=1, le=256, description="images a training step")
    label_set_epochs: int = Field(3, ge=1, le=1000, description="epochs of a label-set stage")
    later_epochs: int = Field(0, ge=0, le=1000, description="epochs of a label-set stage in a "
                              "cycle that begins with the detector before (start_from=previous); "
                              "0: label_set_epochs", json_schema_extra=_ADDED)
    adversarial_epochs: int = Field(1, ge=1, le=1000, description="epochs of a minimize or "
                                    "maximize stage")
    rounds: int = Field(2, ge=0, le=100, description="times that minimize, maximize, label-set run")
    repeats: int = Field(2, ge=1, le=1000, description="passes over the images an epoch makes")
    min_epoch_steps: int = Field(0, ge=0, le=10**5, description="an epoch repeats a small set "
                                 "until it has this many steps")
    schedule: Literal["step", "cosine"] = Field("step", description="x0.1 in the last label-set "
                                                "stage, or a cosine over the cycle")
    drop_epoch: int = Field(2, ge=0, le=1000, description="epochs of the last label-set stage "
                            "before the rate drops (schedule=step)")
    warmup_steps: int = Field(0, ge=0, le=10**5, description="linear warm-up at the start of "
                              "every stage")

    # inference
    score_threshold: float = Field(0.05, ge=0, lt=1, description="lowest score of a detection")
    nms_iou: float = Field(0.5, gt=0, le=1, description="overlap above which the lower box goes")
    nms_candidates: int = Field(1000, ge=1, le=10**6, description="anchors a level that enter the "
                                "NMS")
    max_detections: int = Field(100, ge=1, le=10**5, description="detections kept an image")
    inference_batch_size: int = Field(1, ge=1, le=256, description="images of one padded size that "
                                      "are scored or detected together")

    # selection
    strategy: str = Field("mi_aod", description="how the next images are chosen: "
        "see docs/strategies.md, or a strategy of your own")
    entropy_aggregate: Literal["max", "mean", "sum"] = Field(
        "max", description="from detections to the image (strategy=entropy)"
    )
    instance_aggregate: Literal["max", "mean", "sum"] = Field(
        "mean", description="from detections to the image (least_confidence, margin)",
        json_schema_extra=_ADDED,
    )
    mix: Annotated[str, AfterValidator(_mix)] = Field(
        "", description="strategies that share the batch (strategy=mix), such as "
        "30% coreset, 70% entropy", json_schema_extra=_ADDED,
    )
    class_target: Annotated[str, AfterValidator(_class_target)] = Field(
        "", description="classes to choose more of, with any strategy: even (rare ones first), "
        "shares such as dog=40%,cat=60%, or boxes a cycle such as dog=20,cat=10",
        json_schema_extra=_ADDED,
    )
    max_similarity: float = Field(
        1.0, gt=0, le=1, description="from which similarity on two images look alike, and with "
        "any strategy only one of them is labeled: 0.95 for near-copies; 1: off",
        json_schema_extra=_ADDED,
    )
    initial: Amount = Field(0.05, gt=0, le=10**7, description="first labeled images: a whole "
                            "count, or below 1 a fraction of the pool")
    budget: BudgetSetting = Field(0.025, description="what a cycle asks for: a whole count of "
                                  "images, or below 1 a fraction of the pool; or, as expected, "
                                  "400boxes, 90minutes (60images is 60)")
    image_seconds: float = Field(7.8, gt=0, le=10**5, description="a look at an image, for budgets "
                                 "in minutes where too few times of work are known (median to see "
                                 "whether all objects have boxes: Su et al., HCOMP 2012)",
                                 json_schema_extra=_ADDED)
    box_seconds: float = Field(7.0, gt=0, le=10**5, description="and a box (by its extreme points: "
                               "Papadopoulos et al., ICCV 2017; by its corners about 35: "
                               "Su et al.)",
                               json_schema_extra=_ADDED)
    first_labels: Literal["auto", "labeled", "drawn"] = Field(
        "auto", description="which images are labeled first: those that have labels already, or "
        "`initial` ones drawn by chance; auto: the former where less than half of the pool is "
        "labeled, and not only images that would be drawn"
    )
    initial_strategy: Literal["random", "typicality", "coreset"] = Field(
        "random", description="how `initial` images are drawn: by chance, or by features of the "
        "pictures before any label exists: typical of many others, or far from each other",
        json_schema_extra=_ADDED,
    )
    first_unlabeled: Literal["end", "second"] = Field(
        "end", description="images of the first cycle that train without labels: the last of the "
        "shuffled pool, or those after the labeled ones (then labeled images do not fill up a "
        "sample that the pool is too small for)"
    )
    score_fraction: float = Field(1.0, gt=0, le=1, description="share of all images that a cycle "
                                  "scores at most, drawn at random from the pool")
    split_seed: int = Field(666, ge=0, le=2**32 - 1, description="draws the first labeled images")
    seed: int = Field(666, ge=0, le=2**32 - 1, description="initial weights, augmentation, order")

    # how to run
    cycles: int = Field(7, ge=1, le=1000, description="training cycles in all",
                        json_schema_extra=_RUN)
    controls: Names = Field(("random",), description="strategies that the notebooks run beside "
                            "this one: names such as random,entropy", json_schema_extra=_RUN)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:(0|[1-9]\d?))?)$",
                        description="auto, cpu, cuda or cuda:N", json_schema_extra=_RUN)
    workers: int = Field(0, ge=0, le=64, description="processes that load images",
                         json_schema_extra=_RUN)
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: one a core",
                         json_schema_extra=_RUN)
    cache_mb: int = Field(1024, ge=0, le=10**6, description="MiB of decoded training images kept "
                          "in a temporary file", json_schema_extra=_RUN)
    compile: bool = Field(False, description="compile the detector with torch.compile: minutes at "
                          "the start, then faster steps on CUDA", json_schema_extra=_RUN)
    log_every: int = Field(50, ge=1, le=10**6, description="steps between two logged lines; the "
                           "last of a stage is logged, too", json_schema_extra=_RUN)
    save_every: float = Field(60.0, gt=0, le=86400, description="seconds between two saved states",
                              json_schema_extra=_RUN)
    tensorboard: bool = Field(False, description="also write TensorBoard files (needs the extra)",
                              json_schema_extra=_RUN)
    # fmt: on

    @classmethod
    def run_fields(cls) -> set[str]:
        """Names of the fields that change how a run is carried out but not what it finds."""
        return {name for name, field in cls.model_fields.items() if field.json_schema_extra == _RUN}

    def identity(self) -> dict[str, Any]:
        """The fields that decide the results, JSON-ready: what the fingerprint hashes.

        A weight file stands there by its content, as "file:" and a hash, so that a moved file is
        the same and a changed one is not. Raises ConfigError when it cannot be read.
        """
        fields = self.model_dump(mode="json", exclude=self.run_fields())
        if self.first_labels == "auto":  # what follows from it stands with the data
            del fields["first_labels"]
        for name, field in type(self).model_fields.items():
            if field.json_schema_extra == _ADDED and getattr(self, name) == field.default:
                del fields[name]
        if self.backbone_weights not in ("imagenet", "none"):
            file = Path(self.backbone_weights)
            fields["backbone_weights"] = f"file:{content_hash(file, 'backbone_weights')}"
        if self.weights:
            fields["weights"] = f"file:{content_hash(weights_file(self.weights), 'weights')}"
        return fields
