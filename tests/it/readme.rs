//! The README's commands work: every fenced block of `console` is run as it stands.

use std::path::Path;
use std::process::Command;

use crate::support::airbuoy::Airbuoy;
use crate::support::run::{PRODUCT, Run};

/// What a reader types in one block, and what the block shows them.
struct Block {
    line: usize,
    commands: Vec<String>,
    shown: Vec<String>,
}

/// The blocks fenced as `console`; commands begin with `$ `, the other lines are output.
fn blocks(readme: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line != "```console" {
            continue;
        }
        let mut block = Block {
            line: number + 1,
            commands: Vec::new(),
            shown: Vec::new(),
        };
        for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
            match line.strip_prefix("$ ") {
                Some(command) => block.commands.push(command.to_owned()),
                None => block.shown.push(line.to_owned()),
            }
        }
        blocks.push(block);
    }
    blocks
}

/// Whether `said` holds the lines of `shown` in this order; `…` in a shown line stands for any
/// text, and a line of it alone for any lines.
fn shows(said: &str, shown: &[String]) -> Result<(), String> {
    let mut said = said.lines();
    for line in shown {
        let parts: Vec<&str> = line.split('…').map(str::trim).collect();
        if !said.any(|candidate| holds(candidate, &parts)) {
            return Err(line.clone());
        }
    }
    Ok(())
}

fn holds(line: &str, parts: &[&str]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        true
    })
}

#[test]
fn every_console_block_runs_and_shows_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let blocks = blocks(&readme);
    assert!(!blocks.is_empty(), "no block of the README is tested");
    let program = Path::new(env!("CARGO_BIN_EXE_airbuoy"));
    let folder = program.parent().expect("a folder of programs");
    let path = std::env::var("PATH").expect("a PATH");
    // What a reader brings along: the tarball of a run that passed, and a product's file.
    let tarball = Run::certified(0).gzip();
    for block in blocks {
        let home = Airbuoy::new();
        std::fs::write(home.home().join("results.tar.gz"), &tarball).expect("written");
        home.file("product.yaml", PRODUCT);
        let mut said = String::new();
        for command in &block.commands {
            let output = Command::new("sh")
                .args(["-c", command])
                .current_dir(home.home())
                .env_clear()
                .env("HOME", home.home())
                .env("PATH", format!("{}:{path}", folder.display()))
                .output()
                .expect("a shell");
            said += &String::from_utf8_lossy(&output.stdout);
            said += &String::from_utf8_lossy(&output.stderr);
            let line = block.line;
            assert!(output.status.success(), "line {line}: {command}\n{said}");
        }
        if let Err(absent) = shows(&said, &block.shown) {
            panic!("line {}: nothing says {absent:?}:\n{said}", block.line);
        }
    }
}

#[test]
fn blocks_and_their_output_are_told_apart() {
    let readme = "x\n```console\n$ one\n$ two\nout … end\n```\n```sh\n$ not this\n```\n";
    let found = blocks(readme);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].line, &found[0].commands[..]),
        (2, &["one".to_owned(), "two".to_owned()][..])
    );
    assert!(shows("a\nout 17 end\nb", &found[0].shown).is_ok());
    assert!(shows("a\nout 17\nend", &found[0].shown).is_err());
}
