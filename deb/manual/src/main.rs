//! Writes hekte.1 and the completions of three shells into a folder, from the program's own help.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

const FILES: [(&str, &str); 4] = [
    ("/etc/hekte/hekte.toml", "The configuration, every key explained."),
    ("/var/lib/hekte", "The index, below the network's name; deleting it makes it anew."),
    ("/var/lib/bitcoind/blocks", "Where Debian's bitcoind writes blocks; hekte only reads."),
    ("/usr/share/doc/hekte/README.md", "How to begin, and how to let hekte read the blocks."),
];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: hekte-manual FOLDER")?);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("hekte.1"), page()?)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut hekte::cli::command(), "hekte", &folder)?;
    }
    Ok(())
}

fn page() -> Result<Vec<u8>, Box<dyn Error>> {
    let command = hekte::cli::command();
    let man = Man::new(command.clone()).section("1").manual("hekte").date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    synopsis.text([bold("hekte"), roman(" [COMMAND] [--SETTING VALUE ...]")]);
    synopsis.to_writer(&mut page)?;
    commands(&command).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_extra_section(&mut page)?;
    let mut files = Roff::new();
    files.control("SH", ["FILES"]);
    for (path, what) in FILES {
        files.control("TP", []).text([italic(path)]).text([roman(what)]);
    }
    files.control("SH", ["SEE ALSO"]).text([
        bold("bitcoind"),
        roman("(1), "),
        bold("systemctl"),
        roman("(1)"),
    ]);
    files.to_writer(&mut page)?;
    Ok(page)
}

/// One page for all: the subcommands with the flags that only they have.
fn commands(command: &Command) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["COMMANDS"]);
    for one in command.get_subcommands() {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        section.control("TP", []).text([bold(one.get_name())]).text([roman(about)]);
        for flag in one.get_arguments().filter(|flag| !flag.is_global_set()) {
            let Some(name) = flag.get_long() else { continue };
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let value = flag.get_value_names().filter(|_| flag.get_action().takes_values());
            let value = value.map(|names| format!(" {}", names.join(" "))).unwrap_or_default();
            section.control("RS", []).control("TP", []);
            section.text([bold(format!("--{name}{value}"))]).text([roman(help)]);
            section.control("RE", []);
        }
    }
    section
}
