#!/usr/bin/env python3
"""A second opinion on a vialedger ledger, from the database and the ledger's verifier key alone; needs `cryptography`.

    python3 verify_ledger.py ledger.db --vkey ledger.vkey --checkpoint kept-elsewhere.receipt

Written from the formats and the protos, with no code of `vialedger verify`. Checked are: rows without a gap; bytes,
index, ledger, time and previous leaf hash of each entry; root (RFC 6962) and signed note (C2SP) of every checkpoint;
each person's signature over the stored request (DSSE), by a key that was valid then; request ids used once; for every
vial that content = administered + wasted + in the container + in hands, moved by what the entry says. NOT_CHECKED is
what needs the rules. Status 0: all good. 1: bad evidence. 2: no verdict. Trust ends at the last checkpoint."""
import argparse, base64, contextlib, fractions, hashlib, json, pathlib, re, sqlite3, sys, types  # noqa: E401
NOT_CHECKED = ("whether doses, refusals and flags are what the rules make of the requests; roles, witnesses, limits; "
               "states of vials; second persons; that new keys were held; whether what people say is true")
REQUESTS = {f"vialedger.v1.{name}Request" for name in (
    "InitializeLedger EnrollPerson ChangeRoles EnrollKey RevokeKey CreatePlace PublishFormulary Approve "
    "CalculateDose ReceiveVials DispenseVial RecordAdministration RecordWaste Witness ReturnVial CheckDose "
    "RegisterPatient MergePatients OpenIdentity RecordEligibility OpenCourse CloseCourse StartSession "
    "RecordMissedSession CancelSession AcknowledgeAlert RecordObservation RecordAdverseEffect DischargePatient "
    "RecordFormSent RotateLedgerKey RecordSelfAudit QuarantineVials").split()}
ROTATION, LEDGER_ACTS = "vialedger.v1.RotateLedgerKeyRequest", re.compile("vialedger.v1.(Rotate|RecordSelf).*")
INITIALIZED, PROPOSED, CHANGED, RECEIVED, BALANCES, FLAGS, DISCHARGED = 2, 3, 4, 6, 20, 21, 26  # fields of `Outcome`
DISPENSED, ADMINISTERED, WASTED, WITNESSED, RETURNED, REFUSED, QUARANTINED = 7, 8, 9, 10, 11, 1, 31
EMPTY = hashlib.sha256(b"").digest()  # root of no entries, and what stands before the first
class Bad(Exception):
    """The evidence is bad. Arguments: first bad index, kind of fault, what was expected, what was found."""
# ---- Protobuf, as much of it as is needed: https://protobuf.dev/programming-guides/encoding --------------------------
def varint(data, at):
    end = next((i for i in range(at, min(at + 10, len(data))) if data[i] < 0x80), None)
    if end is None:
        raise ValueError("a number that does not end")
    return sum((data[i] & 0x7F) << 7 * (i - at) for i in range(at, end + 1)) % 2**64, end + 1
class Message:
    """Fields by number. Raises ValueError where the bytes, or a field that is asked for, are not as agreed."""
    def __init__(self, data):
        self.fields, at = {}, 0
        while at < len(data):
            tag, at = varint(data, at)
            value, wire, size = None, tag & 7, {1: 8, 5: 4}.get(tag & 7, 0)
            if wire in (0, 2):
                value, at = varint(data, at)
            if wire == 2:
                value, size = data[at:at + value], value
            at += size
            if tag >> 3 == 0 or wire not in (0, 1, 2, 5) or at > len(data):
                raise ValueError("not protobuf")
            self.fields.setdefault(tag >> 3, []).append(value)
    def all(self, field, kind=bytes):
        values = self.fields.get(field, [])
        if not all(isinstance(value, kind) for value in values):
            raise ValueError(f"field {field} is of another type")
        return values
    def get(self, field, default=b""):  # of several, the last one counts
        return [default, *self.all(field, type(default))][-1]
    def text(self, field):
        return self.get(field).decode()
    def message(self, field):  # several are merged, which is to join their bytes
        return Message(b"".join(self.all(field)))
def parse(data):
    """A stored entry, or None where the bytes are not one."""
    try:
        message = Message(data)
        entry = types.SimpleNamespace(
            leaf=hashlib.sha256(b"\0" + data).digest(), version=message.get(1, 0), ledger=message.text(2),
            index=message.get(3, 0), previous=message.get(4), time=message.message(5), rules=message.get(6, 0),
            type=message.text(7), body=message.get(8), request=message.message(8), key=message.get(9),
            signature=message.get(10), outcome=message.message(11))
        seconds, nanos = entry.time.get(1, 0), entry.time.get(2, 0)
        entry.time = (seconds - (seconds >> 63 << 64), nanos)
    except ValueError:
        return None
    order = [field for field, values in message.fields.items() for _ in values]  # each once, none unknown
    good = [len(entry.previous), len(entry.key), len(entry.signature)] == [32, 32, 64] and (
        order == sorted({*order} & {*range(12)}) and nanos < 10**9 and nanos % 1000 == 0)
    return entry if good or entry.version != 1 else None
# ---- Ed25519, RFC 6962 trees, C2SP signed notes ----------------------------------------------------------------------
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
LOW_ORDER = {0, 1, P - 1, Y8, P - Y8}  # y of the points of order 1, 2, 4 and 8: under such a key anybody can sign
def signed(key, signature, body):
    """Strict Ed25519. `cryptography` (OpenSSL) checks the equation without the cofactor, and R as bytes, and refuses S
    from L on. It takes keys and R of low order, and keys not reduced: these are refused here, and so is S once more."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    points = [int.from_bytes(point, "little") % 2**255 for point in (key, signature[:32])]
    if any(y >= P or y in LOW_ORDER for y in points) or int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        return Ed25519PublicKey.from_public_bytes(key).verify(signature, body) is None
    except (InvalidSignature, ValueError):
        return False
def pae(kind, body):  # DSSE's pre-authentication encoding
    kind = f"application/vnd.{kind}".encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
class Tree:
    """An RFC 6962 tree that grows: its size, and its full subtrees from left to right."""
    def __init__(self, size=0, full=()):
        self.size, self.full = size, [*full]
    def push(self, leaf):
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):
            leaf = hashlib.sha256(b"\1" + self.full.pop() + leaf).digest()
        self.full.append(leaf)
        return self
    def root(self):
        root = self.full[-1] if self.full else EMPTY
        for left in self.full[-2::-1]:
            root = hashlib.sha256(b"\1" + left + root).digest()
        return base64.b64encode(root).decode()
def unbase64(text):  # in its one canonical form
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data
class VerifierKey:
    """A C2SP vkey line: name, key id and Ed25519 key. Raises ValueError where it is not one."""
    def __init__(self, line):
        self.line, (self.name, key_id, key) = line, (line.split("+", 2) + ["", ""])[:3]
        self.id, key = hashlib.sha256(f"{self.name}\n".encode() + unbase64(key)).digest()[:4], unbase64(key)
        self.key = key[1:]
        if len(key) != 33 or key[:1] != b"\1" or key_id != self.id.hex():
            raise ValueError(f"{line[:200]!r} is no verifier key: give name+id+base64, or its file, with --vkey")
    def checkpoint(self, note):
        """Size and root of a checkpoint as a signed note. Raises ValueError where it is not one signed by this key."""
        text, _, signatures = note.decode().rpartition("\n\n")
        text, valid = text + "\n", []
        if signatures[-1:] != "\n" or re.search("[\0-\x09\x0b-\x1f]", note.decode()):
            raise ValueError("not a signed note")
        for line in signatures[:-1].split("\n"):
            found = re.fullmatch(r"\u2014 ([^\s+]+) (\S+)", line)
            value = unbase64(found[2]) if found else b""
            if len(value) < 5:
                raise ValueError("a malformed signature line")
            if found[1] == self.name and value[:4] == self.id:
                valid.append(signed(self.key, value[4:], text.encode()))
        if not valid or not all(valid):
            raise ValueError("no valid signature by the ledger's key")
        lines = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n", text)
        if not lines or lines[1] != self.name or len(unbase64(lines[3])) != 32:
            raise ValueError("not a checkpoint of this ledger")
        return int(lines[2]), lines[3]
def named(request, field):  # the ledger's key that a request names, if what stands there is one
    with contextlib.suppress(ValueError):
        return VerifierKey(request.text(field))
# ---- Who may sign, and where every millilitre is ---------------------------------------------------------------------
class People:
    """Keys, as the entries enrol and revoke them: by one person alone, or put forward and approved."""
    def __init__(self):
        self.keys, self.pending, self.retired = {}, {}, set()  # key: is it valid; proposals; keys the ledger had
    def apply(self, entry):
        act = entry if {CHANGED, INITIALIZED, DISCHARGED} & {*entry.outcome.fields} else None
        if PROPOSED in entry.outcome.fields:
            self.pending[f"entries/{entry.index}"] = entry
        if act and entry.type == "vialedger.v1.ApproveRequest":
            act, told = self.pending.pop(entry.request.text(5), None), entry.outcome.message(CHANGED).get(2, 0)
            if not act or entry.request.get(6) != act.leaf or CHANGED in entry.outcome.fields and told != act.index:
                raise Bad(entry.index, "outcome-differs", "the approval of a proposal that waits", "another")
        name = act.type.split(".")[-1] if act else None
        if name == "RevokeKeyRequest":
            self.keys[act.request.get(5)] = False
        if name in ("InitializeLedgerRequest", "EnrollPersonRequest", "EnrollKeyRequest"):
            person = act.request.message(5) if name != "EnrollKeyRequest" else None
            key = person.message(4).get(1) if person else act.request.get(6)
            if key in self.keys or (person and len(person.all(4)) != 1):
                raise Bad(entry.index, "outcome-differs", "one key, and a new one", "a known key, or another number")
            self.keys[key] = True
def amount(quantity):
    """A quantity as an exact number and its unit; volumes in mL."""
    value, unit = quantity.text(1), quantity.text(2)
    if not re.fullmatch(r"(0|[1-9][0-9]{0,18})(\.[0-9]{0,17}[1-9])?", value) or not unit:
        raise ValueError(f"{value!r} {unit!r} is not a quantity")
    factor = {"uL": fractions.Fraction(1, 1000), "L": 1000}.get(unit)
    return [fractions.Fraction(value) * factor, "mL"] if factor else [fractions.Fraction(value), unit]
class Vials:
    """The balance of each vial, and what is open: dispensings and wastes, each with its vial, amount and unit."""
    PARTS = ("content", "administered", "wasted", "unwitnessed", "in_container", "in_hands")  # fields 3 to 8
    # By the outcome: its request; where in the outcome the amount stands; where in the request, signed; what gains it.
    MOVES = {None: ("", 0, 0, ()), RECEIVED: ("ReceiveVials", 0, 0, ()), WITNESSED: ("Witness", 0, 6, ()),
             DISPENSED: ("DispenseVial", 6, 10, ("in_hands",)), RETURNED: ("ReturnVial", 0, 0, ("in_container",)),
             ADMINISTERED: ("RecordAdministration", 2, 7, ("administered",)),
             WASTED: ("RecordWaste", 3, 7, ("wasted", "unwitnessed")), QUARANTINED: ("QuarantineVials", 0, 0, ())}
    def __init__(self):
        self.balances, self.open = {}, {}
    def moved(self, entry, kind):
        """What the entry says has moved: the vial, how much in which unit, and the parts that gain (1) or lose (-1)."""
        request, (_, told_in, signed_in, gains) = entry.request, self.MOVES[kind]
        source = request.text(5) if 5 in request.fields and kind != DISPENSED else ""  # a dispensing, or the waste seen
        loses = "unwitnessed" if kind == WITNESSED else "in_hands" if source else "in_container"
        vial, *left = self.open[source] if source else [request.text(5 if kind == DISPENSED else 6)]
        much = amount(entry.outcome.message(kind).message(told_in)) if told_in else left
        if signed_in in request.fields and amount(request.message(signed_in)) != much or left and left < much:
            raise Bad(entry.index, "outcome-differs", "what the request says, and is left", f"{much[0]} {much[1]}")
        if source:
            self.open[source] = [vial, left[0] - much[0], left[1]]
        if kind in (DISPENSED, WASTED):
            self.open[f"{'dispensings' if kind == DISPENSED else 'wastes'}/{entry.index}"] = [vial, *much]
        return vial, *much, {loses: -1, **dict.fromkeys(gains, 1)}
    def apply(self, entry):
        """Raises ValueError or KeyError where the entry's balances do not follow from those before."""
        kind = next((kind for kind in self.MOVES if kind in entry.outcome.fields), None)
        due = next((kind for kind, move in self.MOVES.items() if entry.type == f"vialedger.v1.{move[0]}Request"), None)
        if kind != due and (kind or REFUSED not in entry.outcome.fields):
            raise Bad(entry.index, "outcome-differs", "an outcome of the request's kind, or a refusal", "another")
        still, balances = (None, 0, "", {}), [Message(balance) for balance in entry.outcome.all(BALANCES)]
        vial, much, unit, change = still if kind in (None, RECEIVED, QUARANTINED) else self.moved(entry, kind)
        names, told = [balance.text(1) for balance in balances], entry.outcome.message(QUARANTINED).get(3, 0)
        vials = [vial] if vial else [name.decode() for name in entry.outcome.message(RECEIVED).all(1)]
        vials = names if kind == QUARANTINED and told == len({*names}) else vials  # of a lot, each of them as it was
        if names != vials:
            raise ValueError(f"balances of other vials than {', '.join(vials) or 'none'}")
        for name, balance in zip(vials, balances):
            new = {part: amount(balance.message(field)) for field, part in enumerate(self.PARTS, 3)}
            content, zero = new["content"], [0, new["content"][1]]
            if kind == RECEIVED and (name in self.balances or content == zero):
                raise ValueError(f"{name} received again, or empty")
            old = self.balances[name] if kind != RECEIVED else {
                part: content if part in ("content", "in_container") else zero for part in self.PARTS}
            want = {part: [old[part][0] + change.get(part, 0) * much, old[part][1]] for part in self.PARTS}
            total = sum(new[part][0] for part in ("administered", "wasted", "in_container", "in_hands"))
            if new != want or total != content[0] or unit not in ("", content[1]):
                raise ValueError(name + "".join(f", {part} {float(new[part][0]):g} {new[part][1]}" for part in new))
            self.balances[name] = new
# ---- The audit -------------------------------------------------------------------------------------------------------
class Audit:
    """Reads a ledger entry by entry. The counters say how far it came when it raises."""
    def __init__(self, database, vkey, anchor):
        self.database, self.vkey, self.anchor = database, vkey, anchor
        self.entries = self.checkpoints = self.trusted = 0
        self.tree, self.people, self.vials = Tree(), People(), Vials()
        self.leaves, self.ids, self.time, self.named, self.last = set(), set(), (-1 << 64, 0), None, EMPTY
        # The ledger's own key so far: entry 0's where a rotation leads from it to the given one, or else that one.
        naming = (parse(data) for _, data in self.rows(f"WHERE instr(entry, x'{vkey.line.encode().hex()}')"))
        led = any(it and it.type == ROTATION and it.request.fields.get(6) == [vkey.line.encode()] for it in naming)
        first = [parse(data) for _, data in self.rows("ORDER BY idx LIMIT 1") if led]
        self.key, self.next = first and first[0] and named(first[0].request, 3) or vkey, None
    def run(self):
        rows, notes = self.rows("ORDER BY idx"), self.database.execute(
            "SELECT ifnull(CAST(size AS INTEGER), 0), ifnull(CAST(note AS BLOB), x'') FROM checkpoints ORDER BY 1")
        row, note = next(rows, None), next(notes, None)
        while row:
            index, entry, row = self.entries, self.place(*row), next(rows, None)
            before = Tree(self.tree.size, self.tree.full)
            self.tree.push(entry.leaf)
            self.leaves.add(entry.leaf)
            self.last = entry.leaf
            says = entry.request.fields.get(3) if index == 0 else None
            self.named = says[-1].decode(errors="replace") if says and isinstance(says[-1], bytes) else self.named
            self.next = named(entry.request, 6) if entry.type == ROTATION else None  # then both sign
            after = parse(row[1]) if row and row[0] == index + 1 else None
            fits = after.previous == entry.leaf if after and after.index == index + 1 else None  # None: not there
            while note and note[0] <= index + 1:
                self.check_checkpoint(index, *note, fits)
                note = next(notes, None)
            if fits is False and self.trusted <= index:  # the next one is at fault where the one after it says so too
                beyond = [parse(data) for _, data in self.rows(f"WHERE idx = {index + 2}")]
                claimed = before.push(after.previous).push(after.leaf).root()  # of the last two, the signed root tells
                told = beyond or note and note[0] == index + 2 and claimed.encode() in note[1]
                if told and all(it and it.index == index + 2 and it.previous == after.leaf for it in beyond):
                    raise Bad(index, "edited", "the bytes that the next entry commits to", "other bytes")
            if self.anchor and self.anchor[0] == index + 1:
                if self.anchor[1] != self.tree.root():  # where the ledger's key signed both, it has two histories
                    bad = self.trusted if self.trusted <= index else 0
                    raise Bad(bad, "fork", f"root {self.anchor[1]}", f"root {self.tree.root()}")
                self.trusted = index + 1
            try:
                self.check_entry(index, entry)
            except (ValueError, KeyError) as error:
                raise Bad(index, "unbalanced", "an outcome that follows from the entries before", str(error)) from None
            self.entries += 1
        if note:
            self.check_checkpoint(self.entries, *note, None)
        if self.anchor and self.anchor[0] > self.entries:
            raise Bad(self.entries, "truncated", f"{self.anchor[0]} entries, as yours says", f"{self.entries} entries")
        if not self.entries:
            raise ValueError("there is nothing to check")
        if self.trusted < self.entries:
            raise Bad(self.trusted, "checkpoint-mismatch", "a checkpoint of all entries", f"one of {self.trusted}")
    def rows(self, how):
        query = "SELECT idx, typeof(entry), CASE WHEN length(entry) <= 65535 THEN entry END FROM entries "
        for index, kind, data in self.database.execute(query + how):
            if not isinstance(index, int) or kind != b"blob":
                raise ValueError("a row of entries does not hold a number and bytes: not a ledger's schema")
            yield index, data or b""
    def place(self, row, data):
        """The entry in the row, if it is the one that belongs next."""
        index, entry = self.entries, parse(data)
        here, fits = row == index and entry and entry.index == index, entry and entry.previous == self.last
        if entry and entry.leaf in self.leaves:
            raise Bad(index, "duplicate", f"entry {index}", f"entry {entry.index} again")
        if here and fits:
            return entry
        if row == index and (not entry or here or fits):
            raise Bad(index, "edited", f"entry {index}, with the leaf hash of the entry before", "other bytes")
        others = (parse(other) for _, other in self.rows("ORDER BY idx"))
        moved = row < index or any(other and other.index == index and other.previous == self.last for other in others)
        found = f"row {row}" if row != index else f"entry {entry.index}"
        raise Bad(index, "reordered" if moved else "missing", f"entry {index}", found)
    def check_checkpoint(self, index, size, note, fits):
        """A checkpoint, once the tree is of its size or no entry is left. Does the next entry, if there is one, fit?"""
        bad, found = min(max(size - 1, 0), index), self.tree.root() if size else Tree().root()
        try:
            said, expected = [key.checkpoint(note) for key in (self.next, self.key) if key][-1]
        except ValueError as error:
            if self.named not in (None, self.key.line) and not self.people.retired:
                raise Bad(0, "fork", f"the ledger of {self.key.line}", f"that of {self.named}") from None
            raise Bad(bad, "checkpoint-mismatch", "a checkpoint signed by the ledger's key", str(error)) from None
        if said != size:
            raise Bad(bad, "checkpoint-mismatch", f"the checkpoint of size {size}", f"a checkpoint of size {said}")
        if size > self.tree.size:
            raise Bad(index, "truncated", f"{size} entries, as a checkpoint says", f"{index} entries")
        if expected != found:
            bad = self.trusted if fits else index
            raise Bad(bad, "fork" if fits else "edited", f"root {expected}", f"root {found}")
        self.checkpoints, self.trusted = self.checkpoints + 1, size
    def check_entry(self, index, entry):
        """What an entry says by itself and against those before it."""
        if entry.version != 1 or entry.rules not in (1, 2, 3) or entry.type not in REQUESTS:
            found = f"format {entry.version}, rules {entry.rules}, request {entry.type!r}"
            raise Bad(index, "unknown-version", "format 1, rules 1 to 3 and a request that is known", found)
        first = entry.type == "vialedger.v1.InitializeLedgerRequest"
        ledgers, request_id = {entry.ledger, entry.request.text(1)}, entry.request.text(2).lower()
        results = [field for field in entry.outcome.fields if field not in (BALANCES, FLAGS)]
        valid = first and entry.key == entry.request.message(5).message(4).get(1) or self.people.keys.get(entry.key)
        if LEDGER_ACTS.match(entry.type):
            valid = entry.key == self.key.key or (False if entry.key in self.people.retired else None)
        for holds, fault, expected, found in (
                (ledgers == {self.vkey.name}, "fork", f"an entry of {self.vkey.name}", ", ".join(sorted(ledgers))),
                (not first or self.named == self.key.line, "fork", f"the ledger of {self.key.line}", self.named),
                (entry.time > self.time, "time-reversed", f"a time after {self.time}", entry.time),
                (signed(entry.key, entry.signature, pae(entry.type + "+protobuf", entry.body)), "bad-signature",
                 "the signature of the key that the entry names", "another"),
                (valid is not None, "unknown-key", "a key that is enrolled", entry.key.hex()),
                (valid, "key-not-valid-then", "a key that was not revoked", entry.key.hex()),
                (request_id not in self.ids, "duplicate", "a request id that was not used before", request_id),
                (len(results) == 1 and first == (index == 0) == (results == [INITIALIZED]), "outcome-differs",
                 "one result, and a beginning only at the beginning", f"results {results}")):
            if not holds:
                raise Bad(index, fault, expected, str(found))
        self.time = entry.time
        self.ids.add(request_id)
        if entry.type == ROTATION:  # signed by the old key, as was just checked, and by the new one
            old, new = self.key, self.next or self.key
            held = pae("vialedger.v1.LedgerKeyPossession", "\n".join((old.name, old.line, new.line)).encode())
            used = new.key in {old.key, *self.people.keys, *self.people.retired}
            if [entry.request.text(5), new.name] != [old.line, old.name] or used or not signed(
                    new.key, entry.request.get(7), held):
                raise Bad(index, "outcome-differs", "a rotation to a new key that is held", new.line)
            self.people.retired, self.key = {*self.people.retired, old.key}, new
        self.people.apply(entry)
        self.vials.apply(entry)
def verify(report, ledger, vkey, checkpoint):
    """Fills in the report, with the fields of `vialedger verify --json`; raises where there is no verdict."""
    key, anchor = VerifierKey((pathlib.Path(vkey).read_text() if pathlib.Path(vkey).is_file() else vkey).strip()), None
    if checkpoint:  # of a receipt, the checkpoint in it
        note = pathlib.Path(checkpoint).read_bytes().rstrip(b"\n") + b"\n"
        anchor = key.checkpoint(note.partition(b"\n\n")[2] if note.startswith(b"c2sp.org/tlog-proof@v1\n") else note)
    database = sqlite3.connect(pathlib.Path(ledger).resolve().as_uri() + "?mode=ro", uri=True, isolation_level=None)
    database.text_factory = bytes
    database.execute("BEGIN")  # everything as of one moment
    kind = [database.execute(query).fetchone()[0] for query in (
        "PRAGMA application_id", "PRAGMA user_version",
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('entries', 'checkpoints')")]
    if kind != [0x5649414C, 1, 2]:
        raise ValueError("not a ledger of schema version 1: another application id, version or tables")
    audit = Audit(database, key, anchor)
    try:
        audit.run()
        report.update(verdict="good", root=audit.tree.root())
    except Bad as bad:
        report.update(zip(("first_bad_index", "fault", "expected", "found"), bad.args), verdict="bad")
        audit.trusted = min(audit.trusted, bad.args[0])
        if bad.args[1] == "unknown-version":
            report.update(verdict="none", why="entry %d: %s: expected %s, found %s" % bad.args)
    report.update(entries=audit.entries, checkpoints=audit.checkpoints, trusted_entries=audit.trusted,
                  anchor={"kind": "checkpoint", "size": anchor[0]} if anchor else {"kind": "none"})
def main(verify=verify, what="the database, ledger.db"):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ledger", help=what)
    parser.add_argument("--vkey", metavar="FILE|LINE", default="", help="the ledger's verifier key, from outside")
    parser.add_argument("--checkpoint", metavar="FILE", help="a checkpoint or a receipt that was kept elsewhere")
    parser.add_argument("--json", action="store_true", help="answer in JSON, for programs")
    arguments = parser.parse_args()
    report = {**dict.fromkeys(("fault", "first_bad_index", "expected", "found", "root", "why")), "verdict": "none",
              **dict.fromkeys(("entries", "checkpoints", "trusted_entries"), 0), "anchor": {"kind": "none"},
              "not_checked": NOT_CHECKED}
    try:
        verify(report, arguments.ledger, arguments.vkey, arguments.checkpoint)
    except (OSError, ValueError, sqlite3.Error, MemoryError, ImportError) as error:
        report["why"] = str(error) or type(error).__name__
    size = report["anchor"].get("size")
    anchor = "nothing from outside, so entries cut off at the end cannot be excluded"
    tail = ("\n  Trusted      the first {trusted_entries} entries and nothing after them\n  Anchor       " + (
        anchor if size is None else f"your checkpoint of {size} entries") + f"\n  Not checked  {report['not_checked']}")
    told = {"good": "Good. All {entries} entries and {checkpoints} checkpoints hold.\n  Root         {root}" + tail,
            "bad": "BAD. Entry {first_bad_index}: {fault}.\n  Expected     {expected}\n  Found        {found}" + tail,
            "none": "No verdict: {why}"}[report["verdict"]].format(**report)
    print(json.dumps(report, indent=2, sort_keys=True) if arguments.json else re.sub("[^\n -~]", "?", told))
    return {"good": 0, "bad": 1, "none": 2}[report["verdict"]]
if __name__ == "__main__":
    sys.exit(main())
