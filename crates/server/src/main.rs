//! The binary `holodrive`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    holodrive::cli::main()
}
