"""VOC comes from a server of our own: whole, cut off, damaged, and not at all."""

import errno
import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from torchvision.datasets.voc import DATASET_YEAR_DICT

from miaod_nb.data import download as module
from miaod_nb.data.download import ARCHIVES, download_voc
from miaod_nb.data.records import FaultCounts
from miaod_nb.data.sources import open_source, scan_list
from miaod_nb.errors import DataError
from tests.conftest import write_voc

FIRST, TEST, LAST = (DATASET_YEAR_DICT[name]["filename"] for name in ARCHIVES)


class Server(ThreadingHTTPServer):
    """Serves `files`; those in `cut` break off halfway, and `served` says what was asked for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.served = files, list[str]()
        self.cut: set[str] = set()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)
        self.server.served.append(name)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The three archives as they are packed officially, of a devkit of few images."""
    root = tmp_path_factory.mktemp("official")
    for year, num_test in (("VOC2007", 3), ("VOC2012", 0)):
        write_voc(root / f"VOCdevkit/{year}", 5, num_test, seed=num_test, prefix=year[3:])
    (root / "VOCdevkit/VOC2012/ImageSets/Main/test.txt").unlink()
    packed = {}
    for name, list_name in ARCHIVES.items():
        year = root / DATASET_YEAR_DICT[name]["base_dir"]
        list_path = year / f"ImageSets/Main/{list_name}.txt"
        path = root / DATASET_YEAR_DICT[name]["filename"]
        with tarfile.open(path, "w") as tar:
            tar.add(list_path, list_path.relative_to(root))
            for image_id in list_path.read_text().split():
                for part in (f"Annotations/{image_id}.xml", f"JPEGImages/{image_id}.jpg"):
                    tar.add(year / part, (year / part).relative_to(root))
        packed[path.name] = path.read_bytes()
    return packed


@pytest.fixture
def server(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Stands for the official one; torchvision's table has its address and these checksums."""
    server = Server(dict(archives))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ARCHIVES:
        entry = DATASET_YEAR_DICT[name]
        file = entry["filename"]
        url = f"http://127.0.0.1:{server.server_port}/{file}"
        checksum = hashlib.md5(archives[file]).hexdigest()
        monkeypatch.setitem(DATASET_YEAR_DICT, name, entry | {"url": url, "md5": checksum})
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def ids(devkit: Path, list_name: str) -> list[str]:
    faults = FaultCounts()
    records = scan_list(open_source(devkit), list_name, faults)
    assert not faults.lines()
    return [record.id for record in records]


def test_three_archives_make_one_devkit(server, tmp_path, capfd):
    devkit = download_voc(tmp_path / "data")
    assert devkit == tmp_path / "data/VOCdevkit"
    trainval = [f"{year}{number:06d}" for year in (2007, 2012) for number in range(1, 6)]
    assert ids(devkit, "trainval") == trainval
    assert ids(devkit, "test") == ["2007000006", "2007000007", "2007000008"]
    assert not list((tmp_path / "data").glob("*.tar"))
    said = capfd.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()] == [
        f"VOC archive {number} of 3" for number in (1, 2, 3)
    ]
    assert said.err.count("100%") == 3  # torchvision's bar


def test_a_complete_devkit_is_left_alone(server, tmp_path, capfd):
    download_voc(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capfd.readouterr()
    server.served.clear()
    assert download_voc(tmp_path) == tmp_path / "VOCdevkit"
    assert not server.served and capfd.readouterr() == ("", "")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_only_what_is_missing_is_downloaded(server, tmp_path):
    devkit = download_voc(tmp_path)
    (devkit / "VOC2007/JPEGImages/2007000007.jpg").unlink()  # of the test list
    (devkit / "VOC2012/ImageSets/Main/trainval.txt").unlink()
    server.served.clear()
    download_voc(tmp_path)
    assert set(server.served) == {TEST, LAST}
    assert len(ids(devkit, "test")) == 3 and len(ids(devkit, "trainval")) == 10


def test_a_download_that_was_cut_off_is_done_again(server, tmp_path):
    server.cut.add(TEST)
    with pytest.raises(DataError, match="was cut off or is damaged|cannot be downloaded") as caught:
        download_voc(tmp_path)
    assert "start again" in caught.value.remedy and "data_root" in caught.value.remedy
    server.cut.clear()
    server.served.clear()
    devkit = download_voc(tmp_path)
    assert set(server.served) == {TEST, LAST}  # the first archive was unpacked before
    assert len(ids(devkit, "test")) == 3 and len(ids(devkit, "trainval")) == 10


def test_a_wrong_checksum_is_refused_before_anything_is_unpacked(server, tmp_path):
    server.files[FIRST] = server.files[LAST]
    with pytest.raises(DataError, match="its checksum is wrong") as caught:
        download_voc(tmp_path)
    assert caught.value.where == tmp_path / FIRST
    assert not (tmp_path / "VOCdevkit").exists()


def test_an_address_that_cannot_be_reached(server, tmp_path):
    del server.files[LAST]
    with pytest.raises(DataError, match=rf"{LAST} cannot be downloaded \(Not Found\)") as caught:
        download_voc(tmp_path)
    assert str(caught.value.where).endswith(LAST)
    assert "check the network" in caught.value.remedy and "data/README.md" in caught.value.remedy


def test_no_network(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="cannot be downloaded .*refused.*"):
        download_voc(tmp_path)


def test_unpacking_that_was_cut_off_is_done_again_without_network(
    server, archives, tmp_path, monkeypatch
):
    """The archive lies there until all of it is unpacked."""
    extract = module.download_and_extract_archive

    def interrupted(url: str, root: str, filename: str, **rest: object) -> None:
        extract(url, root, filename=filename, **rest)
        (tmp_path / filename).write_bytes(archives[filename])  # it was not yet removed
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "download_and_extract_archive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download_voc(tmp_path)
    (tmp_path / "VOCdevkit/VOC2007/JPEGImages/2007000005.jpg").write_bytes(b"half")
    server.served.clear()
    devkit = download_voc(tmp_path)
    assert set(server.served) == {TEST, LAST} and len(ids(devkit, "trainval")) == 10


def test_archives_put_there_by_hand_are_used(server, archives, tmp_path):
    for name, content in archives.items():
        (tmp_path / name).write_bytes(content)
    assert len(ids(download_voc(tmp_path), "trainval")) == 10
    assert not server.served


def failing(code: int) -> Callable[..., None]:
    def fail(*arguments: object, **rest: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "no space left"), (errno.EACCES, "no write permission")]
)
def test_a_disk_without_space_or_permission(server, tmp_path, monkeypatch, code, words):
    for name in ("download_and_extract_archive", "Path.mkdir"):
        with monkeypatch.context() as patch:
            patch.setattr(f"miaod_nb.data.download.{name}", failing(code))
            with pytest.raises(DataError, match=words) as caught:
                download_voc(tmp_path)
        assert caught.value.where == tmp_path and "data_root" in caught.value.remedy


def test_a_second_process_waits_and_finds_all_done(server, tmp_path, capfd):
    threads = [threading.Thread(target=download_voc, args=(tmp_path,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert capfd.readouterr().out.count("VOC archive") == 3  # each once
    assert len(ids(tmp_path / "VOCdevkit", "trainval")) == 10
