"""An authorised agent of the Data Rights Protocol 1.0, as small as it can be. Needs `requests` and `pynacl`.

export HEED=https://privacy.example.com AGENT_ID=MY_AGENT BUSINESS_ID=linkwell
python authorised_agent.py key > agent.seed        # tells the verify key on standard error
python authorised_agent.py ask agent.seed heed:ai-training:opt-out somebody@example.org
"""

import base64
import json
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from nacl.signing import SigningKey


def signed(key: SigningKey, message: dict[str, Any]) -> bytes:
    """The body of a message: base64 of the signature and the JSON behind it."""
    return base64.b64encode(bytes(key.sign(json.dumps(message).encode())))


def envelope() -> dict[str, Any]:
    """Who, to whom, from when until when."""
    now = datetime.now(UTC)
    return {
        "agent-id": os.environ["AGENT_ID"],
        "business-id": os.environ["BUSINESS_ID"],
        "issued-at": now.isoformat(),
        "expires-at": (now + timedelta(minutes=15)).isoformat(),
    }


def ask(key: SigningKey, right: str, email: str) -> dict[str, Any]:
    """Set up, exercise the right, and ask how it stands."""
    base = f"{os.environ['HEED']}/drp/v1"
    text = {"Content-Type": "text/plain"}
    set_up = requests.post(f"{base}/agent/{os.environ['AGENT_ID']}", signed(key, envelope()), headers=text, timeout=30)
    if set_up.status_code != 200:
        sys.exit("refused: is the agent registered, and the key?")
    bearer = {"Authorization": f"Bearer {set_up.json()['token']}"}
    message = {
        **envelope(),
        "drp.version": "1.0",
        "exercise": right,
        "regime": "ccpa",
        "agent-request-id": str(uuid.uuid4()),
        "email": email,
        "email_verified": True,
    }
    sent = requests.post(f"{base}/data-rights-request", signed(key, message), headers=text | bearer, timeout=30)
    if sent.status_code != 200:
        sys.exit(f"refused: {sent.json()['code']}: {sent.json()['message']}")
    status = requests.get(f"{base}/data-rights-request/{sent.json()['request_id']}", headers=bearer, timeout=30)
    return dict(status.json())


def main() -> None:
    if sys.argv[1] == "key":
        key = SigningKey.generate()
        print(base64.b64encode(bytes(key)).decode())
        print("verify key:", base64.b64encode(bytes(key.verify_key)).decode(), file=sys.stderr)
        return
    _, _, seed, right, email = sys.argv
    print(json.dumps(ask(SigningKey(base64.b64decode(Path(seed).read_text())), right, email), indent=2))


if __name__ == "__main__":
    main()
