"""What a run folder is about: claimed by the first process, another experiment is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miaod_nb.config import Config, make_config, validated
from miaod_nb.errors import RunFolderError
from miaod_nb.progress import say
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.schema import VERSION, read_document


def project_folder() -> Path:
    """Where `runs` and `data` lie: the current folder, or the one above when that is the
    project's `notebooks`, in which a notebook server starts them."""
    among_notebooks = Path.cwd().name == "notebooks" and Path("../pyproject.toml").is_file()
    return Path("..") if among_notebooks else Path()


def default_run_dir(config: Config, fingerprint: str) -> Path:
    """`runs/<preset>`, with the fingerprint's first six digits if a setting differs from it."""
    changed = make_config(config.preset).identity() != config.identity()
    return project_folder() / "runs" / (config.preset + (f"-{fingerprint[:6]}" if changed else ""))


def _stored_identity(folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the data that a run folder's experiment is about."""
    try:
        identity = dict(folder.load_json("config.json")["identity"])
        return identity, dict(identity.pop("data"))
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(
            "the file does not describe an experiment",
            where=folder.path("config.json"),
            remedy="restore it from a copy, or choose another run_dir",
        ) from error


def refuse_another(
    folder: RunFolder, config: Config, data: Mapping[str, Any], of_auto: str
) -> None:
    """Raises RunFolderError naming every difference in what decides results, if the folder holds
    another experiment. data: its identity. of_auto: what training=auto means."""
    before, stored_data = _stored_identity(folder)
    now = config.identity()
    # A setting that did not exist when the run began had its default.
    defaults = validated({}).model_dump(mode="json")
    before = {key: defaults[key] for key in now.keys() - before.keys()} | before
    if before["training"] == of_auto:  # another spelling
        before["training"] = "auto"
    differing = [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    differing += [
        f"{key}: {len(stored_data.get(key, []))} there, {len(data.get(key, []))} now, or others"
        for key in sorted(data.keys() | stored_data.keys())
        if stored_data.get(key) != data.get(key)
    ]
    if differing:
        raise RunFolderError(
            "the run folder holds another experiment; " + "; ".join(differing),
            where=folder.path("config.json"),
            remedy="choose another run_dir, or the same settings as before",
        )


def claim_folder(
    folder: RunFolder, config: Config, card: Card, data: Mapping[str, Any], fingerprint: str,
    environment: Mapping[str, Any], data_root: Path,
) -> None:  # fmt: skip
    """Describes the experiment in its run folder, or checks that the folder holds the same one.

    data_root: noted, so that the folder alone is enough to go on; it may change.

    Another environment is a warning. Raises RunFolderError as `refuse_another` does.
    """
    if folder.exists("config.json"):
        refuse_another(folder, config, data, card.training_of("auto"))
        if folder.exists("environment.json"):
            recorded = read_document(folder, "environment.json", dict[str, Any])
            _warn_of_changes(recorded, environment)
    else:
        remains = [name for name in ("log.jsonl", "cycle0") if folder.exists(name)]
        if remains:
            raise RunFolderError(
                f"the folder holds {' and '.join(remains)} of an experiment, but no config.json",
                where=folder.path("config.json"),
                remedy="restore the file, or choose another run_dir",
            )
        folder.save_json("environment.json", dict(environment))
        folder.save_text("fingerprint.txt", fingerprint + "\n")
    folder.save_json(
        "config.json",
        {"version": VERSION, "settings": config.model_dump(mode="json"),
         "data_root": str(data_root.resolve()), "card": card.as_dict(),
         "identity": config.identity() | {"data": dict(data)}},
    )  # fmt: skip


def _warn_of_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Tells the user in what the environment differs from that in which the run began."""
    before, now = {"processes": 1} | dict(before), {"processes": 1} | dict(now)
    for name in (name for name in now if name != "code"):
        if before.get(name) != now[name]:
            say(f"warning: {name} was {before.get(name)} when this run began and is {now[name]} "
                "now; results may differ in the last digits")  # fmt: skip
    if "code" in before and before["code"] != now.get("code"):  # earlier versions did not note it
        say("warning: the code of data, detector or losses has changed since this run began; "
            "results may differ")  # fmt: skip
