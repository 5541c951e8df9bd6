"""The page of settings says what the code has, and every name of the authors leads to it."""

import importlib
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from miaod_nb.config import DETECTOR_SETTINGS, Config, make_config
from miaod_nb.data.pool import resolve_count
from tests.conftest import PROJECT

sys.path.insert(0, str(PROJECT / "docs"))
settings = importlib.import_module("settings")  # no package: a script and its table
AUTHORS, PROTOCOLS = settings.AUTHORS, settings.PROTOCOLS
grouped_fields, settings_page = settings.grouped_fields, settings.settings_page

# All that configs/MIAOD.py, MIAOD_SSD.py, for_coco/MIAOD.py and their _base_ files set.
THEIR_NAMES = re.findall(
    r"\S+",
    """
data_root data_root_coco data_root_voc dataset_type X_L_0_size X_S_size X_L_repeat X_U_repeat
cycles epoch epoch_ratio k param_lambda num_samples subset_p work_directory optimizer.type lr
momentum weight_decay grad_clip policy step warmup warmup_iters warmup_ratio checkpoint_config
log_config.interval hooks evaluation.interval evaluation.metric ann_file img_prefix
samples_per_gpu workers_per_gpu times img_scale keep_ratio flip_ratio PhotoMetricDistortion Expand
MinIoURandomCrop mean std to_rgb size_divisor MultiScaleFlipAug model.type pretrained depth
num_stages out_indices frozen_stages requires_grad norm_eval style in_channels out_channels
start_level add_extra_convs num_outs bbox_head.type bbox_head.C stacked_convs feat_channels
octave_base_scale scales_per_octave ratios strides basesize_ratio_range input_size scale_major
l2_norm_scale target_means target_stds FL gamma alpha use_sigmoid loss_weight SmoothL1 pos_iou_thr
neg_iou_thr min_pos_iou ignore_iof_thr gt_max_assign_all allowed_border pos_weight neg_pos_ratio
smoothl1_beta debug nms_pre min_bbox_size score_thr iou_threshold max_per_img theta_f_1 theta_f_2
dist_params log_level load_from resume_from workflow cudnn_benchmark
""",
)

ROWS = [setting for rows in AUTHORS.values() for setting in rows]


def test_the_page_is_what_the_code_says():
    assert (PROJECT / "docs/settings.md").read_text() == settings_page(), (
        "python docs/settings.py > docs/settings.md"
    )


def test_the_command_prints_the_page():
    command = [sys.executable, PROJECT / "docs/settings.py"]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    assert child.stdout == settings_page()


def test_every_field_stands_in_one_group():
    groups = grouped_fields()
    assert sorted(name for names in groups.values() for name in names) == sorted(
        Config.model_fields
    )
    assert list(groups)[:3] == ["preset", "data", "detector"]
    assert set(groups["how to run"]) <= Config.run_fields()


def test_a_new_field_appears_by_itself(monkeypatch):
    source = "class Config:\n    # data\n    train_list: str = Field()\n    unknown: int = 1\n"
    monkeypatch.setattr(settings, "inspect", SimpleNamespace(getsource=lambda owner: source))
    assert grouped_fields() == {"preset": [], "data": ["train_list"]}


def test_values_of_presets_are_listed_where_they_differ():
    (row,) = re.findall(r"\| `learning_rate` .*", settings_page())[:1]
    assert row.startswith("| `learning_rate` | 0.001 |")
    (row,) = re.findall(r"\| `num_levels` .*", settings_page())[:1]
    assert row.split(" | ")[1:3] == ["5", "`voc`, `toy` 4; `tiny` 3"]


def test_ssd_brings_its_settings_as_the_page_says():
    names = [name for name in Config.model_fields if "`voc0712_ssd`" in settings._our_row(name)[2]]
    ssd, other = make_config("voc0712_ssd"), make_config("voc", {"detector": "ssd300"})
    assert {"resize", "image_size", "nms_iou"} <= set(names)
    assert all(getattr(ssd, name) == getattr(other, name) for name in DETECTOR_SETTINGS["ssd300"])
    assert make_config("voc", {"detector": "ssd300", "nms_iou": 0.6}).nms_iou == 0.6


@pytest.mark.parametrize("name", THEIR_NAMES)
def test_every_name_of_the_authors_is_mapped(name):
    pattern = rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])"
    assert any(re.search(pattern, setting.name) for setting in ROWS)


@pytest.mark.parametrize("setting", ROWS, ids=lambda setting: setting.name)
def test_a_mapped_name_is_a_setting_or_says_why_not(setting):
    assert set(setting.ours) <= set(Config.model_fields)
    assert setting.ours or setting.note


@pytest.mark.parametrize(
    "setting",
    [setting for setting in ROWS if not isinstance(setting.value, str)],
    ids=lambda setting: setting.name,
)
def test_values_here_are_those_of_the_authors(setting):
    assert setting.ours and not isinstance(setting.value, str)
    for preset in PROTOCOLS:
        config = make_config(preset)
        ours = tuple(getattr(config, name) for name in setting.ours)
        theirs = setting.value.get(preset, setting.value["voc0712"])
        assert theirs == (ours if len(ours) > 1 else ours[0]), preset


@pytest.mark.parametrize(
    ("preset", "pool", "initial", "budget"),
    [
        ("voc0712", 16551, 827, 413),
        ("voc0712_ssd", 16551, 1000, 1000),
        ("coco", 117266, 2345, 2345),
    ],
)
def test_first_and_later_labels_are_as_many_as_the_authors(preset, pool, initial, budget):
    config = make_config(preset)
    assert resolve_count(config.initial, pool, "initial") == initial
    assert resolve_count(config.budget, pool, "budget") == budget


def test_weight_decay_is_the_one_in_effect():
    assert all(make_config(p).weight_decay == 5e-4 for p in PROTOCOLS)
