//! The law of writes: after any sequence of them and of edits of the file, the file declares exactly what is live, and
//! lines that a write is not about are as they were.
//!
//! `LAWS_SEEDS=200 cargo test --test end_to_end admin_laws` plays more sequences than the two for each file.

use std::{collections::BTreeMap, sync::Arc};

use mynah::{
    config::{self, DeclarativeFormat},
    diag::SourceFile,
    document::Value,
    plugin::{BundledPlugins, EnabledPlugins},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::gateway::{Gateway, Setup};

/// The files that are written, and how many lines a write may change besides its own (an empty list that gets an item
/// is its own).
const FILES: &[(&str, &str, usize)] = &[
    ("nested", include_str!("../documents/laws/nested.yaml"), 0),
    ("flat", include_str!("../documents/laws/flat.yaml"), 0),
    // What an alias or a merge key repeats is written out.
    ("anchors", include_str!("../documents/laws/anchors.yaml"), 3),
    ("flow", include_str!("../documents/laws/flow.yaml"), 1),
    ("scalars", include_str!("../documents/laws/scalars.yaml"), 0),
    ("hashed", include_str!("../documents/laws/hashed.yaml"), 0),
    // A member of JSON changes the comma of the one before it.
    ("json", include_str!("../documents/laws/all.json"), 2),
];

/// The collections, by their names in the file and in the Admin API.
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

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }
}

type Declared = BTreeMap<String, String>;

/// What the file declares, by collection and id, without times and passwords.
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
    records.map(|it| (format!("{} {}", it.collection(), it.id()), said(&it.value))).collect()
}

fn said(record: &Value) -> String {
    let is_secret = |key: &str| matches!(key, "password" | "secret" | "key" | "cert_digest");
    let mut members: Vec<String> = record
        .entries()
        .filter(|(key, value)| !key.ends_with("_at") && !value.is_null() && !is_secret(key))
        .map(|(key, value)| format!("{key}: {}", value.to_json()))
        .collect();
    members.sort();
    members.join(", ")
}

/// What is live, likewise.
fn live(gateway: &Gateway) -> Declared {
    let mut all = BTreeMap::new();
    let mut add = |collection: &str, path: &str| {
        let list = gateway.admin("GET", &format!("{path}?size=1000"));
        let list: Value = Value::from(&list.json());
        let mut ids = Vec::new();
        for record in list.get("data").unwrap().items() {
            let id = record.get("id").and_then(Value::as_str).unwrap();
            all.insert(format!("{collection} {id}"), said(record));
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

/// How many lines of `old` are not in `new`, in their order.
fn lost(old: &str, new: &str) -> usize {
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

/// What a write may do to the lines that are there.
enum Touch {
    /// It changes so many of them at most.
    Lines(usize),
    /// Lines go with what is removed, or change with what they name.
    Removes,
}

/// Makes one write; what it may do to the lines, and how it was answered.
#[expect(clippy::too_many_lines, reason = "a table of writes")]
fn write(gateway: &Gateway, before: &Declared, dice: &mut Dice, n: usize) -> (Touch, String) {
    use Touch::{Lines, Removes};
    let mut of = |collection: &str| {
        let all: Vec<&String> =
            before.keys().filter(|it| it.split_once(' ').is_some_and(|it| it.0 == collection)).collect();
        // Nobody has this id.
        let nobody = "00000000-0000-4000-8000-000000000000".to_owned();
        if all.is_empty() { nobody } else { all[dice.roll(all.len())].split_once(' ').unwrap().1.to_owned() }
    };
    let (service, route, plugin) = (of("services"), of("routes"), of("plugins"));
    let (consumer, upstream, vault) = (of("consumers"), of("upstreams"), of("vaults"));
    let (key, password, group, target) =
        (of("keyauth_credentials"), of("basicauth_credentials"), of("acls"), of("targets"));
    let owner =
        before.get(&format!("targets {target}")).and_then(|it| it.split("upstream: {\"id\":\"").nth(1));
    let owner = owner.map_or(upstream.clone(), |it| it[..36].to_owned());
    let text = dice.pick(&[
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
    let (method, path, form, touch) = match dice.roll(34) {
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
        // Those that name it follow.
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
    let said = format!("{method} {path} {form}: {} {}", answer.status, answer.text());
    // Some name what is not there (any more), or what something else refers to.
    assert!(matches!(answer.status, 200 | 201 | 204 | 400 | 404 | 409), "{said}");
    let file = || gateway.folder.read("kong.yaml");
    assert!(answer.status < 400 || !answer.text().contains("no place"), "{said}\n{}", file());
    let is_refused = answer.status >= 400;
    (if is_refused { Lines(0) } else { touch }, said)
}

/// Somebody edits the file, too: a comment, or something that means something; in place, or another file in its place.
fn edited(text: &str, dice: &mut Dice, n: usize) -> String {
    let is_json = text.starts_with('{');
    match dice.roll(3) {
        0 if !is_json => {
            let lines: Vec<usize> = text
                .match_indices('\n')
                .map(|(at, _)| at + 1)
                .filter(|at| text[*at..].starts_with(char::is_alphabetic))
                .collect();
            let Some(at) = lines.get(dice.roll(lines.len())) else { return text.to_owned() };
            let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
            format!("{}# edit {n}{newline}{}", &text[..*at], &text[*at..])
        }
        1 => text.replacen(".example", &format!("{n}.example"), 1),
        _ => text.replacen("/r0", &format!("/e{n}/r0"), 1),
    }
}

fn play(name: &str, text: &str, slack: usize, seed: u64) {
    let gateway = Setup::with(text).run();
    let mut dice = Dice(seed);
    for n in 0..30 {
        let mut before = gateway.folder.read("kong.yaml");
        if dice.roll(4) == 0 {
            before = edited(&before, &mut dice, n);
            if n.is_multiple_of(2) {
                gateway.folder.write("kong.yaml", &before);
            } else {
                gateway.folder.write("editor", &before);
                std::fs::rename(gateway.folder.at("editor"), gateway.folder.at("kong.yaml")).unwrap();
            }
        }
        let (touch, answer) = write(&gateway, &declared(&before), &mut dice, n);
        let after = gateway.folder.read("kong.yaml");
        let place = || format!("{name}, seed {seed}, write {n}, {answer}:\n{before}\n->\n{after}");
        // A write that is refused may have been so before the file was looked at.
        if !answer.contains(": 4") {
            assert_eq!(declared(&after), live(&gateway), "{}", place());
        }
        let comments = |text: &str| text.lines().filter(|it| it.starts_with('#')).count();
        assert_eq!(comments(&before), comments(&after), "{}", place());
        let newlines = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
        let (with_return, all) = newlines(&after);
        assert!(with_return == 0 || with_return == all, "{}", place());
        if let Touch::Lines(most) = touch {
            let lost = lost(&before, &after);
            assert!(lost <= most + slack, "{lost} lines changed; {}", place());
        }
    }
}

/// Sequences for each file.
fn seeds() -> u64 {
    std::env::var("LAWS_SEEDS").ok().and_then(|it| it.parse().ok()).unwrap_or(2)
}

#[test]
fn the_file_declares_what_is_live_and_keeps_its_lines() {
    for (name, text, slack) in FILES {
        for seed in 1..=seeds() {
            play(name, text, *slack, seed);
        }
    }
}

#[test]
fn so_does_a_file_of_another_system() {
    for (name, text, slack) in &FILES[..3] {
        for seed in 1..=seeds() {
            play(name, &text.replace('\n', "\r\n"), *slack, 1000 + seed);
        }
    }
}

#[test]
fn what_is_of_a_route_goes_with_it() {
    let text = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: a\n  routes:\n  - name: r\n    paths: [/r]\n    \
                plugins:\n    - name: cors\n- name: b\n  host: b\nplugins:\n- name: acl\n  route: r\n  config: {allow: [x]}\n";
    // Without its name, in its Service and in another one.
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
