"""Of a shard exactly the person's samples go, with all their members, and all other bytes stay."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.downstream.connectors.file_grounds import add
from tests.downstream.engines.acting import difference, engine_of, put, refusal, without

SHARDS = engine_of("webdataset")
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
Members = Iterable[tuple[str, bytes]]


def of(person: str) -> bytes:
    return json.dumps({"person": person}).encode()


def shard(members: Members, *, form: int = tarfile.PAX_FORMAT, **options: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, **options) as tar:
        for name, content in members:
            add(tar, name, content)
    return out.getvalue()


SAMPLES = [
    ("d/0.jpg", b"j" * 600), ("d/0.json", of("m_keep")), ("d/1.json", of("m_go")), ("d/1.jpg", b"k" * 700),
    ("README", b"m_go"), ("d/2.txt", b""), ("d/0.txt", b"x"),
]  # fmt: skip
STAY = [member for member in SAMPLES if not member[0].startswith("d/1.")]


@pytest.mark.parametrize("form", FORMATS)
def test_samples_go_as_a_whole_and_all_else_stays_byte_for_byte(tmp_path: Path, form: str) -> None:
    file = put(tmp_path, shard(SAMPLES, form=FORMATS[form]))
    kept = without(SHARDS, file, {"m_go"})
    assert kept == shard(STAY, form=FORMATS[form])
    assert len(kept) % 10_240 == 0
    assert SHARDS.inspect(file, key_column="person").rows == 3
    assert "person" in SHARDS.inspect(file, key_column="person").schema


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_long_and_foreign_names_stay(tmp_path: Path, form: str) -> None:
    names = ["long/" * 60 + "0", "ü/" + "é" * 80, "a.b/c"]
    members = [(f"{name}.{end}", of("m_keep")) for name in names for end in ("json", "bin")]
    going = [(f"{name}-.{end}", of("m_go")) for name in names for end in ("json", "bin")]
    mixed = [one for pair in zip(members, going, strict=True) for one in pair]
    file = put(tmp_path, shard(mixed, form=FORMATS[form]))
    assert without(SHARDS, file, {"m_go"}) == shard(members, form=FORMATS[form])


def test_members_that_lie_apart_go_too(tmp_path: Path) -> None:
    members = [("1.jpg", b"j"), ("0.json", of("m_keep")), ("1.json", of("m_go")), ("0.jpg", b"k"), ("1.txt", b"l")]
    kept = [member for member in members if member[0].startswith("0.")]
    assert without(SHARDS, put(tmp_path, shard(members)), {"m_go"}) == shard(kept)


@pytest.mark.parametrize("people", [("m_go", "m_keep"), ("m_keep", "m_go")])
def test_a_name_that_is_there_twice_counts_with_both(tmp_path: Path, people: tuple[str, str]) -> None:
    members = [("0.json", of("m_keep")), *(("1.json", of(one)) for one in people)]
    assert without(SHARDS, put(tmp_path, shard(members)), {"m_go"}) == shard(members[:1])


def test_another_member_may_name_the_person(tmp_path: Path) -> None:
    members = [("0.json", of("m_keep")), ("0.meta.json", of("m_go")), ("1.META.JSON", of("m_keep"))]
    engine = engine_of("webdataset", json_member="meta.json")
    assert without(engine, put(tmp_path, shard(members)), {"m_go"}) == shard(members[2:])


def test_packed_shards_stay_packed(tmp_path: Path) -> None:
    file = put(tmp_path, gzip.compress(shard(SAMPLES)))
    assert gzip.decompress(without(SHARDS, file, {"m_go"})) == shard(STAY)


@pytest.mark.parametrize("zeros", [0, 512, 1_024, 1_536])
def test_another_end_than_the_usual_stays(tmp_path: Path, zeros: int) -> None:
    def ended(members: Members) -> bytes:
        whole = shard(members)
        return whole[: tarfile.open(fileobj=io.BytesIO(whole)).getmembers()[-1].offset_data + 512] + bytes(zeros)

    members = [("0.json", of("m_go")), ("1.json", of("m_keep"))]
    assert without(SHARDS, put(tmp_path, ended(members)), {"m_go"}) == ended(members[1:])


def test_folders_and_headers_of_the_whole_stay(tmp_path: Path) -> None:
    def whole(members: Members) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", pax_headers={"comment": "of 2024"}) as tar:
            folder = tarfile.TarInfo("d")
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
            for name, content in members:
                add(tar, name, content)
        return out.getvalue()

    assert without(SHARDS, put(tmp_path, whole(SAMPLES)), {"m_go"}) == whole(STAY)


def test_one_name_for_all_members_is_refused(tmp_path: Path) -> None:
    file = put(tmp_path, shard(SAMPLES, pax_headers={"path": "0.json"}))
    assert refusal(SHARDS, file) == "unsupported_member"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_what_is_no_file_of_its_own_is_refused(tmp_path: Path, kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, "0.json", of("m_go"))
        link = tarfile.TarInfo("1.jpg")
        link.type, link.linkname = kind, "0.json"
        tar.addfile(link)
    assert refusal(SHARDS, put(tmp_path, out.getvalue())) == "unsupported_member"


def _end_of(data: bytes) -> int:
    return tarfile.open(fileobj=io.BytesIO(data)).getmembers()[-1].offset_data


@pytest.mark.parametrize("spoil", [
    lambda data: data[: _end_of(data)],
    lambda data: data[: _end_of(data) + 100],
    lambda data: data[: _end_of(data) - 100],
    lambda data: data[: 1_024] + b"x" + data[1_025:],
    lambda data: data[: 1_024 + 148] + b"zzz" + data[1_024 + 151:],
    lambda data: b"{}" * 600,
])  # fmt: skip
def test_what_is_damaged_is_refused(tmp_path: Path, spoil: Any) -> None:
    data = spoil(shard([("0.json", of("m_go")), ("1.json", of("m_keep"))]))
    assert refusal(SHARDS, put(tmp_path, data)) == "dataset_unreadable"


def test_two_tars_in_one_are_refused(tmp_path: Path) -> None:
    assert refusal(SHARDS, put(tmp_path, shard(SAMPLES) * 2)) == "unsupported_member"


def test_a_member_that_is_no_json_is_refused_by_its_number(tmp_path: Path) -> None:
    file = put(tmp_path, shard([("m_go.json", of("m_go")), ("m_keep.json", b"{m_go")]))
    assert refusal(SHARDS, file) == "not_webdataset"
    with pytest.raises(Exception, match="sample 2 is no JSON"):
        SHARDS.check_rewritable(file)


def test_a_shard_in_which_nobody_is_named_is_refused_unless_it_may(tmp_path: Path) -> None:
    file = put(tmp_path, shard([("0.jpg", b"j"), ("0.json", b"[1]")]))
    assert refusal(SHARDS, file) == "key_column_missing"
    assert without(engine_of("webdataset", key_optional=True), file, {"m_go"}) == Path(file.path).read_bytes()


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (SAMPLES, "still holds"),
        (STAY[:2], "not 2"),
        ([*STAY[:-1], ("d/0.txt", b"y")], "differs"),
        ([STAY[1], STAY[0], *STAY[2:]], "differs"),
        ([member for member in STAY if member[0] != "README"], "differs"),
    ],
)
def test_a_version_that_differs_otherwise_is_not_taken(tmp_path: Path, members: Members, why: str) -> None:
    assert why in difference(SHARDS, put(tmp_path, shard(SAMPLES)), shard(members), {"m_go"})


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["json", "jpg", "x.json"]), st.sampled_from(["m_go", "m_k"]),
                  st.integers(0, 1_100)),
        max_size=8, unique_by=lambda one: one[:2],
    ),
    st.sampled_from(sorted(FORMATS)),
)  # fmt: skip
def test_it_agrees_with_a_filter_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str, str, int]], form: str
) -> None:
    members = [
        (f"{sample}.{end}", json.dumps({"person": person, "x": "-" * size}).encode())
        for sample, end, person, size in written
    ]
    going = {sample for sample, end, person, _ in written if (end, person) == ("json", "m_go")}
    file = put(tmp_path_factory.mktemp("shards"), shard(members, form=FORMATS[form]))
    kept = without(engine_of("webdataset", key_optional=True), file, {"m_go"})
    assert kept == shard([one for one in members if one[0].split(".")[0] not in going], form=FORMATS[form])
