"""The presets: whole recipes by name, and what a detector needs whatever the preset says."""

from typing import Any

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip

# A recipe for small data on a CPU; measured in docs/results. The unlabeled terms are sums over the
# batch, mean over classes: discrepancy_weight keeps them as strong against the detection loss as
# the authors have them (0.5 x batch 2 x 5 levels / 20 classes; here x batch 8 x 4 levels / 6).
_SMALL_DATA = {
    "backbone": "efficientnet_lite0", "frozen_stages": 2, "num_levels": 4,
    "fpn_channels": 64, "tower_channels": 64, "tower_convs": 2, "scales_per_octave": 2,
    "image_size": (320, 320), "augmentation": "crop_flip",
    "optimizer": "adamw", "learning_rate": 1e-3, "backbone_lr_factor": 0.3, "weight_decay": 1e-2,
    "clip_norm": 10.0, "batch_size": 8, "schedule": "cosine", "warmup_steps": 10,
    "label_set_epochs": 4, "adversarial_epochs": 1, "rounds": 1, "repeats": 1,
    "min_epoch_steps": 30, "discrepancy_weight": 0.05, "top_k": 0.09, "inference_batch_size": 8,
    "initial": 0.1, "budget": 0.05, "cycles": 3, "split_seed": 0, "seed": 0, "log_every": 10,
}  # fmt: skip

PRESETS: dict[str, dict[str, Any]] = {
    "voc0712": {"classes": VOC_CLASSES},
    "voc0712_ssd": {
        "classes": VOC_CLASSES, "detector": "ssd300", "initial": 1000, "budget": 1000, "cycles": 11,
        "batch_size": 8, "label_set_epochs": 5, "repeats": 16, "drop_epoch": 1, "warmup_steps": 500,
    },
    # train2017 without its images without boxes: 117266, of which 2345 are labeled first and in
    # each cycle, and 23453 scored.
    "coco": {
        "train_list": "train2017", "test_list": "val2017", "empty_images": "drop",
        "image_size": (1333, 800), "warmup_steps": 500, "initial": 0.02, "budget": 0.02,
        "cycles": 5, "score_fraction": 0.2, "first_unlabeled": "second",
    },
    "voc": _SMALL_DATA,
    # Generated images, 40 labels and 60 more a cycle. The smallest anchors are 16 px; crops would
    # cost more steps than they are worth in so short a training. One thread: a second one gains
    # next to nothing on images this small, a second run beside it does.
    "toy": _SMALL_DATA | {
        "image_size": (128, 128), "anchor_scale": 2.0, "augmentation": "flip", "initial": 40,
        "budget": 60, "cycles": 3, "label_set_epochs": 3, "repeats": 2, "min_epoch_steps": 20,
        "discrepancy_weight": 0.5, "log_every": 5, "threads": 1,
    },
    "tiny": _SMALL_DATA | {
        "backbone": "resnet18", "backbone_weights": "none", "backbone_channels": 8,
        "frozen_stages": 0, "num_levels": 3, "fpn_channels": 16, "tower_channels": 16,
        "tower_convs": 1, "scales_per_octave": 1, "image_size": (64, 64), "backbone_lr_factor": 1.0,
        "batch_size": 2, "label_set_epochs": 1, "rounds": 1, "repeats": 1, "min_epoch_steps": 3,
        "warmup_steps": 2, "cycles": 2, "inference_batch_size": 4, "log_every": 1,
    },
}  # fmt: skip

# What a detector needs whatever the preset says; settings given beside it win.
DETECTOR_SETTINGS: dict[str, dict[str, Any]] = {
    "ssd300": {
        "backbone": "vgg16", "frozen_stages": 0, "image_size": (300, 300), "resize": "stretch",
        "augmentation": "ssd", "score_threshold": 0.02, "nms_iou": 0.45, "nms_candidates": 10**4,
        "max_detections": 200,
    },
}  # fmt: skip
