"""Judges a receipt by the standards alone and prints the entry it proves, in hex.

C2SP tlog-proof and signed note, RFC 9162 section 2.1.3.2; the validators' keys come from the genesis document.

Usage: judge_receipt.py RECEIPT GENESIS
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def root_of(entry, index, size, path):
    """The root that this audit path leads to."""
    node, last = index, size - 1
    digest = hashlib.sha256(b"\x00" + entry).digest()
    for sibling in path:
        assert last > 0, "the path is too long"
        if node % 2 == 1 or node == last:
            digest = hashlib.sha256(b"\x01" + sibling + digest).digest()
            while node % 2 == 0 and node > 0:
                node, last = node // 2, last // 2
        else:
            digest = hashlib.sha256(b"\x01" + digest + sibling).digest()
        node, last = node // 2, last // 2
    assert last == 0, "the path is too short"
    return digest


def check_note(body, signatures, validator):
    """The validator's signature line stands under the note and is right."""
    name, key_id, encoded = validator["vkey"].split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1, "an Ed25519 key"
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(blob[4:], body.encode())
            return
    raise AssertionError(f"{name} did not sign")


def main():
    receipt, genesis = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))
    head, body, signatures = receipt.split("\n\n")
    body += "\n"
    title, extra, index, *path = head.split("\n")
    assert title == "c2sp.org/tlog-proof@v1", title
    entry = base64.b64decode(extra.removeprefix("extra "), validate=True)
    origin, size, root = body.split("\n")[:3]
    assert origin == genesis["origin"], origin
    index, size = int(index.removeprefix("index ")), int(size)
    assert index < size
    path = [base64.b64decode(line, validate=True) for line in path]
    assert root_of(entry, index, size, path) == base64.b64decode(root), "the root differs"
    for validator in genesis["validators"]:
        check_note(body, signatures, validator)
    print(entry.hex())


main()
