//! The `vialedger` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    vialedger::app::main()
}
