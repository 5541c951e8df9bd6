"""What a run folder is about: claimed by the first process, another experiment is refused."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from miaod_nb.config import Config, make_config, validated
from miaod_nb.errors import RunFolderError
from miaod_nb.progress import say
from miaod_nb.runs.card import Card
from miaod_nb.runs.files import RunFolder
from miaod_nb.runs.pool_file import POOL, digested, read_pool, save_pool
from miaod_nb.runs.schema import VERSION, Described, read_document


def project_folder() -> Path:
    """Where `runs` and `data` lie: the current folder, or, where a kernel started among notebooks,
    the project's above them: those of the project, or the copies in one of its run folders."""
    here = Path.cwd()
    for above in here.parents[:3] if here.name in ("notebooks", "lab") else ():
        if (above / "pyproject.toml").is_file():
            return Path(os.path.relpath(above, here))
    return Path()


def named_folder(path: str | Path) -> Path:
    """The folder that a user named: `~` is the home folder, and a relative path means the same in a
    notebook as on the command line, that below the project's folder; where only the current
    folder has it, it is that one."""
    given = Path(path).expanduser()
    in_project = project_folder() / given
    return given if given.exists() and not in_project.exists() else in_project


def default_run_dir(config: Config, fingerprint: str) -> Path:
    """`runs/<preset>`, with the fingerprint's first six digits if a setting differs from it."""
    changed = make_config(config.preset).identity() != config.identity()
    return project_folder() / "runs" / (config.preset + (f"-{fingerprint[:6]}" if changed else ""))


def has_begun(folder: RunFolder) -> bool:
    """Whether a step of the run is done: what failed before binds nobody."""
    return "split" in folder.done_steps(0)


def stored_identity(folder: RunFolder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the data that a run folder's experiment is about; lists of images by their
    digests. Raises RunFolderError."""
    described: Described = read_document(folder, "config.json", Described)
    identity: dict[str, Any] = {**described["identity"]}
    return identity, digested(identity.pop("data"))


def refuse_another(
    folder: RunFolder, config: Config, card: Card, data: Mapping[str, Any] | None = None,
    missing: Sequence[str] = (),
) -> None:  # fmt: skip
    """Raises RunFolderError naming every difference in what decides results, if the folder holds
    another experiment that has begun. card: of its strategy. data: its identity; None: whatever the
    folder says. missing: ids of images of the run's pool that cannot be used now."""
    if not has_begun(folder):
        return
    before, stored_data = stored_identity(folder)
    now_data = stored_data if data is None else digested(data)
    now = config.identity()
    # A setting that did not exist when the run began had its default.
    defaults = validated({}).model_dump(mode="json")
    before = {key: defaults[key] for key in now.keys() - before.keys()} | before
    if before["training"] == card.training_of("auto"):  # another spelling
        before["training"] = "auto"
    differing = [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key)
    ]
    if missing and not differing:
        raise RunFolderError(
            f"{len(missing)} images of this run's pool cannot be used now: "
            + ", ".join(missing[:5]) + (", ..." if missing[5:] else ""),
            where=folder.path(POOL),
            remedy="put them back, and into the list if there is one, or choose another run_dir",
        )  # fmt: skip
    differing += [
        f"{key}: {_count(stored_data.get(key, []))} there, {_count(now_data.get(key, []))} now, or "
        "others"
        for key in sorted(now_data.keys() | stored_data.keys())
        if stored_data.get(key) != now_data.get(key)
    ]
    if differing:
        raise RunFolderError(
            "the run folder holds another experiment; " + "; ".join(differing),
            where=folder.path("config.json"),
            remedy="choose another run_dir, or the same settings as before",
        )


def _count(of_data: Sequence[Any] | Mapping[str, Any]) -> int:
    return of_data["images"] if isinstance(of_data, Mapping) else len(of_data)


def claim_folder(
    folder: RunFolder, config: Config, card: Card, data: Mapping[str, Any], fingerprint: str,
    environment: Mapping[str, Any], data_root: Path, images: pd.DataFrame,
    missing: Sequence[str] = (),
) -> None:  # fmt: skip
    """Describes the experiment in its run folder, or checks that the folder holds the same one.

    data_root: noted, so that the folder alone is enough to go on; it may change. images: the table
    of its images, which may have grown; missing: see `refuse_another`.

    Another environment is a warning. Raises RunFolderError as `refuse_another` does.
    """
    if has_begun(folder) and folder.exists("config.json"):
        refuse_another(folder, config, card, data, missing)
        if folder.exists("environment.json"):
            recorded = read_document(folder, "environment.json", dict[str, Any])
            _warn_of_changes(recorded, environment)
    else:
        remains = [name for name in ("log.jsonl", "cycle0") if folder.exists(name)]
        if remains and not folder.exists("config.json"):
            raise RunFolderError(
                f"the folder holds {' and '.join(remains)} of an experiment, but no config.json",
                where=folder.path("config.json"),
                remedy="restore the file, or choose another run_dir",
            )
        folder.save_json("environment.json", dict(environment))
        folder.save_text("fingerprint.txt", fingerprint + "\n")
    save_pool(folder, images, read_pool(folder) if has_begun(folder) else None)
    folder.save_json(
        "config.json",
        {"version": VERSION, "settings": config.model_dump(mode="json"),
         "data_root": str(data_root.resolve()), "card": card.as_dict(),
         "identity": config.identity() | {"data": digested(data)}},
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
