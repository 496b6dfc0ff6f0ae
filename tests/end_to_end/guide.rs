//! User guides: their commands are run with their files, and must print the shown output.
//!
//! A block of YAML that begins with `# kong.yaml` or `# specs/...` is a file. A block of `sh` is commands, and the
//! block of `text` after it is what they print. Of a response with its head (`-i`) only the lines that are named have
//! to be there.

use std::{path::Path, process::Command};

use ureq::http::StatusCode;

use crate::{
    documentation::run,
    gateway::{Gateway, Setup},
};

#[test]
fn mocking() {
    let guide = include_str!("../../docs/mocking.md");
    check(guide, ask);
    if Command::new("curl").arg("--version").output().is_ok() {
        check(guide, curl);
    }
}

/// A fenced block: its language, text and first line.
struct Block<'a> {
    kind: &'a str,
    text: String,
    line: usize,
}

#[track_caller]
fn check(guide: &str, run: fn(&Gateway, &str) -> String) {
    let blocks = blocks(guide);
    let gateway = start(&blocks);
    let mut commands = 0;
    for pair in blocks.windows(2).filter(|pair| pair[0].kind == "sh") {
        let [block, expected] = pair else { continue };
        assert_eq!(expected.kind, "text", "line {}: nothing says what it prints", block.line);
        let lines: Vec<&str> = block.text.lines().collect();
        let printed = lines.iter().map(|line| run(&gateway, line) + "\n").collect::<String>();
        commands += lines.len();
        if lines.iter().any(|line| line.contains(" -i ")) {
            let printed = printed.to_ascii_lowercase().replace('\r', "");
            for line in expected.text.lines() {
                let is_there = printed.lines().any(|printed_line| printed_line == line.to_ascii_lowercase());
                assert!(is_there, "line {}: {line:?} is not in\n{printed}", expected.line);
            }
        } else {
            assert_eq!(printed, expected.text, "line {}: {}", block.line, block.text);
        }
    }
    assert!(commands > 10, "only {commands} commands were found");
}

fn blocks(guide: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    for (n, line) in guide.lines().enumerate() {
        match (line.strip_prefix("```"), blocks.last_mut()) {
            (Some(_), _) if open => open = false,
            (Some(kind), _) => {
                open = true;
                blocks.push(Block { kind, text: String::new(), line: n + 1 });
            }
            (None, Some(block)) if open => block.text.extend([line, "\n"]),
            _ => (),
        }
    }
    blocks
}

/// A gateway with the files of a guide, and the files of the repository.
fn start(blocks: &[Block<'_>]) -> Gateway {
    let mut setup = Setup::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")).unwrap() {
        let path = file.unwrap().path();
        let name = format!("specs/{}", path.file_name().unwrap().to_str().unwrap());
        setup = setup.file(&name, std::fs::read(path).unwrap());
    }
    for block in blocks.iter().filter(|block| block.kind == "yaml") {
        if let Some(name) = block.text.lines().next().and_then(|line| line.strip_prefix("# ")) {
            setup = setup.file(name, &block.text);
        }
    }
    setup.run()
}

/// The output of curl.
fn curl(gateway: &Gateway, line: &str) -> String {
    let line = line.replace("localhost:8000", gateway.address("proxy"));
    let line = line.replace("localhost:8001", gateway.address("admin"));
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The output that curl would print.
fn ask(gateway: &Gateway, line: &str) -> String {
    let answer = run(gateway, line.strip_prefix("curl ").unwrap());
    if !line.contains(" -i ") {
        return answer.text().to_owned();
    }
    let status = StatusCode::from_u16(answer.status).unwrap();
    let fields = answer.headers.iter();
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    format!("HTTP/1.1 {status}\n{}\n\n{}", fields.join("\n"), answer.text())
}
