//! Every command in the README and in the page about explaining runs. `cargo xbench` stands for the program that was just built.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use xbench_tests::{has_fashion_mnist, root, run, xbench};

/// The `cargo xbench …` lines of the pages' console blocks.
fn commands() -> Vec<String> {
    let pages = ["README.md", "docs/explain.md"];
    let text = pages.map(|page| std::fs::read_to_string(root().join(page)).expect(page));
    let text = text.join("\n");
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
                    "there is an unknown command: {line}"
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
        if line.contains("fashion") && !has_fashion_mnist(&line) {
            continue;
        }
        if line.contains("dress.jpg") && photograph().is_none() {
            eprintln!("{line}: skipped, the garment photographs are not under $XBENCH_DATA");
            continue;
        }
        if line.contains("fetal-health") && !has_data("fetal-health") {
            eprintln!("{line}: skipped, fetal-health is not under $XBENCH_DATA");
            continue;
        }
        let mut args: Vec<String> = words(&line)
            .into_iter()
            // Pictures of the README stand for the reader's own.
            .map(|word| match word.as_str() {
                "dress.jpg" => photograph().unwrap_or(word),
                _ => word,
            })
            .collect();
        // Results of tests do not belong among the repository's.
        match args.first().map(String::as_str) {
            Some("run") => {
                args.push("--results".to_owned());
                args.push(scratch.path().display().to_string());
            }
            Some("explain") => {
                let tables = line.contains("fetal-health");
                let out = if tables { "pictures" } else { "strip.png" };
                args.push("--out".to_owned());
                args.push(scratch.path().join(out).display().to_string());
            }
            Some("train") => {
                // The whole recipe takes minutes; one epoch shows that the command is right.
                args.extend(["--epochs", "1", "--force"].map(str::to_owned));
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

fn has_data(folder: &str) -> bool {
    std::env::var_os("XBENCH_DATA")
        .is_some_and(|data| std::path::Path::new(&data).join(folder).is_dir())
}

/// A photograph from the data folder.
fn photograph() -> Option<String> {
    let data = std::env::var("XBENCH_DATA").ok()?;
    let folder = std::path::Path::new(&data).join("garment-photos/dress");
    let files = std::fs::read_dir(folder).ok()?;
    let first = files.filter_map(|file| Some(file.ok()?.path())).min()?;
    Some(first.display().to_string())
}

#[test]
fn what_the_readme_links_to_is_there() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    assert!(
        !text.contains("@@"),
        "a part of the README was never filled in"
    );
    let mut links = 0;
    for part in text.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or_default();
        if !target.starts_with("http") {
            assert!(root().join(target).exists(), "the README links to {target}");
            links += 1;
        }
    }
    assert!(links > 5);
}

#[test]
fn the_suite_in_the_readme_is_valid() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let suite = text
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a suite");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.yaml");
    std::fs::write(&path, suite).expect("written");
    let output = run(xbench().args(["suite", "check"]).arg(&path));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
