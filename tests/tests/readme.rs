//! Every command in the README runs. `cargo xbench` stands for the program that was just built.

use xbench_tests::{has_fashion_mnist, root, run, xbench};

/// The `cargo xbench …` lines of the README's console blocks.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            let command = line.split("  #").next().unwrap_or_default().trim();
            if let Some(args) = command.strip_prefix("cargo xbench ") {
                commands.push(args.to_owned());
            } else {
                let known = ["cargo xtask test", "cargo xtask lint"].contains(&command);
                assert!(
                    known || command.is_empty(),
                    "the README has an unknown command: {line}"
                );
            }
        }
    }
    commands
}

/// Words of a command line, with single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_the_readme_runs() {
    let commands = commands();
    assert!(commands.len() >= 4, "{commands:?}");
    let scratch = tempfile::tempdir().expect("a folder");
    for line in commands {
        let needs_data = ["fashion", "dress.jpg"]
            .iter()
            .any(|word| line.contains(word));
        if needs_data && !has_fashion_mnist(&line) {
            continue;
        }
        let mut args: Vec<String> = words(&line)
            .into_iter()
            // Pictures of the README stand for the reader's own.
            .map(|word| {
                if word == "dress.jpg" {
                    photograph()
                } else {
                    word
                }
            })
            .collect();
        // Results of tests do not belong among the repository's.
        match args.first().map(String::as_str) {
            Some("run") => {
                args.push("--results".to_owned());
                args.push(scratch.path().display().to_string());
            }
            Some("explain") => {
                args.push("--out".to_owned());
                args.push(scratch.path().join("strip.png").display().to_string());
            }
            Some("train") => {
                // The whole recipe takes minutes; one epoch shows that the command is right.
                args.extend(["--epochs", "1", "--out"].map(str::to_owned));
                args.push(scratch.path().display().to_string());
            }
            _ => {}
        }
        let output = run(xbench().args(&args));
        assert!(
            output.status.success(),
            "xbench {args:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// A photograph from the data folder.
fn photograph() -> String {
    let data = std::env::var("XBENCH_DATA").expect("checked before");
    let folder = std::path::Path::new(&data).join("garment-photos/dress");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files[0].display().to_string()
}
