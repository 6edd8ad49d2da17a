"""A device made of pycose, cbor2 and pyca/cryptography: prints its key and fresh signed readings as JSON.

Usage: pycose_device.py NETWORK UNIX_SECONDS COUNT
"""

import hashlib
import json
import os
import struct
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pycose.keys import OKPKey
from pycose.messages import Sign1Message

SEED = os.urandom(32)


def deterministic(value):
    """RFC 8949 section 4.2.1, with map keys in bytewise order as that section asks."""
    if isinstance(value, dict):
        pairs = sorted((deterministic(key), deterministic(item)) for key, item in value.items())
        return bytes([0xA0 | len(pairs)]) + b"".join(key + item for key, item in pairs)
    if isinstance(value, list):
        return bytes([0x80 | len(value)]) + b"".join(map(deterministic, value))
    return cbor2.dumps(value, canonical=True)


def public_key():
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def envelope(network, kid, boot, count, pack):
    header = {1: -8, 3: 112, 4: kid, 15: {7: struct.pack(">II", boot, count)}}
    encoded = deterministic(header)
    # pycose is told the encoded header as it stands: it would sort and name the parameters its own way.
    message = Sign1Message(phdr={}, uhdr={}, payload=deterministic(pack))
    message._phdr_encoded = encoded
    message.external_aad = ("lamppost/1/" + network).encode()
    message.key = OKPKey(crv="ED25519", x=public_key(), d=SEED)
    to_be_signed = cbor2.dumps(["Signature1", encoded, message.external_aad, message.payload])
    signature = Ed25519PrivateKey.from_private_bytes(SEED).sign(to_be_signed)
    signed = b"\xd2\x84" + cbor2.dumps(encoded) + b"\xa0" + cbor2.dumps(message.payload) + cbor2.dumps(signature)
    judged = Sign1Message.decode(signed)
    judged.external_aad = message.external_aad
    judged.key = OKPKey(crv="ED25519", x=public_key())
    assert judged.verify_signature(), "pycose accepts what was signed"
    return signed, hashlib.sha256(to_be_signed).hexdigest()


def main():
    network, now, readings = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    thumbprint = hashlib.sha256(deterministic({1: 1, -1: 6, -2: public_key()})).digest()
    made = []
    for count in range(1, readings + 1):
        value = cbor2.CBORTag(4, [-2, 1201 + 10 * count])
        pack = [{-1: 26, -2: "pm2.5", -3: now, -4: "ug/m3", 2: value}, {2: cbor2.CBORTag(4, [-1, 95]), 6: -1}]
        signed, transaction = envelope(network, thumbprint[:8], 1, count, pack)
        made.append({"envelope": signed.hex(), "transaction": transaction})
    print(json.dumps({"public_key": public_key().hex(), "kid": thumbprint[:8].hex(), "readings": made}))


main()
