"""The second verifier, asked about many ledgers by one process. A line of JSON holds the untouched ledger, and each one
after it a tampered one, whose rows are bytes or places in the untouched; a line answers each of those.

The program is the one that ships. Only what it opens is a database in memory, and what it makes of the same bytes it
remembers."""
import base64, functools, json, sqlite3, sys, types  # noqa: E401

sys.path.insert(0, sys.argv[1])
import verify_ledger as second  # noqa: E402

second.signed, second.parse = (functools.lru_cache(4096)(it) for it in (second.signed, second.parse))
database = sqlite3.connect(":memory:", isolation_level=None)
database.executescript("""
    PRAGMA application_id = 0x5649414C; PRAGMA user_version = 1;
    CREATE TABLE entries (idx INTEGER PRIMARY KEY, entry BLOB);
    CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT);
""")
second.sqlite3 = types.SimpleNamespace(connect=lambda *_, **__: database, Error=sqlite3.Error)

honest = json.loads(sys.stdin.readline())
known = {table: [base64.b64decode(row) for row in honest[table]] for table in ("entries", "checkpoints")}
for line in sys.stdin:
    for table, rows in json.loads(line).items():
        database.execute(f"DELETE FROM {table}")
        database.executemany(f"INSERT INTO {table} VALUES (?, ?)", (
            (at, known[table][row] if isinstance(row, int) else base64.b64decode(row)) for at, row in rows))
    report = {"verdict": "none", "fault": None, "first_bad_index": None}
    try:
        second.verify(report, "in memory", honest["vkey"], None)
    except (OSError, ValueError, sqlite3.Error) as error:
        report["why"] = str(error)
    database.execute("ROLLBACK")
    print(json.dumps(report), flush=True)
