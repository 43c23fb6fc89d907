"""What is in an answer equals what the database and the files say, in each of its three forms."""

from pathlib import Path

from consents.models import Subject
from tests.requests_app.packages import packing
from tests.requests_app.packages.packing import access, built, opened, post


def test_smoke(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    packing.posts(tmp_path / "posts", *(post(name, n) for n, name in enumerate(["alice", "charlie"] * 5)))
    package = built(access(alice))
    print(package.status, package.last_reason, package.parts)
    found = opened(package)
    print(sorted(found.files))
    print(found.files["index.html"].decode())
    print(found.pages("dataset-posts")[-2000:])
    for part in found.parts:
        print(part, found.rows(part)[:2])
    assert 0
