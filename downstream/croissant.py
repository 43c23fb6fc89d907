"""A dataset version as Croissant metadata (MLCommons Croissant 1.1, with terms of Croissant RAI 1.0), as JSON-LD.

What Croissant has no word for, how far people's choices are in the version, is said in a namespace of our own (`heed`).
"""

from typing import Any
from urllib.parse import quote

from django.conf import settings

from downstream import version_units, versions
from downstream.connectors.base import UnitVersion
from downstream.models import Dataset, DatasetVersion

MEDIA_TYPE = 'application/ld+json; profile="http://mlcommons.org/croissant/1.1"'
MOST_FILES = 5_000
"""So many files are listed one by one; of more, the set alone is named."""
NAMESPACE = "urn:x-heed:consent:"

_CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
# fmt: off
_CR_TERMS = (
    "annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract",
    "field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath",
    "key", "md5", "parentField", "readLines", "recordSet", "references", "regex", "sdVersion", "separator", "source",
    "subField", "transform", "unArchive", "value",
)
# fmt: on
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "http://schema.org/",
    "sc": "http://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "heed": NAMESPACE,
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _CR_TERMS},
}
"""The specification's own (appendix 1), with PROV and our namespace."""

_DATA_TYPES = {
    "text": "sc:Text",
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "datetime": "sc:DateTime",
    "date": "sc:Date",
    "time": "sc:Time",
}
_FORMATS = {"parquet_folder": ("application/vnd.apache.parquet", ["**/*.parquet", "**/*.parq", "**/*.pq"])}
_ANY_FORMAT = ("application/octet-stream", ["**"])
_FOLDER, _FILES, _RECORDS = "folder", "files", "records"


def export(version: DatasetVersion) -> dict[str, Any]:
    """The metadata of this version."""
    dataset = version.dataset
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "@id": f"{_address(dataset)}/versions/{version.number}",
        "conformsTo": _CONFORMS,
        "name": dataset.name,
        "description": _description(version),
        "url": _address(dataset),
        "license": _license(),
        "creator": {"@type": "Organization", "name": dataset.owner.name},
        "publisher": {"@type": "Organization", "name": settings.SITE_NAME},
        "version": f"{version.number}.0.0",
        "dateCreated": dataset.registered_at.isoformat(),
        "datePublished": version.made_at.isoformat(),
        "dateModified": version.made_at.isoformat(),
        # what lies at the location goes on to change; the sums are those of this version
        "isLiveDataset": True,
        **_responsible(version),
        **_provenance(version),
        "distribution": _distribution(version),
        "recordSet": _record_sets(version),
        "heed:consentState": consent_state(version),
    }


def consent_state(version: DatasetVersion) -> dict[str, Any]:
    """How far people's choices are in this version."""
    dataset = version.dataset
    lists = [f"{settings.SITE_URL}/api/v1/suppression/{one}?dataset={dataset.slug}" for one in dataset.purposes]
    return {
        "@type": "heed:ConsentState",
        "heed:position": versions.verified_up_to(version),
        "heed:verifiedAt": version.made_at.isoformat() if _is_verified(version) else None,
        "heed:purpose": list(dataset.purposes),
        "heed:recipient": dataset.owner_id,
        "heed:peopleTakenOut": versions.people_taken_out(version),
        "heed:holdsWhatNobodyLookedThrough": version.has_arrivals,
        "heed:manifestDigest": version.manifest_digest,
        "heed:suppressionList": [{"@id": one} for one in lists],
    }


def _is_verified(version: DatasetVersion) -> bool:
    return not version.has_arrivals and version.propagation_id is not None


def _address(dataset: Dataset) -> str:
    return f"{settings.SITE_URL}/api/v1/datasets/{dataset.slug}"


def _description(version: DatasetVersion) -> str:
    state = (
        "It holds files that nobody has looked through yet for people who may not be in it."
        if version.has_arrivals
        else f"Every refusal up to position {versions.verified_up_to(version)} of the log is carried out in it."
    )
    return f"{version.dataset.name}, version {version.number}: {version.rows} rows in {version.files} files. {state}"


def _license() -> dict[str, str]:
    """The rows are people's, and their choices decide about use; no licence of the usual list says that."""
    return {
        "@type": "CreativeWork",
        "name": "No licence is granted. Use is limited to the purposes named in heed:consentState.",
    }


def _responsible(version: DatasetVersion) -> dict[str, Any]:
    return {
        "rai:dataUseCases": [f"Purpose {one}" for one in version.dataset.purposes],
        "rai:personalSensitiveInformation": [
            f"Each row is about the person that the column {version.dataset.key_column} names."
        ],
        "rai:dataManipulationProtocol": (
            "Rows of people whose data may not be used for every purpose served are removed, and what is left is"
            " compared with what was there before."
        ),
        "rai:dataReleaseMaintenancePlan": [
            "A new version each time rows are removed or files change; train on the newest."
        ],
    }


def _provenance(version: DatasetVersion) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if version.parent is not None:
        told["prov:wasDerivedFrom"] = {"@id": f"{_address(version.dataset)}/versions/{version.parent.number}"}
    if version.propagation_id is not None:
        told["prov:wasGeneratedBy"] = {
            "@type": "prov:Activity",
            "@id": f"urn:uuid:{version.propagation_id}",
            "prov:label": "Removal of people whose data may not be used",
        }
    return told


def _distribution(version: DatasetVersion) -> list[dict[str, Any]]:
    dataset = version.dataset
    media_type, patterns = _FORMATS.get(dataset.kind, _ANY_FORMAT)
    location = dataset.location if "://" in dataset.location else f"file://{dataset.location}"
    folder = {
        "@type": "cr:FileObject",
        "@id": _FOLDER,
        "name": dataset.slug,
        "contentUrl": location,
        "encodingFormat": "inode/directory",
    }
    files = {
        "@type": "cr:FileSet",
        "@id": _FILES,
        "name": f"{dataset.slug}: all files",
        "containedIn": {"@id": _FOLDER},
        "encodingFormat": media_type,
        "includes": patterns,
    }
    units = version_units.of(version) or {}
    listed = sorted(units.values(), key=lambda unit: unit.name) if len(units) <= MOST_FILES else []
    return [folder, files, *(_file(unit, media_type) for unit in listed)]


def _file(unit: UnitVersion, media_type: str) -> dict[str, Any]:
    told = {
        "@type": "cr:FileObject",
        "@id": f"file/{quote(unit.name)}",
        "name": unit.name,
        "containedIn": {"@id": _FOLDER},
        "contentUrl": unit.name,
        "contentSize": f"{unit.size} B",
        "encodingFormat": media_type,
        "heed:rows": unit.rows,
        "heed:digest": unit.digest,
    }
    # known of files that a run has read as a whole; nobody reads the others only to say so
    return {**told, "sha256": unit.sha256} if unit.sha256 else told


def _record_sets(version: DatasetVersion) -> list[dict[str, Any]]:
    if not version.columns:
        return []
    return [
        {
            "@type": "cr:RecordSet",
            "@id": _RECORDS,
            "name": _RECORDS,
            "description": "One record a row.",
            "field": [_field(one, _RECORDS, one["name"]) for one in version.columns],
        }
    ]


def _field(column: dict[str, Any], parent: str, path: str) -> dict[str, Any]:
    """A column; of a record within a row, its parts are sub-fields."""
    address = f"{parent}/{quote(column['name'], safe='')}"
    told: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": address,
        "name": column["name"],
        "description": f"Arrow type {column['type']}",
        "source": {"fileSet": {"@id": _FILES}, "extract": {"column": path}},
    }
    if column["columns"]:
        told["subField"] = [_field(one, address, f"{path}.{one['name']}") for one in column["columns"]]
    else:
        told["dataType"] = _DATA_TYPES.get(column["kind"], "sc:Text")
    if column["list"]:
        told |= {"isArray": True, "arrayShape": "-1"}
    return told
