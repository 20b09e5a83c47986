//! The `rollbook` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollbook::cli::run()
}
