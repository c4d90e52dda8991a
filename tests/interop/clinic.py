#!/usr/bin/env python3
"""A clinic's own program talks to a vialedger server, with nothing of vialedger's but the protos.

It reads the formulary with a bearer token (`vialedger token` printed it), has a dose worked out and a vial dispensed
against it, signs both requests with a pharmacist's own key, and believes no answer before it has verified the receipt:
that the ledger's key signed the checkpoint, and that the entry is in the tree of that checkpoint.

    pip install -r requirements.txt
    VIALEDGER_TOKEN=$(vialedger token --key pat.pem) \\
        python clinic.py --server https://127.0.0.1:7420 --ca ca.pem --vkey ledger.vkey --key pat.pem \\
                         --holder people/nina --patient patients/p7 --protos ../../proto

It says what it did, and ends with status 0. Anything that is not as it should be ends it with another one.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import sys
import tempfile
import time
import uuid

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from grpc_tools import protoc


# ---- The protos are all that an integrator needs ---------------------------------------------------------------------


def compile_protos(folder):
    """Makes Python modules of the .proto files, in a temporary folder, and imports the messages."""
    out = tempfile.mkdtemp()
    google = pathlib.Path(protoc.__file__).parent / "_proto"
    files = [str(path) for path in sorted(pathlib.Path(folder).rglob("*.proto"))]
    failed = protoc.main(["protoc", f"-I{folder}", f"-I{google}", f"--python_out={out}", *files])
    check(failed == 0, "the protos could not be compiled")
    sys.path.insert(0, out)
    from vialedger.v1 import custody_service_pb2, dose_pb2, dosing_service_pb2, entry_pb2

    return custody_service_pb2, dose_pb2, dosing_service_pb2, entry_pb2


# ---- Signing: DSSE's encoding of type and bytes, under the person's own key ------------------------------------------


def pae(kind, body):
    """What is signed: the type and the exact bytes, each with its length, so that neither can be taken for the other."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def uuid7():
    """A request id that carries its own time: 48 bits of milliseconds, then chance (RFC 9562, section 5.7)."""
    millis = time.time_ns() // 1_000_000
    number = (millis << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)  # version 7
    number = number & ~(0x3 << 62) | (0x2 << 62)  # variant of the RFC
    return str(uuid.UUID(int=number))


class Ledger:
    """A connection to one ledger, as one person."""

    def __init__(self, channel, vkey, key, token):
        self.channel, self.key, self.token = channel, key, token
        # The verifier key's line: origin + key id + base64 of 0x01 and the public key. It comes from outside: whoever
        # runs the ledger handed it out once.
        self.origin, key_id, public = vkey.strip().split("+", 2)
        public = base64.b64decode(public)
        check(public[0] == 1, "the verifier key is not Ed25519")
        self.key_id = bytes.fromhex(key_id)
        self.public_key = Ed25519PublicKey.from_public_bytes(public[1:])

    def read(self, method, request, answer, token=True):
        """A read shows the bearer token."""
        metadata = [("authorization", f"Bearer {self.token}")] if token else []
        call = self.channel.unary_unary(
            f"/vialedger.v1.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return call(request, metadata=metadata, timeout=30)

    def sign(self, request):
        """Fills in what every signed request has, serialises it once, and signs those bytes."""
        request.ledger, request.request_id = self.origin, uuid7()
        body = request.SerializeToString()
        kind = f"application/vnd.{request.DESCRIPTOR.full_name}+protobuf".encode()
        return body, self.key.sign(pae(kind, body))

    def write(self, method, body, signature, answer):
        """A write carries key and signature beside the very bytes that were signed."""
        metadata = [
            ("vialedger-key-bin", self.key.public_key().public_bytes_raw()),
            ("vialedger-signature-bin", signature),
        ]
        # No serialiser: what was signed is what is sent.
        call = self.channel.unary_unary(
            f"/vialedger.v1.{method}", response_deserializer=answer.FromString
        )
        return call(body, metadata=metadata, timeout=30)

    def verify(self, receipt):
        """Whether the ledger took this entry in. A receipt is a C2SP tlog-proof: https://c2sp.org/tlog-proof"""
        head, text, signatures = receipt.proof.split("\n\n", 2)
        header, index, *path = head.split("\n")
        check(header == "c2sp.org/tlog-proof@v1", "the receipt is not a proof")
        check(index == f"index {receipt.index}", "the proof is for another entry")
        origin, size, root = text.split("\n")
        check(origin == self.origin, "the checkpoint is another ledger's")

        # The checkpoint: a note that the ledger's key signed. https://c2sp.org/signed-note
        mine = f"— {self.origin} "
        lines = [line for line in signatures.split("\n") if line.startswith(mine)]
        signed = [base64.b64decode(line.removeprefix(mine)) for line in lines]
        signed = [blob[4:] for blob in signed if blob[:4] == self.key_id]
        check(len(signed) == 1, "the ledger's key did not sign the checkpoint")
        self.public_key.verify(signed[0], f"{text}\n".encode())  # raises when it does not hold

        # The entry: from its hash up to the root that was signed. RFC 9162, section 2.1.3.2
        def node(left, right):
            return hashlib.sha256(b"\x01" + left + right).digest()

        reached = hashlib.sha256(b"\x00" + receipt.entry).digest()
        at, last = receipt.index, int(size) - 1
        check(at <= last, "the entry is not in the tree")
        for sibling in map(base64.b64decode, path):
            check(last > 0, "the path is too long")
            if at % 2 == 1 or at == last:
                reached = node(sibling, reached)
                while at % 2 == 0 and at > 0:
                    at, last = at >> 1, last >> 1
            else:
                reached = node(reached, sibling)
            at, last = at >> 1, last >> 1
        check(last == 0, "the path is too short")
        check(reached == base64.b64decode(root), "the entry does not lead to the root that was signed")
        return int(size)


# ---- A dose and a vial -----------------------------------------------------------------------------------------------


def main():
    options = arguments()
    custody, doses, dosing, entries = compile_protos(options.protos)
    vkey = pathlib.Path(options.vkey).read_text()
    key = load_pem_private_key(pathlib.Path(options.key).read_bytes(), password=None)
    ledger = Ledger(connect(options), vkey, key, os.environ["VIALEDGER_TOKEN"])
    say(f"The ledger is {ledger.origin}.")

    def products(token):
        request = dosing.ListProductsRequest(page_size=1000)
        return ledger.read("DosingService/ListProducts", request, dosing.ListProductsResponse, token).products

    refused(grpc.StatusCode.UNAUTHENTICATED, lambda: products(token=False))
    say("Without a token it shows nothing.")
    product = one(item for item in products(token=True) if item.name == options.product)
    request = dosing.ListProtocolsRequest(page_size=1000)
    known = ledger.read("DosingService/ListProtocols", request, dosing.ListProtocolsResponse)
    protocol = one(item for item in known.protocols if item.name == options.protocol)
    say(f"With one, it lists {product.display_name}, and the protocol {protocol.title}.")

    # The patient answers no to every question of the protocol. A question left out would stop the calculation.
    inputs = doses.DoseInputs(
        patient=options.patient,
        protocol=protocol.name,
        product=product.name,
        weight=doses.BodyWeight(quantity={"value": "72.5", "unit": "kg"}, method=doses.WEIGHT_METHOD_MEASURED),
        age_years=44,
        syringe={"value": "5", "unit": "mL"},
        diluted_volume={"value": "50", "unit": "mL"},
        answers=[doses.EligibilityAnswer(question=asked.id, answer=doses.ANSWER_NO) for asked in protocol.questions],
    )
    inputs.weight.measured_time.GetCurrentTime()
    method, answer = "DosingService/CalculateDose", dosing.CalculateDoseResponse
    body, signature = ledger.sign(dosing.CalculateDoseRequest(inputs=inputs))

    altered = body.replace(b"72.5", b"75.2")
    check(altered != body, "nothing was altered")
    refused(grpc.StatusCode.UNAUTHENTICATED, lambda: ledger.write(method, altered, signature, answer))
    say("A request whose weight was altered on the way is refused: the signature is over other bytes.")

    recorded = ledger.write(method, body, signature, answer)
    size = ledger.verify(recorded.receipt)
    calculation = recorded.outcome.dose_calculation
    say(f"The dose: {calculation.readback}")
    say(f"It is entry {recorded.receipt.index} of {size}. The receipt was verified here.")

    again = ledger.write(method, body, signature, answer)
    check(again.receipt.entry == recorded.receipt.entry, "a repeated request made another entry")
    say("Sent once more, as after a lost answer: the same entry, not a second one.")

    request = custody.ListVialsRequest(product=product.name)
    vials = ledger.read("CustodyService/ListVials", request, custody.ListVialsResponse).vials
    check(len(vials) > 0, "there is no such vial in stock")
    vial = min(vials, key=lambda vial: (vial.expiry_date.year, vial.expiry_date.month, vial.expiry_date.day))
    request = custody.DispenseVialRequest(
        vial=vial.name, holder=options.holder, patient=options.patient, dose_calculation=calculation.name
    )
    body, signature = ledger.sign(request)
    recorded = ledger.write("CustodyService/DispenseVial", body, signature, custody.DispenseVialResponse)
    size = ledger.verify(recorded.receipt)

    # The receipt holds the entry, and the entry holds what was signed here, byte for byte.
    entry = entries.Entry.FromString(recorded.receipt.entry)
    check(entry.request == body and entry.signature == signature, "the entry holds another request")
    check(entry.outcome == recorded.outcome, "the entry says something else than the answer")
    handed_out = recorded.outcome.dispensing
    say(f"{handed_out.holder} takes {handed_out.amount.value} {handed_out.amount.unit}, {vial.name} of lot {vial.lot}.")
    say(f"It is entry {recorded.receipt.index} of {size}. The receipt was verified here.")


def connect(options):
    """TLS; the certificates of the authority that vouches for the server come from outside, too."""
    authority = pathlib.Path(options.ca).read_bytes()
    address = options.server.removeprefix("https://")
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(root_certificates=authority))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="https://host:port")
    parser.add_argument("--ca", required=True, help="PEM file: who may vouch for the server")
    parser.add_argument("--vkey", required=True, help="file: the ledger's verifier key")
    parser.add_argument("--key", required=True, help="PEM file: a pharmacist's private key")
    parser.add_argument("--holder", required=True, help="nurse or prescriber who takes the vial, people/…")
    parser.add_argument("--patient", required=True, help="pseudonym of the patient, patients/…")
    parser.add_argument("--product", default="products/ketamine-42023-113-10")
    parser.add_argument("--protocol", default="protocols/ket-trd-iv")
    parser.add_argument("--protos", required=True, help="folder: vialedger's .proto files")
    return parser.parse_args()


def say(text):
    print(text, flush=True)


def check(holds, otherwise):
    if not holds:
        sys.exit(f"FAILED: {otherwise}")


def one(items):
    found = list(items)
    check(len(found) == 1, f"there are {len(found)} where one was expected")
    return found[0]


def refused(code, call):
    """The call must be refused with this code."""
    try:
        call()
    except grpc.RpcError as error:
        check(error.code() == code, f"refused with {error.code()}, expected {code}: {error.details()}")
    else:
        check(False, f"not refused, expected {code}")


if __name__ == "__main__":
    main()
