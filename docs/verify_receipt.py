"""Checks a receipt (JSON, JWS or PDF) with nothing but the published keys: verify_receipt.py RECEIPT JWKS.json"""

import base64
import json
import re
import sys
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAMES = ["id", "kind", "subject", "purpose", "recipient", "category", "action", "source", "actor", "notice"]
NAMES += ["evidence_digest", "details_digest", "occurred_at", "recorded_at"]
sys.excepthook = lambda kind, error, trace: print(f"FAILED  no receipt, or altered: {kind.__name__} {error}")


def check(what, holds):
    if not holds:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")


def unpack(text):
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def root_of(leaf, index, size, path):  # RFC 9162, 2.1.3.2
    first, last, root = index, size - 1, leaf
    for one in path:
        while first == last and first and not first % 2:
            first, last = first >> 1, last >> 1
        root = sha256(b"\x01" + (one + root if first % 2 else root + one)).digest()
        first, last = first >> 1, last >> 1
    return root if last == 0 and 0 <= index < size else b""


data, keys = Path(sys.argv[1]).read_bytes(), json.loads(Path(sys.argv[2]).read_text())["keys"]
keys = {one["kid"]: unpack(one["x"]) for one in keys}
shown = json.loads(data) if data.lstrip().startswith(b"{") else None
token = shown.pop("jws") if shown else re.search(rb"[\w-]{20,}\.[\w-]{20,}\.[\w-]{86}", data)[0].decode()
(head, said), signature = map(json.loads, map(unpack, token.split(".")[:2])), unpack(token.split(".")[2])
Ed25519PublicKey.from_public_bytes(keys[head["kid"]]).verify(signature, token.rpartition(".")[0].encode())
check(f"signed as a receipt, by key {head['kid']}", head["typ"].startswith("heed-receipt+"))
check("reads as it was signed", not shown or json.dumps(shown, sort_keys=True) == json.dumps(said, sort_keys=True))
printed = sha256(data.replace(token.encode(), b"0" * len(token))).hexdigest()
check("printed as it was signed", not data.startswith(b"%PDF") or printed == said["print"]["sha256"])
log, proof = said["log"], said["log"]["inclusion"]
event = dict(zip(NAMES, json.loads(log["content"]), strict=True))
subject = said.get("dpv:hasDataSubject", {}).get("dpv:hasIdentifier", said.get("piiPrincipalId"))
check(f"says what the log holds: {event}", said["event"] == event and subject == event["subject"])
if not proof:
    sys.exit(print("--      the log's proof is still to come: download the receipt again later"))
commitment = sha256(bytes.fromhex(log["salt"].replace("-", "")) + log["content"].encode()).hexdigest()
leaf = sha256(f"\x00heed-event-v1 {event['kind']} {commitment}".encode()).digest()
root = base64.b64encode(root_of(leaf, proof["index"], proof["size"], [unpack(one) for one in proof["hashes"]]))
text, name, number = proof["checkpoint"].rpartition("\n\n")[0], *proof["checkpoint"].split()[-2:]
check(f"is in the log, place {proof['index'] + 1}", text == f"{name}\n{proof['size']}\n{root.decode()}")
named = [raw for raw in keys.values() if sha256(f"{name}\n\x01".encode() + raw).digest()[:4] == unpack(number)[:4]]
Ed25519PublicKey.from_public_bytes(named[0]).verify(unpack(number)[4:], f"{text}\n".encode())
check(f"under a signed checkpoint over {proof['size']} entries", log["position"] == proof["index"] + 1)
