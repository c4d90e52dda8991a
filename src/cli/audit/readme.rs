//! The `README.txt` of a pack: for somebody who has never seen one.

use std::fmt::Write as _;

use super::pack::{BUNDLE, DATABASE};

/// What the text is about.
pub(super) struct Facts<'a> {
    pub(super) origin: &'a str,
    pub(super) words: &'a str,
    pub(super) is_database: bool,
    pub(super) is_run: bool,
    pub(super) entries: usize,
    pub(super) size: u64,
    pub(super) identities: usize,
    pub(super) reason: Option<&'a str>,
    pub(super) has_policy: bool,
}

/// The text.
pub(super) fn text(facts: &Facts<'_>) -> String {
    let Facts { origin, words, entries, size, .. } = facts;
    let version = env!("CARGO_PKG_VERSION");
    let evidence = if facts.is_database { DATABASE } else { BUNDLE };
    let mut text = format!(
        "The controlled-substance ledger {origin}: {words}
packed by vialedger {version}; {entries} entries of a ledger of {size}

WHAT IS HERE

report.html        what happened to each vial, refused acts, flags, people. To be read and printed.
{evidence:<17}  the evidence: the entries as they were signed and sealed.
checkpoint         the ledger's size and the hash of all its entries, signed by the ledger.
ledger.vkey        the ledger's public key. From here it proves nothing: compare it with the one that you were
                   given when the ledger began. Use yours.
verify_ledger.py   a verifier in Python, in one file, written apart from vialedger.
"
    );
    if !facts.is_database {
        text.push_str(
            "verify_bundle.py   the same for a bundle; it stands beside the other and uses it.\n",
        );
    }
    if facts.has_policy {
        text.push_str("policy             which log cosigners should have signed the checkpoint, by the exporter's word.\n");
    }
    if facts.identities > 0 && facts.is_database {
        text.push_str("identities.jsonl   who the patients are. Confidential.\n");
    }
    let verifier = if facts.is_database { "verify_ledger.py" } else { "verify_bundle.py" };
    let checkpoint = if facts.is_database { " --checkpoint YOUR.checkpoint" } else { "" };
    let _ = write!(
        text,
        "
HOW TO CHECK IT

Copy this folder to a computer of your own. Nothing here needs a network or the clinic's server.

1. With vialedger, version {version} or newer. It is not in this folder: take it from its publisher, or build it
   from its source, and not from whoever handed you this.

       vialedger verify {evidence} --vkey YOUR.vkey{checkpoint}

2. With Python 3 and its package `cryptography`. Read the file first; it is short, and says what it does not check.

       python3 {verifier} {evidence} --vkey YOUR.vkey{checkpoint}

   Both must say \"Good\". \"BAD\" names the entry and the kind of fault. \"No verdict\" is not good.

3. Compare `checkpoint` with whatever you kept: the checkpoint of your last visit, or a receipt that somebody got
   at the time. A ledger only grows: the older one must lead to the newer one.

4. Follow a vial in report.html, and look up the entries that it names. What counts is the evidence; the report is made
   from it and proves nothing by itself.
"
    );
    text.push_str(complete(facts));
    if let Some(reason) = facts.reason {
        let _ = write!(
            text,
            "
IDENTITIES

{} are opened; each is proved against the commitment in the entry that registered the patient. They were opened on the
command line, by whoever holds the identity key; that leaves no trace in the ledger. The reason that was given:

    {reason}
",
            facts.identities
        );
    } else {
        text.push_str(
            "\nIDENTITIES\n\nWithheld. Patients have pseudonyms here, and everything can be checked without their names.\n",
        );
    }
    text
}

/// What a good verdict does not say.
fn complete(facts: &Facts<'_>) -> &'static str {
    match (facts.is_database, facts.is_run) {
        (true, _) => {
            "
WHAT \"GOOD\" MEANS

Every entry is the one that was signed, by the person whose key it names, who had the right to do it; the rules, run
again, give the same doses, balances and refusals; and nothing is missing up to the checkpoint that you brought. Without
one from outside, entries cut off at the end cannot be excluded. It does not mean that what people signed is true.
"
        }
        (false, true) => {
            "
WHAT \"GOOD\" MEANS

Every entry here is in the signed ledger, signed by the person whose key it names, who had the role for it. It is a run
of entries without a gap; where it begins and ends is the exporter's word. The rules were not run again: that takes
every entry before. It does not mean that what people signed is true.
"
        }
        (false, false) => {
            "
WHAT \"GOOD\" MEANS

Every entry here is in the signed ledger, signed by the person whose key it names, who had the role for it. It proves
what is here, and not that nothing was left out: for that, ask for the whole ledger. The rules were not run again: that
takes every entry before. It does not mean that what people signed is true.
"
        }
    }
}
