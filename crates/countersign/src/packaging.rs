//! What packages hold beside the program: completions for shells, and pages of the manual, from the command line's own
//! description.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use crate::program::Failure;

/// Prints what makes a shell complete our command line.
pub fn completions(shell: Shell, mut command: Command) {
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut std::io::stdout());
}

/// Writes a page of the manual for each subcommand.
pub fn manual(command: Command, directory: &Path) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|error| {
        Failure::Other(format!("cannot write to {}: {error}; name another directory", directory.display()))
    })
}
