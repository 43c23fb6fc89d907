"""Checks an evidence file with nothing but the published keys: verify_evidence.py EVIDENCE.zip JWKS.json"""

import base64
import json
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MANIFEST, SIGNATURE = "manifest.json", "manifest.jws"
sys.excepthook = lambda kind, error, trace: print(f"FAILED  no evidence, or altered: {kind.__name__} {error}")


def check(what, holds):
    if not holds:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")


def unpack(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


archive = zipfile.ZipFile(sys.argv[1])
keys = {one["kid"]: unpack(one["x"]) for one in json.loads(Path(sys.argv[2]).read_text())["keys"]}
token = archive.read(SIGNATURE).decode("ascii")
head, body, signature = token.split(".")
header, manifest = json.loads(unpack(head)), json.loads(unpack(body))
check("it is signed as evidence", header["typ"] == "heed-evidence+json" and header["alg"] == "Ed25519")
check(f"key {header['kid']} is published", header["kid"] in keys)
Ed25519PublicKey.from_public_bytes(keys[header["kid"]]).verify(unpack(signature), f"{head}.{body}".encode())
print("ok      the signature holds")
names = sorted(name for name in archive.namelist() if name not in {MANIFEST, SIGNATURE})
check("the manifest that is read is the one that was signed", json.loads(archive.read(MANIFEST)) == manifest)
check("just the files that were signed are in it", names == sorted(manifest["files"]))
for name in names:
    check(f"{name} is unaltered", sha256(archive.read(name)).hexdigest() == manifest["files"][name]["sha256"])
print(f"Evidence of request {manifest['request']}, made at {manifest['made_at']}.")
