#!/usr/bin/env python3
"""A second opinion on a bundle of a vialedger ledger: some of its entries, in one file that proves itself.

    python3 verify_bundle.py vial.jsonl --vkey ledger.vkey

It stands beside verify_ledger.py, which it uses for what a bundle has in common with a ledger. Checked are: the counts
and the hash at the end; the signed note (C2SP); of each entry its inclusion (RFC 9162), its place, its time, the leaf
hash of the one before where that is inside, the person's signature, and that an entry inside enrolled the key and none
before revoked it. Where the ledger's own key was rotated, each was handed on by the one before, any of them may be
given, and the last signed the checkpoint. NOT_CHECKED says what is not. Statuses and report are those of
verify_ledger.py.
"""
import base64, hashlib, json, pathlib, sys, types  # noqa: E401

import verify_ledger
from verify_ledger import Bad, LEDGER_ACTS, NOT_CHECKED, People, REQUESTS, ROTATION, Tree
from verify_ledger import VerifierKey, pae, parse, signed, unbase64

FIRST = "vialedger.v1.InitializeLedgerRequest"
NAMES = {FIRST: 3, ROTATION: 6}  # the requests that name a key of the ledger's, and the field where they do
BUNDLE_NOT_CHECKED = "; of a bundle also: balances, and whether anything was left out"

def included(leaf, index, size, path):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2). Raises ValueError where it has another length."""
    node, last = index, size - 1
    for sibling in map(unbase64, path):
        if last == 0 or index >= size:
            raise ValueError("a proof of another length")
        if node & 1 or node == last:
            leaf = hashlib.sha256(b"\1" + sibling + leaf).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = hashlib.sha256(b"\1" + leaf + sibling).digest()
        node, last = node >> 1, last >> 1
    if last or index >= size:
        raise ValueError("a proof of another length")
    return base64.b64encode(leaf).decode()

class Bundle:
    """A bundle of some entries, or of all; the counters are those of a report."""
    def __init__(self, data, vkey, anchor):
        self.vkey, self.anchor, self.people = vkey, anchor, People()
        self.entries = self.checkpoints = self.trusted = self.keys = 0
        self.last, self.root, self.tree = None, None, Tree()
        lines = data.split(b"\n")
        self.lines = [self.line(number, line) for number, line in enumerate(lines[:-1])]
        kind, end = self.lines[-1] if self.lines else ("", {})
        if lines[-1] or kind != "end":
            raise Bad(None, "truncated", "an end with the counts", f"{len(lines) - 1} lines and no end")
        digest = hashlib.sha256(data[:data.rfind(b"\n", 0, -1) + 1]).digest()
        if len(self.lines) - 1 != end["lines"] or base64.b64encode(digest).decode() != end["sha256"]:
            raise Bad(None, "edited", "the lines and the SHA-256 that the end says", "others")

    @staticmethod
    def line(number, line):
        try:
            (kind, value), = json.loads(line).items()
            spelled = json.dumps({kind: value}, separators=(",", ":"), ensure_ascii=False).encode()
            if kind != "identity" and spelled != line:
                raise ValueError("spelled in another way")
        except (ValueError, AttributeError):
            raise Bad(None, "edited", f"line {number + 1} as a line of a bundle", "another") from None
        return kind, value

    def run(self):
        order = "bundle checkpoint policy entry identity end".split()
        kinds = [kind for kind, _ in self.lines]
        if kinds != sorted(kinds, key=order.index) or kinds[:2] != order[:2] or kinds.count("policy") > 1:
            raise Bad(None, "reordered", "head, checkpoint, entries, identities, end", "another order")
        head, end = self.lines[0][1], self.lines[-1][1]
        if head["version"] != 1:
            raise ValueError(f"bundle version {head['version']}: this program reads version 1")
        entries = (parse(unbase64(line["entry"])) for kind, line in self.lines if kind == "entry")
        naming = [(entry, NAMES[entry.type]) for entry in entries if entry and entry.type in NAMES]
        try:
            keys = [VerifierKey(entry.request.text(field)) for entry, field in naming] or [self.vkey]
            if self.vkey.line not in [key.line for key in keys]:
                raise Bad(None, "fork", f"the ledger of {self.vkey.line}", f"that of {keys[0].line}")
            self.ledger, (size, self.root) = keys[0], keys[-1].checkpoint(self.lines[1][1].encode())
        except ValueError as error:
            raise Bad(None, "checkpoint-mismatch", "a checkpoint signed by the ledger's key", str(error)) from None
        if [head["origin"], head["size"], head["root"]] != [self.vkey.name, size, self.root]:
            raise Bad(None, "checkpoint-mismatch", "a head of this checkpoint", "another")
        self.checkpoints, whole = 1, head["entries"] == size
        run = whole or head["selection"]["kind"] != "touching"
        for kind, line in self.lines:
            if kind == "entry":
                self.entry(line, size, whole, run)
        if [self.entries, self.keys] != [head["entries"], head["keys"]] or end["entries"] != self.entries:
            raise Bad(None, "missing", "as many lines as the head says", f"{self.entries} and {self.keys}")
        if whole and self.tree.root() != self.root:
            raise Bad(0, "edited", f"root {self.root}", f"root {self.tree.root()}")
        if self.anchor and self.anchor[0] != size:
            raise ValueError("your checkpoint is of another size: only the whole ledger can be compared with it")
        if self.anchor and self.anchor[1] != self.root:
            raise Bad(0, "fork", f"root {self.anchor[1]}", f"root {self.root}")
        if not self.entries:
            raise ValueError("there is nothing to check")
        self.trusted = self.entries

    def entry(self, line, size, whole, run):
        index, data = line["index"], unbase64(line["entry"])
        entry, before = parse(data), self.last
        if not entry:
            raise Bad(index, "edited", "an entry", "other bytes")
        try:
            self.tree.push(entry.leaf)
            root = self.root if whole else included(entry.leaf, index, size, line["proof"])
        except ValueError as error:
            root = str(error)
        first, rotates = entry.type == FIRST, entry.type == ROTATION
        said = entry.request.text(5 if rotates else 3) if first or rotates else self.ledger.line
        then = VerifierKey(entry.request.text(6)) if rotates else self.ledger
        valid = first and entry.key == entry.request.message(5).message(4).get(1) or self.people.keys.get(entry.key)
        if LEDGER_ACTS.fullmatch(entry.type):
            valid = entry.key == self.ledger.key or (False if entry.key in self.people.retired else None)
        gap = run and line["selected"] and self.entries and index != self.selected + 1
        for holds, fault, expected, found in (
                (not before or index > before[0], "reordered", "an entry after the one before", f"entry {index}"),
                (not gap, "missing", "the next entry of the run", f"entry {index}"),
                (root == self.root, "edited", f"root {self.root}", root),
                (entry.index == index, "reordered", f"entry {index}", f"entry {entry.index}"),
                (entry.version == 1 and entry.rules in (1, 2, 3) and entry.type in REQUESTS, "unknown-version",
                 "format 1, rules 1 to 3 and a request that is known", entry.type),
                (entry.ledger == then.name == self.vkey.name, "fork", self.vkey.name, f"{entry.ledger}, {then.name}"),
                (said == self.ledger.line, "fork", f"the ledger of {self.ledger.line}", said),
                (before or first, "missing", "entry 0, which names the ledger's key", f"entry {index}"),
                (not before or before[0] + 1 != index or entry.previous == before[1], "edited", "a chained entry", "no"),
                (not before or entry.time > before[2], "time-reversed", "a later time", entry.time),
                (signed(entry.key, entry.signature, pae(entry.type + "+protobuf", entry.body)), "bad-signature",
                 "the signature of the key that the entry names", "another"),
                (valid is not None, "unknown-key", "a key that an entry of the bundle enrols", entry.key.hex()),
                (valid, "key-not-valid-then", "a key that was not revoked", entry.key.hex())):
            if not holds:
                raise Bad(index, fault, expected, str(found))
        # Approvals of what is not about people have their proposals elsewhere.
        if entry.type != "vialedger.v1.ApproveRequest" or entry.request.text(5) in self.people.pending:
            self.people.apply(entry)
        if rotates:
            self.people.retired, self.ledger = {*self.people.retired, self.ledger.key}, then
        self.last = (index, entry.leaf, entry.time)
        self.selected = index if line["selected"] else getattr(self, "selected", index)
        self.entries, self.keys = self.entries + line["selected"], self.keys + (not line["selected"])

def verify(report, bundle, vkey, checkpoint):
    """Fills in the report; raises where there is no verdict."""
    key, anchor = VerifierKey((pathlib.Path(vkey).read_text() if pathlib.Path(vkey).is_file() else vkey).strip()), None
    if checkpoint:
        note = pathlib.Path(checkpoint).read_bytes().rstrip(b"\n") + b"\n"
        anchor = key.checkpoint(note.partition(b"\n\n")[2] if note.startswith(b"c2sp.org/tlog-proof@v1\n") else note)
    data = pathlib.Path(bundle).read_bytes()
    audit = types.SimpleNamespace(entries=0, checkpoints=0, trusted=0)
    try:
        audit = Bundle(data, key, anchor)
        audit.run()
        report.update(verdict="good", root=audit.root)
    except Bad as bad:
        report.update(zip(("first_bad_index", "fault", "expected", "found"), bad.args), verdict="bad")
        audit.trusted = 0
        if bad.args[1] == "unknown-version":
            report.update(verdict="none", why="entry %s: %s: expected %s, found %s" % bad.args)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        report.update(verdict="bad", fault="edited", expected="lines of a bundle", found=f"another: {error}")
    report.update(entries=audit.entries, checkpoints=audit.checkpoints, trusted_entries=audit.trusted,
                  not_checked=NOT_CHECKED + BUNDLE_NOT_CHECKED,
                  anchor={"kind": "checkpoint", "size": anchor[0]} if anchor else {"kind": "none"})

if __name__ == "__main__":
    sys.exit(verify_ledger.main(verify, "the bundle"))
