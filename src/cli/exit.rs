//! What the program's exit status says: 0 good, 1 the answer is no, 2 could not tell, and 64 to 78
//! as in sysexits.

use std::process::ExitCode;

/// How a command ended. The number is the process's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, and good.
    Good,
    /// 1: the answer is no: the ledger refused, the evidence is bad, the arithmetic is not allowed.
    No,
    /// 2: no verdict: no key, an unknown version, nothing to check, an answer that never came.
    CouldNotTell,
    /// 64: the command line is wrong (`EX_USAGE`).
    Usage,
    /// 65: what was given to read is wrong (`EX_DATAERR`).
    Data,
    /// 66: a file to read is not there or cannot be read (`EX_NOINPUT`).
    NoInput,
    /// 69: the server is not reachable or does not take calls now (`EX_UNAVAILABLE`).
    Unavailable,
    /// 70: a fault of ours (`EX_SOFTWARE`).
    Software,
    /// 73: a file to be made exists already or cannot be made (`EX_CANTCREAT`).
    CantCreate,
    /// 74: reading or writing failed (`EX_IOERR`).
    Io,
    /// 75: try again later (`EX_TEMPFAIL`).
    TryAgain,
    /// 76: the other side does not speak as it should: a receipt that does not hold
    /// (`EX_PROTOCOL`).
    Protocol,
    /// 77: not permitted: who signs is not known to the ledger, or a key file is open to others
    /// (`EX_NOPERM`).
    NoPermission,
    /// 78: something is not set up: no server, no key, no verifier key (`EX_CONFIG`).
    Config,
}

impl Exit {
    /// The exit status, 0 to 78.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::No => 1,
            Self::CouldNotTell => 2,
            Self::Usage => 64,
            Self::Data => 65,
            Self::NoInput => 66,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::CantCreate => 73,
            Self::Io => 74,
            Self::TryAgain => 75,
            Self::Protocol => 76,
            Self::NoPermission => 77,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
