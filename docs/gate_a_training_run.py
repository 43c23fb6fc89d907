"""Trains only with a permit: gate_a_training_run.py FOLDER_OF_PARQUET DATASET MODEL. Exit code 3: not permitted."""

import base64
import hashlib
import json
import os
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BASE, KEYS = os.environ["HEED"], json.loads(Path(os.environ["HEED_JWKS"]).read_text())["keys"]
folder, dataset, model = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def call(verb, path, **body):
    headers = {"Authorization": f"Bearer {os.environ['HEED_TOKEN']}"}
    return requests.request(verb, f"{BASE}/api/v1{path}", json=body or None, headers=headers, timeout=30)


def opened(jws):  # RFC 7515; raises where no key of the house made the signature
    signed, _, signature = jws.rpartition(".")
    header, claims = (json.loads(unpacked(one)) for one in signed.split("."))
    (key,) = (one["x"] for one in KEYS if one["kid"] == header["kid"])
    Ed25519PublicKey.from_public_bytes(unpacked(key)).verify(unpacked(signature), signed.encode())
    return header["typ"], claims


def unpacked(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- the gate -----------------------------------------------------------------------------------
run = {"run": str(uuid.uuid4()), "model": model, "purpose": "ai-training", "datasets": [{"dataset": dataset}]}
answer = call("POST", "/training-runs", **run)
if answer.status_code != 201:
    for why in answer.json().get("reasons", []):
        print(f"refused: {why['dataset']} {why['code']}: {why['text']}")
    sys.exit(3)
kind, permit = opened(answer.json()["jws"])
if kind != "heed-permit+jwt" or permit["exp"] < time.time() or permit["run"]["name"] != run["run"]:
    sys.exit("this is no permit for this run, or it is over")
# ------------------------------------------------------------------------------------------------

table = pq.read_table(folder, columns=["x", "y", "label"])
data = np.column_stack([table["x"], table["y"], np.ones(len(table))])
label, weights = np.asarray(table["label"], dtype=float), np.zeros(3)
for _ in range(20):
    if call("GET", f"/permits/{permit['jti']}").json()["state"] != "valid":
        print("stopped: the permit is void")
        sys.exit(3)
    for _ in range(50):
        weights -= 0.1 * data.T @ (1 / (1 + np.exp(-data @ weights)) - label) / len(label)

right = ((data @ weights > 0) == label).mean()
artefact = Path(f"{model}.npy")
np.save(artefact, weights)
digest = f"sha256:{hashlib.sha256(artefact.read_bytes()).hexdigest()}"
call("POST", f"/training-runs/{permit['run']['id']}/complete", artefact_digest=digest).raise_for_status()
print(f"trained on {len(label)} rows of {dataset} v{permit['datasets'][0]['version']}, {right:.0%} right, {digest}")
