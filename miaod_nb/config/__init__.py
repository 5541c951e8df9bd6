"""One validated, frozen configuration: presets, overrides, and a fingerprint of what decides.

budget: what a cycle may spend on labels: images, boxes or minutes
counts: how many images or anchors an amount means
shares: settings that divide a batch among strategies and among classes
files: files that a setting names, by their content
fields: `Config`: every setting with its type, bounds and effect
presets: whole recipes by name, and what a detector needs
reading: from what a user gives to a configuration, and back
fingerprint: what decides the results, as one number
"""

from miaod_nb.config.budget import Budget
from miaod_nb.config.counts import count_of
from miaod_nb.config.fields import Config
from miaod_nb.config.fingerprint import fingerprint
from miaod_nb.config.presets import DETECTOR_SETTINGS, PRESETS, VOC_CLASSES
from miaod_nb.config.reading import (
    allowed,
    changes,
    lr_rescaling,
    make_config,
    parse_settings,
    spell,
    suggest,
    validated,
)

__all__ = [
    "DETECTOR_SETTINGS", "PRESETS", "VOC_CLASSES", "Budget", "Config", "allowed", "changes",
    "count_of", "fingerprint", "lr_rescaling", "make_config", "parse_settings", "spell", "suggest",
    "validated",
]  # fmt: skip
