//! The law of writes: after any sequence of them and of edits of the file, the file declares exactly what is live, and
//! lines that a write is not about are as they were.

use std::{collections::BTreeMap, sync::Arc};

use mynah::{
    config::{self, Format},
    diag::Source,
    document::Value,
    plugin::Bundled,
};

use crate::gateway::{Gateway, Setup};

const CONFIG: &str = "\
# the head
_format_version: \"3.0\"

services:
- name: s0 # first
  host: a.example
  routes:
  - name: r0
    paths: [/r0] # short

# about s1
- name: s1
  url: \"http://b.example/x\"
  plugins:
    - name: cors
      config: {origins: [\"*\"]}

routes:
- {name: lonely, paths: [/lonely], service: s1}
# the end
";

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }
}

/// What the file declares, by collection and id, without times.
fn declared(text: &str) -> BTreeMap<String, String> {
    let source: Arc<Source> = Source::new("kong.yaml", text);
    let config = config::parse(&source, Format::Deck, &Bundled { expressions: false }, 0).unwrap();
    let records = config.entities.records.iter();
    records.map(|it| (format!("{} {}", it.collection(), it.id()), said(&it.value))).collect()
}

fn said(record: &Value) -> String {
    let mut members: Vec<String> = record
        .entries()
        .filter(|(key, value)| !key.ends_with("_at") && !value.is_null())
        .map(|(key, value)| format!("{key}: {}", value.to_json()))
        .collect();
    members.sort();
    members.join(", ")
}

/// What is live, likewise.
fn live(gateway: &Gateway) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for collection in ["services", "routes", "plugins"] {
        let list = gateway.admin("GET", &format!("/{collection}?size=1000"));
        let list: Value = Value::from(&list.json());
        for record in list.get("data").unwrap().items() {
            let id = record.get("id").and_then(Value::as_str).unwrap();
            all.insert(format!("{collection} {id}"), said(record));
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

/// Makes one write; how many lines it may change, or none if lines go with what is removed.
fn write(gateway: &Gateway, dice: &mut Dice, n: usize) -> Option<usize> {
    let live = live(gateway);
    let mut of = |collection: &str| {
        let all: Vec<&String> = live.keys().filter(|it| it.starts_with(collection)).collect();
        (!all.is_empty()).then(|| all[dice.roll(all.len())].split_once(' ').unwrap().1.to_owned())
    };
    let (service, route, plugin) = (of("services"), of("routes"), of("plugins"));
    let kind = dice.roll(10);
    let text = ["on", "12:30", "two words", "x#y", "~"][dice.roll(5)].replace(['#', ' '], "%20");
    let (method, path, form, lines) = match (kind, service, route, plugin) {
        (0, ..) => ("POST", "/services".to_owned(), format!("name=w{n}&host=w.example&tags={text}"), Some(0)),
        (1, Some(id), ..) => {
            ("POST", format!("/services/{id}/routes"), format!("name=w{n}&paths[]=/w{n}&paths[]=/v"), Some(1))
        }
        (2, _, Some(id), _) => {
            let form = format!("name=request-termination&config.status_code=200&config.message={text}");
            ("POST", format!("/routes/{id}/plugins"), form, Some(1))
        }
        (3, Some(id), ..) => ("PATCH", format!("/services/{id}"), format!("retries={n}"), Some(1)),
        (4, Some(id), ..) => ("PATCH", format!("/services/{id}"), format!("host=h{n}.example"), Some(1)),
        (5, _, Some(id), _) => {
            ("PATCH", format!("/routes/{id}"), format!("strip_path={}", n.is_multiple_of(2)), Some(1))
        }
        (6, .., Some(id)) => {
            ("PATCH", format!("/plugins/{id}"), format!("enabled={}", n.is_multiple_of(2)), Some(1))
        }
        (7, Some(id), ..) => ("PATCH", format!("/services/{id}"), format!("name=n{n}"), Some(2)),
        (8, .., Some(id)) => ("DELETE", format!("/plugins/{id}"), String::new(), None),
        (9, _, Some(id), _) => ("DELETE", format!("/routes/{id}"), String::new(), None),
        _ => return Some(0),
    };
    let answer = gateway.admin_form(method, &path, &form);
    let fine = matches!(answer.status, 200 | 201 | 204) || (method == "POST" && answer.status == 409);
    assert!(fine, "{method} {path} {form}: {} {}", answer.status, answer.text());
    lines
}

#[test]
fn the_file_declares_what_is_live_and_keeps_its_lines() {
    for seed in 1..=4 {
        let gateway = Setup::with(CONFIG).run();
        let mut dice = Dice(seed);
        for n in 0..40 {
            let mut before = gateway.folder.read("kong.yaml");
            if dice.roll(4) == 0 {
                // Somebody edits the file, too.
                before = before.replacen("\n- name: ", &format!("\n# edit {n}\n- name: "), 1 + dice.roll(2));
                gateway.folder.write("kong.yaml", &before);
            }
            let lines = write(&gateway, &mut dice, n);
            let after = gateway.folder.read("kong.yaml");
            assert_eq!(declared(&after), live(&gateway), "seed {seed}, write {n}:\n{before}\n->\n{after}");
            let comments = |text: &str| text.lines().filter(|it| it.trim_start().starts_with('#')).count();
            assert_eq!(comments(&before), comments(&after), "seed {seed}, write {n}:\n{before}\n->\n{after}");
            if let Some(most) = lines {
                let lost = lost(&before, &after);
                assert!(lost <= most, "{lost} lines changed; seed {seed}, write {n}:\n{before}\n->\n{after}");
            }
        }
    }
}
