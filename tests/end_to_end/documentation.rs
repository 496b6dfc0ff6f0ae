//! Examples of docs/plugins.md: each has the shown result.

use crate::{
    client::{Answer, Client},
    gateway::{Gateway, Setup},
};

/// A command of an example, and the lines that are shown as its answer.
struct Shown<'a> {
    command: &'a str,
    answer: Vec<&'a str>,
}

#[test]
fn every_example_of_a_plugin_has_the_shown_result() {
    let text = include_str!("../../docs/plugins.md");
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    assert!(sections.len() > 10, "{} sections", sections.len());
    for section in sections {
        let config = block(section, "yaml");
        assert!(config.contains(section.lines().next().unwrap()), "another plugin: {section}");
        let gateway = Setup::with(config).run();
        let shown = commands(block(section, "console"));
        assert!(!shown.is_empty(), "{section}");
        for it in shown {
            check(&it, &run(&gateway, it.command));
        }
    }
}

/// The first fenced block of a kind.
#[track_caller]
fn block<'a>(section: &'a str, kind: &str) -> &'a str {
    let rest =
        section.split(&format!("\n```{kind}\n")).nth(1).unwrap_or_else(|| panic!("no {kind}: {section}"));
    rest.split("\n```").next().unwrap()
}

fn commands(console: &str) -> Vec<Shown<'_>> {
    let mut all: Vec<Shown<'_>> = Vec::new();
    for line in console.lines() {
        match (line.strip_prefix("$ curl "), all.last_mut()) {
            (Some(command), _) => all.push(Shown { command, answer: Vec::new() }),
            (None, Some(last)) => last.answer.push(line),
            (None, None) => panic!("an answer to nothing: {line}"),
        }
    }
    all
}

/// Sends the request of a curl command to the ports of this gateway.
#[track_caller]
pub(crate) fn run(gateway: &Gateway, command: &str) -> Answer {
    let (mut method, mut url, mut headers, mut body) = (None, None, Vec::new(), None);
    let mut words = words(command).into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" | "-s" => (),
            "-X" => method = words.next(),
            "-H" => headers.extend(words.next()),
            "-d" => body = words.next(),
            _ => url = Some(word),
        }
    }
    let method = method.unwrap_or_else(|| if body.is_some() { "POST".to_owned() } else { "GET".to_owned() });
    let url = url.unwrap();
    let url = match url.strip_prefix("http://localhost:8001") {
        Some(path) => gateway.admin_url(path),
        None => gateway.url(url.strip_prefix("http://localhost:8000").unwrap()),
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|line| line.split_once(": ").unwrap()).collect();
    Client::fresh().send(&method, &url, &headers, body.as_deref().map(str::as_bytes)).unwrap()
}

/// The words of a command; one in quotes may have blanks.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in command.split('\'').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Status, the headers that are shown, and the body if it is shown.
#[track_caller]
fn check(shown: &Shown<'_>, answer: &Answer) {
    let command = shown.command;
    let mut lines = shown.answer.iter();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap();
    assert_eq!(status, answer.status.to_string(), "{command}: {answer:?}");
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(answer.header(name), value, "{command}: {name}");
    }
    let body: Vec<&str> = lines.copied().collect();
    if !body.is_empty() {
        assert_eq!(answer.text().trim(), body.join("\n"), "{command}");
    }
}
