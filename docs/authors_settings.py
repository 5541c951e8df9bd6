"""The names in the configuration of the authors' code, and what stands in their place here."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class TheirSetting(NamedTuple):
    """A name of theirs with its values, and the settings here that do the same.

    value: of their VOC, SSD and COCO protocols, by our presets, in our unit, where a test can
    compare them (a protocol left out has the first value); a text where it cannot. ours: fields of
    Config, a value for each; if none, `here` says what to use. note: unit and effect, where our
    fields' descriptions do not say them; or why there is no counterpart.
    """

    name: str
    value: Mapping[str, Any] | str
    ours: tuple[str, ...] = ()
    note: str = ""
    here: str = "none"


def of(voc: Any, ssd: Any = None, coco: Any = None) -> dict[str, Any]:
    """The values by preset; None: as in the first."""
    values = {"voc0712": voc, "voc0712_ssd": ssd, "coco": coco}
    return {preset: value for preset, value in values.items() if value is not None}


MAIN = (
    TheirSetting("data_root, data_root_coco, data_root_voc", "a path", here="`--data-root`",
                 note="folder of the data; COCO needs one, not two"),
    TheirSetting("work_directory", "./work_dirs/MI-AOD; SSD and COCO add their names",
                 here="`--run-dir`", note="folder of the results; left out: runs/ and the preset"),
    TheirSetting("X_L_0_size", "827; SSD 1000; COCO 2345", ("initial",)),
    TheirSetting("X_S_size", "413; SSD 1000; COCO 2345", ("budget",)),
    TheirSetting("cycles", of(7, 11, 5), ("cycles",), "cycles in all; theirs is a list from 0"),
    TheirSetting("epoch", of(2), ("rounds",)),
    TheirSetting("epoch_ratio", of((3, 1), (5, 1)), ("label_set_epochs", "adversarial_epochs")),
    TheirSetting("X_L_repeat", of(2, 16), ("repeats",)),
    TheirSetting("X_U_repeat", of(2, 16), ("repeats",),
                 "passes over the images an epoch makes; one setting for both sets, because the "
                 "shorter one is repeated until it is as long as the longer"),
    TheirSetting("train_cfg.param_lambda", of(0.5), ("discrepancy_weight",)),
    TheirSetting("k", of(10000), ("top_k",)),
    TheirSetting("optimizer.type", of("sgd"), ("optimizer",)),
    TheirSetting("optimizer.lr", of(1e-3), ("learning_rate",),
                 "for the preset's batch size; follows `batch_size` when only that is changed"),
    TheirSetting("optimizer.momentum", of(0.9), ("momentum",)),
    TheirSetting("optimizer.weight_decay", "0.0001; SSD 0.0005; in effect 0.0005",
                 ("weight_decay",), "L2; their training code sets 0.0005, whatever is written"),
    TheirSetting("optimizer_config.grad_clip", of(0.0), ("clip_norm",)),
    TheirSetting("lr_config.policy", of("step"), ("schedule",)),
    TheirSetting("lr_config.step", of(2, 1, 2), ("drop_epoch",)),
    TheirSetting("lr_config.warmup, warmup_iters", of(0, 500, 500), ("warmup_steps",),
                 "steps of a linear warm-up at the start of every stage; 0: none"),
    TheirSetting("lr_config.warmup_ratio", "none; SSD, COCO 0.001",
                 note="the warm-up begins at this share of the rate: fixed at 0.001"),
    TheirSetting("checkpoint_config.interval", "1 epoch", ("save_every",),
                 "seconds between two saved states; the weights of a cycle are always kept"),
    TheirSetting("log_config.interval", of(50), ("log_every",)),
    TheirSetting("log_config.hooks", "text; TensorBoard as a comment", ("tensorboard",)),
    TheirSetting("evaluation.interval", "3 epochs; SSD 5",
                 note="every cycle is evaluated once, at its end"),
    TheirSetting("evaluation.metric", "mAP; COCO bbox",
                 note="all metrics are computed, VOC07, VOC12 and COCO"),
    TheirSetting("num_samples", "COCO 117266", note="the images are counted"),
    TheirSetting("subset_p", "COCO 5: a fifth", ("score_fraction",)),
    TheirSetting("model.bbox_head.C", "20; COCO 80", ("classes",),
                 "the names, whose number follows; none given: those found in the labels"),
)  # fmt: skip

DATA = (
    TheirSetting("data.train, data.test: ann_file",
                 "trainval.txt of VOC2007 and VOC2012; COCO of train2017", ("train_list",),
                 "the list of the pool; their `test` is the pool to be scored"),
    TheirSetting("data.val: ann_file", "VOC2007 test.txt; COCO instances_val2017.json",
                 ("test_list",)),
    TheirSetting("img_prefix", "VOC2007/, VOC2012/", note="follows from `--data-root`"),
    TheirSetting("dataset_type, type", "VOCDataset; COCO also CocoDataset",
                 note="recognized by the folder's content"),
    TheirSetting("data.train.times", "3; SSD 1", ("repeats",),
                 "overwritten by X_L_repeat and X_U_repeat there"),
    TheirSetting("samples_per_gpu", of(2, 8, 2), ("batch_size",)),
    TheirSetting("workers_per_gpu", "2; SSD 3", ("workers",)),
    TheirSetting("Resize.img_scale", of((1000, 600), (300, 300), (1333, 800)), ("image_size",)),
    TheirSetting("Resize.keep_ratio", of("fit", "stretch"), ("resize",)),
    TheirSetting("RandomFlip.flip_ratio", "0.5", ("augmentation",),
                 "every recipe mirrors half of the images"),
    TheirSetting("PhotoMetricDistortion, Expand, MinIoURandomCrop", "SSD only", ("augmentation",),
                 "the recipe `ssd`"),
    TheirSetting("Normalize: mean, std, to_rgb", "ImageNet's; SSD std 1",
                 note="belongs to the detector"),
    TheirSetting("Pad.size_divisor", "32; SSD no padding",
                 note="32 pixels, fixed; stretched images are not padded"),
    TheirSetting("MultiScaleFlipAug.flip", "False", note="images are never mirrored in inference"),
)  # fmt: skip

MODEL = (
    TheirSetting("model.type, bbox_head.type", of("retinanet", "ssd300"), ("detector",)),
    TheirSetting("pretrained", "torchvision's ResNet-50; SSD VGG-16 of Caffe",
                 ("backbone_weights",)),
    TheirSetting("backbone.type, depth", of("resnet50", "vgg16"), ("backbone",)),
    TheirSetting("backbone.frozen_stages", of(1, 0), ("frozen_stages",)),
    TheirSetting("backbone: norm_eval, norm_cfg.requires_grad", "True",
                 note="always so: statistics fixed, scale and shift trained"),
    TheirSetting("backbone: num_stages, out_indices, style; neck and head: in_channels", "various",
                 note="follow from the backbone"),
    TheirSetting("neck.out_channels", of(256), ("fpn_channels",)),
    TheirSetting("neck: start_level, num_outs; anchor_generator.strides", "1; 5; 8 to 128",
                 ("num_levels",), "feature levels of strides 8, 16, ...; SSD's are fixed"),
    TheirSetting("neck.add_extra_convs", "on_input", note="always so"),
    TheirSetting("bbox_head.stacked_convs", of(4), ("tower_convs",)),
    TheirSetting("bbox_head.feat_channels", of(256), ("tower_channels",)),
    TheirSetting("anchor_generator.octave_base_scale", of(4.0), ("anchor_scale",)),
    TheirSetting("anchor_generator.scales_per_octave", of(3), ("scales_per_octave",)),
    TheirSetting("anchor_generator.ratios", "0.5, 1, 2; SSD by level", ("anchor_ratios",),
                 "height / width; SSD's anchors are fixed"),
    TheirSetting("anchor_generator: basesize_ratio_range, input_size, scale_major; l2_norm_scale",
                 "SSD only", note="fixed by the name SSD300"),
    TheirSetting("bbox_coder: target_means, target_stds", "0; 1, SSD 0.1 and 0.2",
                 note="belongs to the detector"),
    TheirSetting("FL: gamma, alpha, use_sigmoid, loss_weight", "2, 0.25, True, 1",
                 note="focal loss as published"),
    TheirSetting("SmoothL1.type", "L1Loss",
                 note="L1, as their setting has it and its name has not"),
    TheirSetting("train_cfg.assigner: pos_iou_thr, neg_iou_thr", "0.5, 0.4; SSD 0.5, 0.5",
                 note="belongs to the detector"),
    TheirSetting("assigner: min_pos_iou, ignore_iof_thr, gt_max_assign_all; allowed_border, "
                 "pos_weight, neg_pos_ratio, smoothl1_beta", "various",
                 note="belong to the detector"),
    TheirSetting("test_cfg.score_thr", of(0.05, 0.02), ("score_threshold",)),
    TheirSetting("test_cfg.nms.iou_threshold", of(0.5, 0.45), ("nms_iou",)),
    TheirSetting("test_cfg.max_per_img", of(100, 200), ("max_detections",)),
    TheirSetting("test_cfg.nms_pre", "1000; SSD no limit", ("nms_candidates",),
                 "anchors a level that enter the NMS; SSD has fewer than its value here"),
    TheirSetting("test_cfg.min_bbox_size", "0", note="no box is too small"),
    TheirSetting("theta_f_1, theta_f_2", "names of the classifiers' parameters",
                 ("trained_layers",), "which layers the adversarial stages train: by part, so no "
                 "parameter is named"),
)  # fmt: skip

RUNTIME = (
    TheirSetting("load_from", "None", here="`miaod convert`", note="their weights into a file"),
    TheirSetting("resume_from, --resume-from", "None", here="the same command again",
                 note="a run folder is continued where it stands"),
    TheirSetting("--seed", of((666, 666)), ("seed", "split_seed"),
                 "draws weights, order and augmentation; and the first labeled images"),
    TheirSetting("--deterministic", "off", note="a continued run repeats itself in any case"),
    TheirSetting("--options", "none", here="`--set`", note="key=value, checked"),
    TheirSetting("--gpus, --gpu-ids", "1", ("device",)),
    TheirSetting("--no-validate", "off", note="every cycle is evaluated"),
    TheirSetting("--launcher, --local_rank, dist_params", "none; nccl",
                 note="`torchrun` or `accelerate launch`, see many-processes.md"),
    TheirSetting("workflow, log_level, cudnn_benchmark, debug", "various",
                 note="of the framework there"),
)  # fmt: skip

AUTHORS = {
    "Protocol, method and training: `configs/MIAOD.py`, `MIAOD_SSD.py`, `for_coco/MIAOD.py`": MAIN,
    "Data: `_base_/voc0712.py`, `for_coco/MIAOD.py`": DATA,
    "Detector: `_base_/retinanet_r50_fpn.py`, `_base_/ssd300.py`": MODEL,
    "Running: `_base_/default_runtime.py`, arguments of `tools/train.py`": RUNTIME,
}
