"""What decides the results of an experiment, as one number."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from miaod_nb.config.fields import Config


def fingerprint(config: Config, data_identity: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over all that decides the results: settings, image ids, classes, split."""
    document = {"config": config.identity(), "data": data_identity}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
