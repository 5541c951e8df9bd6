"""The ids in image lists as they stand there, whether or not their images can be used."""

from pathlib import Path

from miaod_nb.errors import DataError


def listed_ids(data_root: Path, list_name: str) -> list[str]:
    """The ids in `ImageSets/Main/<list_name>.txt` of a VOC year folder, or of all years in a folder
    that holds several, sorted by name; a year without the list is skipped.

    Raises DataError when there is no such list.
    """
    file = f"ImageSets/Main/{list_name}.txt"
    is_year = (data_root / "ImageSets/Main").is_dir()
    lists = sorted(data_root.glob(file if is_year else f"*/{file}"))
    if not lists:
        raise DataError(f"there is no image list '{list_name}' in VOC layout", where=data_root,
                        remedy="give the folder with VOC2007 and VOC2012, or set train_list to the "
                        "list that is there")  # fmt: skip
    lines = [line for path in lists for line in _lines(path) if line.strip()]
    return [line.split()[0] for line in lines]  # a class list has a second column


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8-sig", errors="replace").splitlines()
