//! What packages hold beside the program: completions for shells, and pages of the manual, from the command line's own
//! description.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::program::{Failure, print};

/// What each page ends with.
const ENDING: &str = "\
.SH \"EXIT STATUS\"
.TP
0
It is done, or nothing was found.
.TP
1
It is not: a sentence on standard error says why, and what to do. Also where \\fBcheck\\fR or \\fBaudit verify\\fR has
found something.
.TP
2
The command line cannot be read.
.SH FILES
.TP
\\fI.env\\fR
Settings, in the working directory.
.TP
\\fIcountersign.toml\\fR
The same in TOML, unless \\fB\\-\\-config\\fR or \\fBCOUNTERSIGN_CONFIG\\fR names another.
.TP
\\fIcountersign.sqlite3\\fR, \\fIcountersign.sqlite3.key\\fR
The database, and the key beside it, unless \\fBDATABASE_URL\\fR and \\fBSECRET_KEY\\fR say otherwise.
";
/// What those of a server end with beside that.
const SIGNALS: &str = "\
.SH SIGNALS
.TP
SIGTERM, SIGINT
Requests in flight are finished, for as long as \\fBDRAIN_TIMEOUT\\fR says; one that comes a second later or more cuts them off.
.TP
SIGHUP
\\fBLOG\\fR, the signing keys and the certificate are read anew.
";

/// Prints what makes a shell complete our command line.
pub fn completions(shell: Shell, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new(); // what cannot be written to makes the generator panic
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&script)
}

/// Writes a page of the manual for each subcommand.
pub fn manual(command: Command, directory: &Path) -> Result<(), Failure> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let written = std::fs::create_dir_all(directory).and_then(|()| write_pages(&command, directory));
    written.map_err(|error| {
        Failure::Other(format!("cannot write to {}: {error}; name another directory", directory.display()))
    })
}

fn write_pages(command: &Command, directory: &Path) -> std::io::Result<()> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand, directory)?;
    }
    let page = Man::new(command.clone().override_usage(usage(command)));
    let mut text = Vec::new();
    page.render(&mut text)?;
    text.extend_from_slice(ENDING.as_bytes());
    if ["countersign", "serve"].contains(&command.get_name()) {
        text.extend_from_slice(SIGNALS.as_bytes());
    }
    std::fs::write(directory.join(page.get_filename()), text)
}

/// How it is called, with what each option takes, which the generator leaves out.
fn usage(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let options = command.get_arguments().filter(|option| !option.is_hide_set() && !option.is_positional());
    let options = options
        .map(|option| if option.is_required_set() { option.to_string() } else { format!("[{option}]") });
    let operands = command.get_positionals().map(ToString::to_string);
    let subcommand = match (command.has_subcommands(), command.is_subcommand_required_set()) {
        (false, _) => None,
        (true, true) => Some("<COMMAND>".to_owned()),
        (true, false) => Some("[COMMAND]".to_owned()),
    };
    [name.to_owned()]
        .into_iter()
        .chain(options)
        .chain(operands)
        .chain(subcommand)
        .collect::<Vec<_>>()
        .join(" ")
}
