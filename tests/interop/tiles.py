#!/usr/bin/env python3
"""Somebody else's library, tlog-scales, looks at a ledger's tiles, and nothing of vialedger's is asked.

    accept LOCATION VKEYS              reads everything and checks it; LOCATION is a folder or a URL
    flips  FOLDER VKEYS                the same with one byte changed, for a byte of every kind: all must be refused
    proofs LOCATION VKEYS FILE...      checks .tlog-proof files, and that each is what the library itself would make
    links  LOCATION VKEYS FILE...      checks proofs of consistency in the form of add-checkpoint bodies
    write  FOLDER ORIGIN SEED ENTRIES  writes a log with the library: ENTRIES is a file of hex lines

VKEYS is a file of verifier keys, one a line, the log's first; all of them must have signed. VIALEDGER_TOKEN, where it is
set, is shown as a bearer token. Status 0 and a line of JSON say that all is as it should be.
"""

import json
import logging
import os
import pathlib
import sys

from tlog_scales import backend, reader, signing, tiles, tlog, utils, writer

# From how many bytes of a file one is changed; all bytes of a short one.
MOST_FLIPS = 60


def load_keys(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return [signing.Vkey.from_string(line) for line in lines if line.strip()]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def accept(source, keys):
    """Checks signatures, root, every entry's inclusion, and consistency with a few older sizes."""
    log = reader.TilesReader(source)
    checkpoint = log.get_checkpoint()
    signed = signing.VkeySet(*keys).verify(checkpoint.signatures, checkpoint)
    check({key.key_id for key, _ in signed} == {key.key_id for key in keys}, "not signed by all keys")
    check(checkpoint.origin == keys[0].name, "another origin")
    size, root = checkpoint.size, checkpoint.root_hash
    check(log.calculate_root_hash() == root, "another root")
    for index in range(size):
        entry = log.get_entry(index)
        log.get_inclusion_proof(index, size).check(tiles.leaf_hash(entry), root)
    for old in {1, size // 2, size - 1, size} - {0}:
        log.get_consistency_proof(old, size).check(log.mth(0, old), root)
    return log, checkpoint


class Flipped:
    """A folder in which one byte of one file is another."""

    def __init__(self, root, name, at, mask):
        self.folder = backend.LocalBackend(root)
        self.name, self.at, self.mask = name, at, mask

    def get(self, *path):
        data = self.folder.get(*path)
        if data is not None and "/".join(path) == self.name:
            data = bytearray(data)
            data[self.at] ^= self.mask
            data = bytes(data)
        return data


def flips(root, keys):
    root = pathlib.Path(root)
    accept(backend.LocalBackend(root), keys)
    tried = 0
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        name = str(file.relative_to(root))
        # The end of a checkpoint's last line is not looked at: what is behind a signature's base64 is passed over.
        length = file.stat().st_size - (1 if name == "checkpoint" else 0)
        for at in range(0, length, max(1, length // MOST_FLIPS)):
            # In text, what makes another character of every kind of character, line ends included.
            mask = 0x40 if name == "checkpoint" else 1 << (at % 8)
            try:
                accept(Flipped(root, name, at, mask), keys)
            except Exception:
                tried += 1
            else:
                raise AssertionError(f"{name}: byte {at} was changed and the library did not see it")
    return tried


def divide(text):
    """The lines before a note, and the checkpoint in it."""
    head, note = text.split("\n\n", 1)
    return head.split("\n"), tlog.Checkpoint.from_text(note)


def proofs(source, keys, files):
    for file in files:
        head, checkpoint = divide(pathlib.Path(file).read_text())
        check(head[0] == "c2sp.org/tlog-proof@v1", "another kind of file")
        check(head[1].startswith("index "), "no index")
        index = int(head[1].removeprefix("index "))
        for key in keys:
            checkpoint.verify(key)
        log = reader.TilesReader(source)
        log.set_size(checkpoint.size)
        leaf = tiles.leaf_hash(log.get_entry(index))
        found = tlog.InclusionProof(index, checkpoint.size, [utils.b64dec(line) for line in head[2:]])
        found.check(leaf, checkpoint.root_hash)
        check(found == log.get_inclusion_proof(index, checkpoint.size), "the library makes another proof")
        for other in {0, index - 1, index + 1} - {-1, index}:
            try:
                tlog.InclusionProof(other, checkpoint.size, found.node_hashes).check(leaf, checkpoint.root_hash)
            except tlog.InclusionProofInvalid:
                continue
            raise AssertionError(f"{file} proves index {other} as well")


def links(source, keys, files):
    log, newest = accept(source, keys)
    for file in files:
        head, checkpoint = divide(pathlib.Path(file).read_text())
        check(head[0].startswith("old "), "no old size")
        old = int(head[0].removeprefix("old "))
        for key in keys:
            checkpoint.verify(key)
        check(checkpoint == newest, "another checkpoint")
        path = [utils.b64dec(line) for line in head[1:] if line]
        found = tlog.ConsistencyProof(old, checkpoint.size, path)
        found.check(log.mth(0, old), checkpoint.root_hash)
        check(found == log.get_consistency_proof(old, checkpoint.size), "the library makes another proof")


def write(folder, origin, seed, entries):
    log = writer.TilesWriter.create(pathlib.Path(folder), origin)
    for line in pathlib.Path(entries).read_text().split():
        log.add_leaf(bytes.fromhex(line))
    log.commit([signing.PlainEd25519Signer(origin, bytes.fromhex(seed))])


def open_source(location):
    source = backend.make_backend(location)
    if token := os.environ.get("VIALEDGER_TOKEN"):
        source.session.headers["Authorization"] = f"Bearer {token}"
    return source


def main(command, location, *rest):
    logging.disable()
    told = {}
    if command == "write":
        write(location, *rest)
    else:
        keys, files = load_keys(rest[0]), rest[1:]
        if command == "accept":
            _, checkpoint = accept(open_source(location), keys)
            told = {"origin": checkpoint.origin, "size": checkpoint.size}
        elif command == "flips":
            told = {"refused": flips(location, keys)}
        elif command == "proofs":
            proofs(open_source(location), keys, files)
        elif command == "links":
            links(open_source(location), keys, files)
        else:
            raise SystemExit(__doc__)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
