"""The download of ProteinShake's files from a server on this machine that fails in every way asked for."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from proteinshake.datasets.dataset import Dataset
from proteinshake.utils import write_avro

from bioblobs.config.parsing import parse
from bioblobs.errors import BioBlobsError
from bioblobs.sources import resumable, shake_files, unpacking
from bioblobs.sources.shake_files import MANIFEST, ensure_files, shake_file
from bioblobs.stages import download
from conftest import ROOT
from processes import wait_for

NAMES = ("SCOPDataset.residue.avro", "SCOPDataset.atom.avro")


def avro_file(path: Path, proteins: int = 40) -> bytes:
    """What ProteinShake's own writer makes of proteins of random coordinates, which do not pack well."""
    rng = np.random.default_rng(len(path.name))
    made = [{"protein": {"ID": str(i)}, "atom": {"x": rng.random(500).tolist()}} for i in range(proteins)]
    write_avro(made, path)
    content = path.read_bytes()
    path.unlink()
    return content


@dataclass
class Server:
    """What is served, and how it goes wrong.

    Attributes:
        files: name -> packed content.
        fails: status codes of the next answers, before any file is sent.
        cuts: number of bytes after which each of the next bodies breaks off.
        ranges: the Range header of every request for a file ("" without one).
        resumes: whether Range is understood.
        md5: checksums that the record tells; None: it has no interface.
        slow: whether bodies stop half-way, until the test is ``over``.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    fails: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    resumes: bool = True
    md5: dict[str, str] | None = None
    slow: bool = False
    over: threading.Event = field(default_factory=threading.Event)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[1]
            if self.path.startswith("/api/records/"):
                self.record()
            elif server.fails:
                self.answer(server.fails.pop(0), b"busy")
            elif name not in server.files:
                self.answer(404, b"no such file")
            else:
                self.file(server.files[name])

        def record(self) -> None:
            if server.md5 is None:
                self.answer(404, b"<html>")
                return
            files = [{"key": name, "checksum": f"md5:{value}"} for name, value in server.md5.items()]
            self.answer(200, json.dumps({"files": files}).encode())

        def file(self, content: bytes) -> None:
            wanted = self.headers.get("Range", "")
            server.ranges.append(wanted)
            found = re.fullmatch(r"bytes=(\d+)-", wanted)
            start = int(found[1]) if found and server.resumes else 0
            if start >= len(content):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            head = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
            cut = server.cuts.pop(0) if server.cuts else None
            self.answer(206 if start else 200, content[start:], head, cut)

        def answer(
            self, status: int, body: bytes, head: dict[str, str] | None = None, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **(head or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            if server.slow:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                server.over.wait()
                return
            self.wfile.write(body[:cut])
            self.wfile.flush()
            if cut is not None:
                self.close_connection = True
                self.connection.close()

    return Handler


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A release of both SCOP files, which ProteinShake's classes take for their own."""
    made = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        made.url = f"http://127.0.0.1:{http.server_port}/records/1/files"
        for name in NAMES:
            made.files[f"{name}.gz"] = gzip.compress(avro_file(tmp_path / name))
        of_the_class = Dataset.__init__

        def here(self: Dataset, *args: Any, **keys: Any) -> None:
            of_the_class(self, *args, **keys)
            self.repository_url = made.url

        monkeypatch.setattr(Dataset, "__init__", here)
        monkeypatch.setattr(resumable, "BACKOFF", 0.0)
        monkeypatch.delenv("http_proxy", raising=False)
        yield made
        made.over.set()
        http.shutdown()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "raw" / "scop"
    made.mkdir(parents=True)
    return made


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def assert_complete(root: Path, server: Server) -> None:
    """Both files are those that were served, and the manifest says so."""
    assert names(root) == {*NAMES, MANIFEST}
    manifest = json.loads((root / MANIFEST).read_text())
    for name in NAMES:
        content = (root / name).read_bytes()
        assert content == gzip.decompress(server.files[f"{name}.gz"])
        assert manifest[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert (manifest[name]["proteins"], manifest[name]["bytes"]) == (40, len(content))


def refused(root: Path) -> str:
    """The one line that says why; it names the file and how to put it there by hand."""
    with pytest.raises(BioBlobsError) as error:
        ensure_files(root, "scop")
    assert str(root) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_both_files_are_fetched_and_unpacked(root: Path, server: Server) -> None:
    ensure_files(root, "scop")
    assert_complete(root, server)
    ensure_files(root, "scop")
    assert server.ranges == ["", ""], "asked again for what was there"


def test_what_is_there_is_used_as_it_is(root: Path, server: Server) -> None:
    for name in NAMES:
        (root / name).write_bytes(b"mine")
    ensure_files(root, "scop")
    assert {name: (root / name).read_bytes() for name in names(root)} == dict.fromkeys(NAMES, b"mine")
    assert not server.ranges


@pytest.mark.parametrize("status", [503, 429, 500])
def test_busy_server_is_asked_again(root: Path, server: Server, status: int) -> None:
    server.fails = [status, status]
    ensure_files(root, "scop")
    assert_complete(root, server)


def test_server_that_stays_busy_is_one_line(root: Path, server: Server) -> None:
    server.fails = [503] * 50
    assert "too many 503 error responses" in refused(root)
    assert not names(root)


@pytest.mark.parametrize("resumes", [True, False])
def test_broken_connection_goes_on_where_it_stopped(root: Path, server: Server, resumes: bool) -> None:
    server.cuts, server.resumes = [30_000, 20_000], resumes
    ensure_files(root, "scop")
    assert_complete(root, server)
    assert server.ranges[:3] == ["", "bytes=30000-", f"bytes={50_000 if resumes else 20_000}-"]


def test_connection_that_never_brings_a_byte_is_given_up(root: Path, server: Server) -> None:
    server.cuts = [10_000] + [0] * 50
    assert "broke" in refused(root)
    assert (root / f"{NAMES[0]}.gz.part").stat().st_size == 10_000, "what came is kept for the next call"
    server.cuts = []
    ensure_files(root, "scop")
    assert_complete(root, server)
    assert "bytes=10000-" in server.ranges


@pytest.mark.parametrize("share", [0.5, 1.0, 1.5])
def test_part_of_an_earlier_call_is_taken_up(root: Path, server: Server, share: float) -> None:
    """Half of it, all of it (killed before unpacking), or more than there is: that is begun anew."""
    packed = server.files[f"{NAMES[0]}.gz"]
    (root / f"{NAMES[0]}.gz.part").write_bytes((packed * 2)[: int(share * len(packed))])
    ensure_files(root, "scop")
    assert_complete(root, server)


def test_file_that_is_not_there_is_one_line(root: Path, server: Server) -> None:
    del server.files[f"{NAMES[1]}.gz"]
    message = refused(root)
    assert "404" in message
    assert f"put {NAMES[1]} or {NAMES[1]}.gz there by hand" in message
    assert names(root) == {NAMES[0], MANIFEST}


def test_no_network_is_one_line(root: Path, server: Server) -> None:
    server.url = "http://127.0.0.1:9/records/1/files"  # nobody listens there
    assert "network" in refused(root)
    assert not names(root)


@pytest.mark.parametrize("fault", ["flipped", "cut", "html", "other count"])
def test_damaged_body_is_refused_and_not_kept(root: Path, server: Server, fault: str, tmp_path: Path) -> None:
    name = f"{NAMES[0]}.gz"
    whole = server.files[name]
    middle = len(whole) // 2
    server.files[name] = {
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "cut": whole[:middle],
        "html": b"<html>try later</html>",
        "other count": gzip.compress(gzip.decompress(whole).replace(b"proteins\x0440", b"proteins\x0441")),
    }[fault]
    assert "damaged" in refused(root)
    assert not names(root)
    server.files[name] = whole
    ensure_files(root, "scop")
    assert_complete(root, server)


def test_published_checksum_is_held_to(root: Path, server: Server) -> None:
    server.md5 = {name: hashlib.md5(packed).hexdigest() for name, packed in server.files.items()}
    server.files[f"{NAMES[0]}.gz"] = gzip.compress(avro_file(root / "other"))  # whole, but not that one
    assert "MD5" in refused(root)
    assert not names(root)
    server.md5[f"{NAMES[0]}.gz"] = hashlib.md5(server.files[f"{NAMES[0]}.gz"]).hexdigest()
    ensure_files(root, "scop")
    assert_complete(root, server)


def test_packed_file_put_there_by_hand_is_unpacked_and_stays(root: Path, server: Server) -> None:
    for name in NAMES:
        (root / f"{name}.gz").write_bytes(server.files[f"{name}.gz"])
    ensure_files(root, "scop")
    assert names(root) == {*NAMES, *server.files, MANIFEST}
    assert not server.ranges
    (root / NAMES[0]).unlink()
    (root / f"{NAMES[0]}.gz").write_bytes(server.files[f"{NAMES[0]}.gz"][:-9])
    assert f"{NAMES[0]}.gz: damaged" in refused(root)
    assert (root / f"{NAMES[0]}.gz").exists(), "a file of the user's was deleted"


def test_later_damage_is_named(root: Path, server: Server) -> None:
    ensure_files(root, "scop")
    path = root / NAMES[1]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert NAMES[1] in refused(root)
    (root / MANIFEST).write_text("{")
    assert MANIFEST in refused(root)
    (root / MANIFEST).unlink()
    ensure_files(root, "scop")  # as it is, then


@pytest.mark.parametrize("step", ["download", "unpack"])
def test_full_disk_is_found_before_it_is_full(
    root: Path, server: Server, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    packed = len(server.files[f"{NAMES[0]}.gz"])
    unpacked = len(gzip.decompress(server.files[f"{NAMES[0]}.gz"]))
    assert packed < unpacked - 1000
    free = packed - 1 if step == "download" else unpacked - 1
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(resumable.shutil, "disk_usage", lambda _: usage)
    assert "GB are free" in refused(root)
    assert not (root / NAMES[0]).exists()


def test_size_beyond_4_gib_is_estimated_from_the_packed_one(tmp_path: Path) -> None:
    """gzip keeps the size modulo 4 GiB; half the packed size is below any real content."""
    path = tmp_path / "big.gz"
    with path.open("wb") as file:
        file.truncate(9 * 2**30)  # sparse
        file.seek(-4, os.SEEK_END)
        file.write((1000).to_bytes(4, "little"))
    assert unpacking._unpacked_size(path) == 1000 + 2 * 2**32


FETCH = """
import sys
from pathlib import Path
from bioblobs.sources import resumable
resumable.CHUNK = 4096
resumable.fetch(sys.argv[1], Path(sys.argv[2]))
"""


def test_killed_download_leaves_a_part_that_the_next_call_takes_up(root: Path, server: Server) -> None:
    name = f"{NAMES[0]}.gz"
    part, half = root / f"{name}.part", len(server.files[name]) // 2
    server.slow = True
    command = [sys.executable, "-c", FETCH, f"{server.url}/{name}", str(part)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stderr=-3)
    try:
        wait_for(lambda: part.exists() and part.stat().st_size > 0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(root) == {part.name}
    server.slow = False
    begun = part.stat().st_size
    assert 0 < begun <= half
    ensure_files(root, "scop")
    assert_complete(root, server)
    assert server.ranges[1] == f"bytes={begun}-"


@pytest.mark.parametrize("folder", ["tmpabc", "standalone/tmpabc"], ids=["--queue", "--temp"])
def test_queued_experiment_links_the_files_of_its_workspace(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """DVC runs it in a copy without them, below <workspace>/.dvc/tmp/exps."""
    clone = tmp_path / ".dvc" / "tmp" / "exps" / folder
    (clone / ".dvc").mkdir(parents=True)
    held, inside = tmp_path / "data" / "raw" / "scop", Path("data") / "raw" / "scop"
    held.mkdir(parents=True)
    for name in NAMES:
        (held / name).write_bytes(gzip.decompress(server.files[f"{name}.gz"]))
    (clone / inside).mkdir(parents=True)
    monkeypatch.chdir(clone)
    ensure_files(inside, "scop")
    assert not server.ranges
    for name in NAMES:
        assert (inside / name).read_bytes() == (held / name).read_bytes()


def test_stage_fetches_for_proteinshake_only(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [f"--data.data_dir={tmp_path}", "--data.dataset_name=scop"]
    download.main([*flags, "--data.source=sample"])
    assert (tmp_path / "raw" / ".gitignore").read_text() == "*\n"
    assert not server.ranges
    (told,) = (tmp_path / "raw" / "scop").iterdir()
    assert "docs/data.md" in told.read_text()
    told.unlink()
    download.main([*flags, "--data.source=proteinshake"])
    assert_complete(tmp_path / "raw" / "scop", server)
    assert "complete" in capsys.readouterr().out


def test_address_is_the_installed_proteinshakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read off its class, without asking the network."""
    monkeypatch.setattr(requests, "head", lambda *_, **__: pytest.fail("asked the network"))
    config, _ = parse("test", [])
    path = shake_file(tmp_path, config.data.dataset_name, "atom")
    assert shake_files._release(path).startswith("http")
