//! The user's guides say what is so: their commands are run with their files, and answer what they print.
//!
//! A block of YAML that begins with `# kong.yaml` or `# specs/...` is a file. A block of `sh` is commands, and the
//! block of `text` after it is what they print. Of a response with its head (`-i`) only the lines that are named have
//! to be there.

use std::{path::Path, process::Command};

use crate::{
    client::Client,
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

/// A fenced block: what it is, its text, and the line where it begins.
struct Block<'a> {
    kind: &'a str,
    text: String,
    line: usize,
}

#[track_caller]
fn check(guide: &str, run: fn(&str) -> String) {
    let blocks = blocks(guide);
    let gateway = start(&blocks);
    let mut commands = 0;
    for pair in blocks.windows(2).filter(|pair| pair[0].kind == "sh") {
        let [block, expected] = pair else { continue };
        assert_eq!(expected.kind, "text", "line {}: nothing says what it prints", block.line);
        let lines: Vec<&str> = block.text.lines().collect();
        let printed = lines.iter().map(|line| run(&at_home(line, &gateway)) + "\n").collect::<String>();
        commands += lines.len();
        if lines.iter().any(|line| line.contains(" -i ")) {
            let printed = printed.to_ascii_lowercase().replace('\r', "");
            for line in expected.text.lines() {
                let is_there = printed.lines().any(|it| it == line.to_ascii_lowercase());
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
            (None, Some(block)) if open => block.text += &format!("{line}\n"),
            _ => (),
        }
    }
    blocks
}

/// A gateway with the files of a guide, and those that come with the gateway.
fn start(blocks: &[Block<'_>]) -> Gateway {
    let mut setup = Setup::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")).unwrap() {
        let path = file.unwrap().path();
        let name = format!("specs/{}", path.file_name().unwrap().to_str().unwrap());
        setup = setup.file(&name, std::fs::read(path).unwrap());
    }
    for block in blocks.iter().filter(|it| it.kind == "yaml") {
        if let Some(name) = block.text.lines().next().and_then(|line| line.strip_prefix("# ")) {
            setup = setup.file(name, &block.text);
        }
    }
    setup.run()
}

/// The command, for the ports of this gateway.
fn at_home(line: &str, gateway: &Gateway) -> String {
    line.replace("localhost:8000", gateway.address("proxy"))
        .replace("localhost:8001", gateway.address("admin"))
}

fn curl(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What curl does, as far as guides use it.
fn ask(line: &str) -> String {
    let words = words(line);
    let mut words = words.iter().map(String::as_str).skip(1);
    let (mut method, mut url, mut body, mut head) = (None, "", None, false);
    let mut headers = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-s" => (),
            "-i" => head = true,
            "-X" => method = words.next(),
            "-d" => body = words.next(),
            "-H" => headers.push(words.next().unwrap().split_once(": ").unwrap()),
            _ => url = word,
        }
    }
    let method = method.unwrap_or(if body.is_some() { "POST" } else { "GET" });
    let answer = Client::fresh().send(method, url, &headers, body.map(str::as_bytes)).unwrap();
    let mut printed = String::new();
    if head {
        printed += &format!("HTTP/1.1 {} OK\n", answer.status);
        for (name, value) in &answer.headers {
            printed += &format!("{name}: {}\n", value.to_str().unwrap());
        }
    }
    printed + answer.text()
}

/// The words of a command, of which some are in single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for it in line.chars() {
        match it {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(it),
        }
    }
    words
}
