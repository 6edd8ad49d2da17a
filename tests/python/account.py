"""Accounts and a device made of cbor2 and pyca/cryptography, from the page on instructions alone: prints what they did.

Every instruction is asked for once as it must be refused and once as it is carried out.

Usage: account.py NODE_URL NETWORK OPERATOR_PEM TREASURY_PEM
"""

import hashlib
import json
import struct
import sys
import urllib.error
import urllib.request

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def deterministic(value):
    """RFC 8949 section 4.2.1, with map keys in bytewise order as that section asks."""
    if isinstance(value, dict):
        pairs = sorted((deterministic(key), deterministic(item)) for key, item in value.items())
        return bytes([0xA0 | len(pairs)]) + b"".join(key + item for key, item in pairs)
    return cbor2.dumps(value, canonical=True)


class Key:
    """An Ed25519 key, of an account or of a device."""

    def __init__(self, private):
        self.private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.cose = {1: 1, -1: 6, -2: self.public}
        self.id = hashlib.sha256(deterministic(self.cose)).digest()
        self.kid = self.id[:8]
        self.counter = 10**12

    def sign(self, protected, external_aad, payload):
        message = ["Signature1", protected, external_aad.encode(), payload]
        return self.private.sign(cbor2.dumps(message)), hashlib.sha256(cbor2.dumps(message)).hexdigest()

    def possession(self, purpose, payload):
        """The detached signature of `claim` and `rotate_key`."""
        protected = deterministic({1: -8, 4: self.kid})
        return self.sign(protected, f"lamppost/1/{NETWORK}/{purpose}", payload)[0]


def fresh():
    return Key(Ed25519PrivateKey.generate())


def from_pem(path):
    with open(path, "rb") as file:
        return Key(load_pem_private_key(file.read(), None))


def submit(key, instruction):
    """Signs and submits; gives the status, the answer and the id that was computed here."""
    key.counter += 1
    claims = {7: struct.pack(">Q", key.counter), 8: {1: key.cose}}
    protected = deterministic({1: -8, 3: 60, 4: key.kid, 15: claims})
    payload = deterministic(instruction)
    signature, transaction_id = key.sign(protected, f"lamppost/1/{NETWORK}", payload)
    envelope = b"\xd2" + cbor2.dumps([protected, {}, payload, signature])
    headers = {"Content-Type": "application/cose"}
    request = urllib.request.Request(f"{NODE}/api/v1/transactions", envelope, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer), transaction_id
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), transaction_id


def carried_out(key, *instruction):
    status, answer, transaction_id = submit(key, list(instruction))
    assert status == 202, (instruction[0], answer)
    assert answer["id"] == transaction_id, "both computed the same id"
    DONE.append({"name": instruction[0], "id": transaction_id})


def refused(reason, key, *instruction):
    status, answer, _ = submit(key, list(instruction))
    assert status >= 400 and answer["reason"] == reason, (instruction[0], reason, answer)
    DONE.append({"name": instruction[0], "refused": reason})


def tolerance(neighbours):
    """Four numbers for a ratio, one for a difference."""
    if "difference" in neighbours:
        return [neighbours["difference"]["level_max"]]
    names = ["level_min_permille", "level_max_permille", "ends_max_permille", "thirds_max_permille"]
    return [neighbours["ratio"][name] for name in names]


def tariff(node):
    """The next version of the tariff in force, twice as dear."""
    with urllib.request.urlopen(f"{node}/genesis", timeout=20) as answer:
        first = json.load(answer)["tariff"]
    quantities = []
    for quantity in first["quantities"]:
        texture, neighbours = quantity["texture"], quantity["neighbours"]
        quantities.append([
            quantity["name"],
            quantity["unit"],
            2 * int(quantity["price_microtokens"]),
            quantity["paid_records_max"],
            quantity["minimum"],
            quantity["maximum"],
            quantity["step_per_minute_max"],
            quantity["interval_seconds"],
            quantity["repeats_max"],
            quantity["plausible_min_permille"],
            texture and [texture["noise_max_permille"], texture["turns_min_permille"]],
            neighbours and tolerance(neighbours),
        ])
    return [
        first["version"] + 1,
        first["cell_resolution"],
        int(first["cell_budget_microtokens"]),
        first["neighbour_resolution"],
        first["neighbour_resolution_min"],
        first["late_after_seconds"],
        first["late_permille"],
        quantities,
    ]


def devices(operator, device, new_key, seller, buyer):
    street = [57_149_700, -2_094_300]
    carried_out(operator, "enrol", device.public, None, None)
    refused("already_enrolled", operator, "enrol", device.public, None, None)
    of_seller = device.possession("claim", seller.id)
    refused("possession", buyer, "claim", device.kid, street, of_seller)
    refused("position_unset", seller, "claim", device.kid, [0, 0], of_seller)
    carried_out(seller, "claim", device.kid, street, of_seller)
    refused("not_owner", buyer, "transfer_device", device.kid, buyer.id)
    carried_out(seller, "transfer_device", device.kid, buyer.id)
    refused("not_offered", seller, "accept_device", device.kid)
    carried_out(buyer, "accept_device", device.kid)
    of_buyer = new_key.possession("rotate", device.kid + buyer.id)
    refused("possession", operator, "rotate_key", device.kid, new_key.public, of_buyer)
    carried_out(buyer, "rotate_key", device.kid, new_key.public, of_buyer)
    refused("device_replaced", buyer, "revoke_device", device.kid, "why")
    carried_out(operator, "revoke_device", new_key.kid, "it stands in a cellar")


def tokens(operator, treasury, seller, buyer):
    pool = hashlib.sha256(f"lamppost system account\0{NETWORK}\0pool\0".encode()).digest()
    refused("not_treasury", operator, "issue", seller.id, 1_000)
    carried_out(treasury, "issue", seller.id, 1_000)
    refused("insufficient_balance", seller, "transfer", buyer.id, 1_001, None)
    carried_out(seller, "transfer", buyer.id, 400, "for the street lamp")
    carried_out(operator, "correct", 0, pool, seller.id, 70, "the first day was not counted")
    refused("exceeds_rewards", operator, "correct", 0, seller.id, pool, 71, "too much of it")
    carried_out(operator, "correct", 0, seller.id, pool, 30, "some of it was")


def main():
    operator, treasury = from_pem(sys.argv[3]), from_pem(sys.argv[4])
    device, new_key, seller, buyer = fresh(), fresh(), fresh(), fresh()
    devices(operator, device, new_key, seller, buyer)
    tokens(operator, treasury, seller, buyer)
    price_list = tariff(NODE)
    refused("not_operator", seller, "set_tariff", price_list)
    refused("malformed", operator, "set_tariff", [price_list[0]])
    carried_out(operator, "set_tariff", price_list)
    keys = {"device": device.kid, "new_key": new_key.kid, "seller": seller.id, "buyer": buyer.id}
    print(json.dumps({"done": DONE, "keys": {name: value.hex() for name, value in keys.items()}}))


DONE = []
NODE, NETWORK = sys.argv[1], sys.argv[2]
main()
