//! Property tests of writes: after any sequence of writes and file edits, the file declares exactly what is live, and
//! lines that a write is not about are unchanged.
//!
//! `LAWS_SEEDS=200 cargo test --test end_to_end admin_write_properties` runs more sequences than two for each file.

use std::{collections::BTreeMap, sync::Arc};

use mynah::{
    config::{self, DeclarativeFormat},
    diag::SourceFile,
    document::Value,
    plugin::{BundledPlugins, EnabledPlugins},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::gateway::{Gateway, Setup};

/// The files, and how many lines a write may change in addition to its own (an empty list that gets an item is its
/// own).
const FILES: &[(&str, &str, usize)] = &[
    ("nested", include_str!("../documents/laws/nested.yaml"), 0),
    ("flat", include_str!("../documents/laws/flat.yaml"), 0),
    // Aliases and merge keys are expanded.
    ("anchors", include_str!("../documents/laws/anchors.yaml"), 3),
    ("flow", include_str!("../documents/laws/flow.yaml"), 1),
    ("scalars", include_str!("../documents/laws/scalars.yaml"), 0),
    ("hashed", include_str!("../documents/laws/hashed.yaml"), 0),
    // A new JSON member changes the comma of the one before it.
    ("json", include_str!("../documents/laws/all.json"), 2),
];

/// The collections: names in the file and in the Admin API.
const COLLECTIONS: &[(&str, &str)] = &[
    ("services", "services"),
    ("routes", "routes"),
    ("plugins", "plugins"),
    ("consumers", "consumers"),
    ("keyauth_credentials", "key-auths"),
    ("basicauth_credentials", "basic-auths"),
    ("jwt_secrets", "jwts"),
    ("acls", "acls"),
    ("upstreams", "upstreams"),
    ("vaults", "vaults"),
    ("certificates", "certificates"),
    ("snis", "snis"),
    ("ca_certificates", "ca_certificates"),
];

/// Deterministic pseudo-random numbers.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

type Declared = BTreeMap<String, String>;

/// The entities that the file declares, by collection and id, without times and secrets.
fn declared(text: &str) -> Declared {
    let source: Arc<SourceFile> = SourceFile::new("kong.yaml", text);
    let config = config::parse(
        &source,
        DeclarativeFormat::Deck,
        &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
        0,
    )
    .unwrap_or_else(|report| panic!("{report}\n{text}"));
    let records = config.entities.records.iter();
    records
        .map(|record| (format!("{} {}", record.collection(), record.id()), comparable_text(&record.value)))
        .collect()
}

fn comparable_text(record: &Value) -> String {
    let is_secret = |key: &str| matches!(key, "password" | "secret" | "key" | "cert_digest");
    let mut members: Vec<String> = record
        .entries()
        .filter(|(key, value)| !key.ends_with("_at") && !value.is_null() && !is_secret(key))
        .map(|(key, value)| format!("{key}: {}", value.to_json()))
        .collect();
    members.sort();
    members.join(", ")
}

/// The live entities, in the same form.
fn live(gateway: &Gateway) -> Declared {
    let mut all = BTreeMap::new();
    let mut add = |collection: &str, path: &str| {
        let list = gateway.admin("GET", &format!("{path}?size=1000"));
        let list: Value = Value::from(&list.json());
        let mut ids = Vec::new();
        for record in list.get("data").unwrap().items() {
            let id = record.get("id").and_then(Value::as_str).unwrap();
            all.insert(format!("{collection} {id}"), comparable_text(record));
            ids.push(id.to_owned());
        }
        ids
    };
    for (collection, name) in COLLECTIONS {
        let ids = add(collection, &format!("/{name}"));
        if *collection == "upstreams" {
            for id in ids {
                add("targets", &format!("/upstreams/{id}/targets"));
            }
        }
    }
    all
}

/// Number of lines of `old` that are not in `new`, in order.
fn changed_lines(old: &str, new: &str) -> usize {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, one) in old.iter().enumerate() {
        for (j, other) in new.iter().enumerate() {
            common[i + 1][j + 1] =
                if one == other { common[i][j] + 1 } else { common[i][j + 1].max(common[i + 1][j]) };
        }
    }
    old.len() - common[old.len()][new.len()]
}

/// How a write may change existing lines.
enum LineChanges {
    /// It changes at most this many lines.
    Lines(usize),
    /// Lines are removed with an entity, or change with a name that they refer to.
    Removes,
}

/// Makes one write. Returns how it may change lines, and the answer.
#[expect(clippy::too_many_lines, reason = "a table of writes")]
fn write(gateway: &Gateway, before: &Declared, rng: &mut Rng, n: usize) -> (LineChanges, String) {
    use LineChanges::{Lines, Removes};
    let mut pick_id = |collection: &str| {
        let all: Vec<&String> = before
            .keys()
            .filter(|key| key.split_once(' ').is_some_and(|parts| parts.0 == collection))
            .collect();
        // No entity has this id.
        let unknown = "00000000-0000-4000-8000-000000000000".to_owned();
        if all.is_empty() { unknown } else { all[rng.below(all.len())].split_once(' ').unwrap().1.to_owned() }
    };
    let (service, route, plugin) = (pick_id("services"), pick_id("routes"), pick_id("plugins"));
    let (consumer, upstream, vault) = (pick_id("consumers"), pick_id("upstreams"), pick_id("vaults"));
    let (key, password, group, target) = (
        pick_id("keyauth_credentials"),
        pick_id("basicauth_credentials"),
        pick_id("acls"),
        pick_id("targets"),
    );
    let owner = before
        .get(&format!("targets {target}"))
        .and_then(|record| record.split("upstream: {\"id\":\"").nth(1));
    let owner = owner.map_or(upstream.clone(), |rest| rest[..36].to_owned());
    let text = rng.pick(&[
        "on",
        "12:30",
        "two words",
        "x#y",
        "~",
        "a: b",
        "- c",
        "é",
        "'q'",
        "tab\there",
        "{",
        "*x",
    ]);
    let text = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let flag = n.is_multiple_of(2);
    let (method, path, form, line_changes) = match rng.below(34) {
        0 => ("POST", "/services".into(), format!("name=w{n}&host=w.example&tags={text}"), Lines(1)),
        1 => (
            "POST",
            format!("/services/{service}/routes"),
            format!("name=w{n}&paths[]=/w{n}&paths[]=/v"),
            Lines(1),
        ),
        2 => {
            let form = format!("name=request-termination&config.status_code=200&config.message={text}");
            ("POST", format!("/routes/{route}/plugins"), form, Lines(1))
        }
        3 => ("PATCH", format!("/services/{service}"), format!("retries={n}"), Lines(1)),
        4 => ("PATCH", format!("/services/{service}"), format!("host=h{n}.example"), Lines(2)),
        5 => ("PATCH", format!("/routes/{route}"), format!("strip_path={flag}"), Lines(1)),
        6 => ("PATCH", format!("/plugins/{plugin}"), format!("enabled={flag}"), Lines(1)),
        // Lines that refer to the name change with it.
        7 => ("PATCH", format!("/services/{service}"), format!("name=n{n}"), Removes),
        8 => ("DELETE", format!("/plugins/{plugin}"), String::new(), Removes),
        9 => ("DELETE", format!("/routes/{route}"), String::new(), Removes),
        10 => ("DELETE", format!("/services/{service}"), String::new(), Removes),
        11 => ("POST", "/consumers".into(), format!("username=c{n}&tags[]={text}"), Lines(1)),
        12 => ("POST", format!("/consumers/{consumer}/key-auth"), format!("key=k{n}"), Lines(1)),
        13 => (
            "POST",
            format!("/consumers/{consumer}/basic-auth"),
            format!("username=u{n}&password={text}"),
            Lines(1),
        ),
        14 => ("POST", format!("/consumers/{consumer}/acls"), format!("group=g{n}"), Lines(1)),
        15 => ("POST", format!("/consumers/{consumer}/jwt"), format!("key=j{n}&secret=s{n}"), Lines(1)),
        16 => ("PATCH", format!("/consumers/{consumer}"), format!("custom_id=x{n}"), Lines(1)),
        17 => ("DELETE", format!("/consumers/{consumer}"), String::new(), Removes),
        18 => ("POST", "/upstreams".into(), format!("name=up{n}.example&slots=100"), Lines(1)),
        19 => (
            "POST",
            format!("/upstreams/{upstream}/targets"),
            format!("target=t{n}.example:80&weight={n}"),
            Lines(1),
        ),
        20 => (
            "PATCH",
            format!("/upstreams/{upstream}"),
            format!("healthchecks.passive.healthy.successes={n}"),
            Lines(1),
        ),
        21 => ("DELETE", format!("/upstreams/{upstream}"), String::new(), Removes),
        22 => ("DELETE", format!("/upstreams/{owner}/targets/{target}"), String::new(), Removes),
        23 => ("PUT", format!("/vaults/v{n}"), "name=env&config.prefix=V".into(), Lines(1)),
        24 => ("PATCH", format!("/vaults/{vault}"), format!("description={text}"), Lines(1)),
        25 => {
            ("PUT", format!("/services/put{n}"), format!("host=p.example&tags[]={text}&tags[]=b"), Lines(1))
        }
        26 => ("PUT", format!("/services/{service}"), format!("name=q{n}&host=q.example"), Removes),
        27 => ("PUT", format!("/routes/{route}"), format!("paths[]=/q{n}&service.id={service}"), Removes),
        28 => ("PATCH", format!("/routes/{route}"), format!("service.id={service}"), Removes),
        29 => (
            "PATCH",
            format!("/routes/{route}"),
            format!("paths[]=/p{n}&paths[]={text}&tags[]={text}"),
            Removes,
        ),
        30 => (
            "POST",
            "/plugins".into(),
            format!("name=correlation-id&consumer.id={consumer}&config.header_name=x-{n}"),
            Lines(1),
        ),
        31 => ("DELETE", format!("/key-auths/{key}"), String::new(), Removes),
        32 => ("DELETE", format!("/basic-auths/{password}"), String::new(), Removes),
        _ => ("DELETE", format!("/acls/{group}"), String::new(), Removes),
    };
    let answer = gateway.admin_form(method, &path, &form);
    let description = format!("{method} {path} {form}: {} {}", answer.status, answer.text());
    // Some writes refer to entities that do not exist (any more), or remove an entity that another one refers to.
    assert!(matches!(answer.status, 200 | 201 | 204 | 400 | 404 | 409), "{description}");
    let file = || gateway.folder.read("kong.yaml");
    assert!(answer.status < 400 || !answer.text().contains("no place"), "{description}\n{}", file());
    let is_refused = answer.status >= 400;
    (if is_refused { Lines(0) } else { line_changes }, description)
}

/// Edits the file: adds a comment, or changes a value.
fn edit_text(text: &str, rng: &mut Rng, n: usize) -> String {
    let is_json = text.starts_with('{');
    match rng.below(3) {
        0 if !is_json => {
            let lines: Vec<usize> = text
                .match_indices('\n')
                .map(|(at, _)| at + 1)
                .filter(|at| text[*at..].starts_with(char::is_alphabetic))
                .collect();
            let Some(at) = lines.get(rng.below(lines.len())) else { return text.to_owned() };
            let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
            format!("{}# edit {n}{newline}{}", &text[..*at], &text[*at..])
        }
        1 => text.replacen(".example", &format!("{n}.example"), 1),
        _ => text.replacen("/r0", &format!("/e{n}/r0"), 1),
    }
}

fn run_sequence(name: &str, text: &str, slack: usize, seed: u64) {
    let gateway = Setup::with(text).run();
    let mut rng = Rng(seed);
    for n in 0..30 {
        let mut before = gateway.folder.read("kong.yaml");
        if rng.below(4) == 0 {
            before = edit_text(&before, &mut rng, n);
            if n.is_multiple_of(2) {
                gateway.folder.write("kong.yaml", &before);
            } else {
                gateway.folder.write("editor", &before);
                std::fs::rename(gateway.folder.at("editor"), gateway.folder.at("kong.yaml")).unwrap();
            }
        }
        let (line_changes, answer) = write(&gateway, &declared(&before), &mut rng, n);
        let after = gateway.folder.read("kong.yaml");
        let context = || format!("{name}, seed {seed}, write {n}, {answer}:\n{before}\n->\n{after}");
        // A refused write may have been refused before the file was loaded.
        if !answer.contains(": 4") {
            assert_eq!(declared(&after), live(&gateway), "{}", context());
        }
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(comments(&before), comments(&after), "{}", context());
        let newlines = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
        let (with_return, all) = newlines(&after);
        assert!(with_return == 0 || with_return == all, "{}", context());
        if let LineChanges::Lines(most) = line_changes {
            let changed = changed_lines(&before, &after);
            assert!(changed <= most + slack, "{changed} lines changed; {}", context());
        }
    }
}

/// Number of sequences for each file.
fn seeds() -> u64 {
    std::env::var("LAWS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2)
}

#[test]
fn the_file_declares_what_is_live_and_keeps_its_lines() {
    for (name, text, slack) in FILES {
        for seed in 1..=seeds() {
            run_sequence(name, text, *slack, seed);
        }
    }
}

#[test]
fn a_file_with_crlf_or_json_keeps_its_lines() {
    for (name, text, slack) in &FILES[..3] {
        for seed in 1..=seeds() {
            run_sequence(name, &text.replace('\n', "\r\n"), *slack, 1000 + seed);
        }
    }
}

#[test]
fn plugins_of_a_removed_route_are_removed() {
    let text = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a\n  routes:\n  - name: r\n    paths: [/r]\n    \
                plugins:\n    - name: cors\n- name: b\n  host: b\nplugins:\n- name: acl\n  route: r\n  config: {allow: [x]}\n";
    // A Route without a name, in its Service and in another one.
    for service in ["a", "b"] {
        let gateway = Setup::with(text).run();
        let before = live(&gateway);
        let route = gateway.admin("GET", "/routes/r").json()["id"].as_str().unwrap().to_owned();
        let form = format!("paths[]=/q&service.name={service}");
        let answer = gateway.admin_form("PUT", &format!("/routes/{route}"), &form);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let after = live(&gateway);
        assert!(before.keys().eq(after.keys()), "{before:#?}\n{after:#?}");
        assert_eq!(declared(&gateway.folder.read("kong.yaml")), after);
    }
}
