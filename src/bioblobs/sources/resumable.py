"""Download of one large file over HTTP: retried, resumed where it stopped, with a progress bar.

Not pooch: it starts a broken download of several GB from the first byte, does not retry a broken body with
what has come, and does not look at the free space.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

RETRIES = 5
BACKOFF = 0.5
"""Seconds before the second try; doubled with each that follows."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of the answer."""
CHUNK = 1 << 20
WHOLE, PART, BEYOND = 200, 206, 416
"""HTTP status: the file, its rest, or that there is no rest."""


class FetchError(Exception):
    """Reason why a file could not be fetched, in a few words."""


def fetch(url: str, part: Path) -> None:
    """Download ``url`` to ``part``, after the bytes that are there already.

    A broken connection is made again as long as bytes still arrive. The bytes so far stay in ``part`` for
    the next call, also if the process is killed.

    Raises:
        FetchError: no network, an answer such as 404, or too little room on the disk.
    """
    idle = 0
    with _session() as session:
        while True:
            before = size_of(part)
            try:
                _fetch_rest(session, url, part)
                return
            except requests.exceptions.RetryError as error:  # after the session's own retries
                raise FetchError(f"{url} stays busy ({error.args[0].reason})") from error
            except requests.RequestException as error:
                raise FetchError(f"no answer from the network ({type(error).__name__})") from error
            except HTTPError as error:  # in the middle of the body
                idle = idle + 1 if size_of(part) <= before else 0
                if idle >= RETRIES:
                    raise FetchError(f"the connection broke {RETRIES} times ({error})") from error
                time.sleep(BACKOFF * 2**idle)


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def require_space(place: Path, size: int) -> None:
    """Check that ``size`` bytes fit on the disk of ``place``.

    Raises:
        FetchError: with both numbers.
    """
    free = shutil.disk_usage(place.parent).free
    if size > free:
        raise FetchError(f"needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free on that disk")


def _session() -> requests.Session:
    """Make a session that retries requests that fail before the body begins."""
    retry = Retry(
        total=RETRIES,
        connect=min(3, RETRIES),
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods={"GET"},
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _fetch_rest(session: requests.Session, url: str, part: Path) -> None:
    start = size_of(part)
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == BEYOND and answer.headers.get("Content-Range") == f"bytes */{start}":
            return  # it was complete
        begins = _begins_at(answer)
        if answer.status_code not in (WHOLE, PART, BEYOND):
            raise FetchError(f"{url} answers {answer.status_code} ({answer.reason})")
        if begins is not None and begins in (0, start):
            _write(answer, part, begins)
            return
    if not start:
        raise FetchError(f"{url} answers {answer.status_code} without saying which bytes it sends")
    part.unlink(missing_ok=True)  # not the beginning of what is there now
    _fetch_rest(session, url, part)


def _begins_at(answer: requests.Response) -> int | None:
    """Find where in the file the body of an answer begins; None if it does not say."""
    if answer.status_code == WHOLE:
        return 0
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _write(answer: requests.Response, part: Path, start: int) -> None:
    """Append the body after the first ``start`` bytes of ``part``, unbuffered."""
    length = answer.headers.get("Content-Length")
    rest = int(length) if length else None
    require_space(part, rest or 0)
    name = part.name.removesuffix(".part")
    total = start + rest if rest is not None else None
    with (
        part.open("ab" if start else "wb", buffering=0) as file,
        tqdm(desc=name, initial=start, total=total, unit="B", unit_scale=True, mininterval=1) as bar,
    ):
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
