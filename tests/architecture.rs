//! Rules of the source that the compiler does not check: dependencies between modules, libraries that belong to one
//! module, sizes and first lines of files, names and words. ARCHITECTURE.md explains them.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A module may use itself and the modules of its row. A row names only modules that stand above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("base64_codec", &[]),
    ("budget", &[]),
    ("calendar", &[]),
    ("constant_time", &[]),
    ("file_read", &[]),
    ("supervise", &[]),
    ("document", &["budget"]),
    ("diag", &["document"]),
    ("text_diff", &[]),
    ("ip_network", &[]),
    ("uri", &[]),
    ("nginx_status", &[]),
    ("request_head", &["uri"]),
    ("schema", &["budget", "diag", "document"]),
    ("tls", &["base64_codec", "calendar"]),
    ("entity", &["base64_codec", "document", "ip_network", "schema", "tls", "uri"]),
    ("config", &["diag", "document", "entity", "schema", "uri"]),
    ("json_schema", &["entity", "schema"]),
    ("export", &["document", "entity", "schema"]),
    ("compare", &["document", "entity", "export", "schema"]),
    ("settings", &["constant_time", "ip_network", "schema", "uri"]),
    ("body", &["budget"]),
    ("request_id", &[]),
    ("access_log", &["base64_codec", "calendar", "nginx_status", "request_id", "settings", "supervise"]),
    ("metrics", &["body", "nginx_status", "request_head"]),
    ("reply", &["body", "document", "nginx_status", "request_id"]),
    ("openapi", &["base64_codec", "budget", "diag", "document", "file_read", "request_head"]),
    ("import", &["diag", "document", "openapi", "schema", "uri"]),
    ("mock", &["base64_codec", "budget", "document", "openapi"]),
    ("router", &["diag", "document", "entity", "ip_network", "uri"]),
    ("dns", &["supervise"]),
    ("upstream", &["body", "supervise", "tls", "uri"]),
    ("balancer", &["body", "dns", "entity", "supervise", "upstream", "uri"]),
    (
        "plugin",
        &[
            "base64_codec",
            "body",
            "budget",
            "calendar",
            "constant_time",
            "diag",
            "document",
            "file_read",
            "ip_network",
            "metrics",
            "mock",
            "nginx_status",
            "openapi",
            "reply",
            "request_head",
            "request_id",
            "schema",
            "supervise",
            "tls",
            "upstream",
            "uri",
        ],
    ),
    ("traffic", &["document", "entity", "metrics", "nginx_status", "plugin", "request_id"]),
    (
        "snapshot",
        &[
            "balancer",
            "budget",
            "config",
            "diag",
            "document",
            "entity",
            "file_read",
            "metrics",
            "plugin",
            "router",
            "tls",
            "upstream",
            "uri",
        ],
    ),
    (
        "proxy",
        &[
            "access_log",
            "balancer",
            "base64_codec",
            "body",
            "budget",
            "dns",
            "document",
            "entity",
            "metrics",
            "nginx_status",
            "plugin",
            "reply",
            "request_head",
            "request_id",
            "router",
            "settings",
            "snapshot",
            "supervise",
            "traffic",
            "upstream",
            "uri",
        ],
    ),
    (
        "control",
        &[
            "balancer",
            "base64_codec",
            "body",
            "budget",
            "config",
            "diag",
            "document",
            "entity",
            "file_read",
            "import",
            "metrics",
            "openapi",
            "plugin",
            "proxy",
            "reply",
            "schema",
            "settings",
            "snapshot",
            "supervise",
            "text_diff",
            "traffic",
            "uri",
        ],
    ),
    ("pages", &["body", "constant_time", "control", "reply", "uri"]),
    (
        "server",
        &[
            "pages",
            "access_log",
            "body",
            "control",
            "metrics",
            "proxy",
            "reply",
            "settings",
            "snapshot",
            "supervise",
            "tls",
            "request_id",
        ],
    ),
];

/// Libraries that only the given files and folders may name.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("base64", &["src/base64_codec.rs"]),
    ("granit_parser", &["src/document/"]),
    ("openapiv3", &["src/openapi/strict.rs"]),
    ("jsonschema", &["src/openapi/validator/format.rs", "src/openapi/sample/"]),
    ("jsonschema_regex", &["src/openapi/validator/pattern.rs"]),
    (
        "fancy_regex",
        &[
            "src/openapi/validator/pattern.rs",
            "src/plugin/lua/regex_api.rs",
            "src/plugin/bot_detection/",
            "src/plugin/pcre.rs",
        ],
    ),
    ("mlua", &["src/plugin/lua/"]),
    ("similar", &["src/text_diff.rs"]),
    ("serde_yaml", &["src/openapi/body/"]),
    ("atc_router", &["src/router/expressions.rs", "src/router/request_fields.rs"]),
    ("arc_swap", &["src/snapshot/live.rs", "src/balancer/"]),
    ("hickory_resolver", &["src/dns/query.rs"]),
    ("minijinja", &["src/plugin/mocking/"]),
    ("notify", &["src/control/watch/"]),
    ("annotate_snippets", &["src/diag/render.rs"]),
    ("httparse", &["src/upstream/http1/"]),
    ("redis", &["src/plugin/rate_limiting/"]),
    ("hyper", &["src/body/", "src/upstream/", "src/proxy/", "src/server/"]),
    ("hyper_util", &["src/upstream/", "src/proxy/", "src/server/"]),
    ("rustls", &["src/tls/", "src/upstream/", "src/server/"]),
    ("rcgen", &["src/tls/"]),
    ("rsa", &["src/tls/"]),
    ("p521", &["src/tls/"]),
    ("mynah_lease", &["src/file_read/"]),
    (
        "tokio",
        &[
            "src/body/buffers.rs",
            "src/body/stall_timer.rs",
            "src/budget/",
            "src/dns/",
            "src/upstream/",
            "src/balancer/",
            "src/snapshot/live.rs",
            "src/traffic/mod.rs",
            "src/supervise.rs",
            "src/plugin/",
            "src/proxy/",
            "src/control/",
            "src/server/",
            "src/command/",
        ],
    ),
    ("anyhow", &["src/main.rs", "src/command/"]),
    ("clap", &["src/main.rs", "src/command/"]),
];

/// Calls that read a file without `file_read`, which would read a file that another process is writing.
const READS: &[&str] = &["fs::read(", "fs::read_to_string(", "File::open("];

/// Places that may use [`READS`]: they read no part of a configuration, or read once, before the start.
const MAY_READ: &[(&str, &str)] = &[
    ("src/file_read/", "reads files for all others"),
    ("src/settings/load.rs", "kong.conf, read once"),
    ("src/tls/", "what settings name, read once"),
    ("src/command/gateway.rs", "error templates, read once"),
    ("src/dns/hosts.rs", "/etc/hosts"),
    ("src/control/admin/", "/proc"),
    ("src/command/bulk/", "/proc"),
    ("src/command/pid_file.rs", "the pid file of a running gateway"),
    ("src/command/kong/start.rs", "the log of the process that it has started"),
    ("src/command/pid_file.rs", "the pid file"),
    ("src/command/kong/start.rs", "the log of a start that failed"),
    ("src/control/write/save.rs", "opens the folder, to lock it"),
    ("src/control/last_good/kept_file.rs", "opens the folder, to flush it"),
];

/// Lines of the longest file, without its `mod tests`.
const MOST_LINES: usize = 400;

#[test]
fn modules_only_use_what_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut broken = Vec::new();
    for (file, text) in sources() {
        let Some(module) = module_of(&file) else { continue };
        let may = allowed.get(&*module).unwrap_or_else(|| panic!("src/{module} has no row in LAYERS"));
        for (line, used) in uses(&text) {
            if used != module && allowed.contains_key(&*used) && !may.contains(&&*used) {
                broken.push(format!("{}:{line}: {module} may not use {used}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn layers_only_point_up() {
    for (n, (module, may)) in LAYERS.iter().enumerate() {
        for used in *may {
            let position = LAYERS.iter().position(|(name, _)| name == used);
            assert!(position.is_some_and(|position| position < n), "{module} -> {used} points down");
        }
    }
}

#[test]
fn libraries_are_used_only_by_their_modules() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        let name = file.display().to_string();
        for (library, places) in LIBRARIES {
            if is_of_tests(&file) || places.iter().any(|place| name.starts_with(place)) {
                continue;
            }
            for (n, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if code.contains(&format!("{library}::")) && !code.contains(&format!("_{library}::")) {
                    broken.push(format!("{name}:{}: {library} is for {places:?}", n + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn files_of_a_configuration_are_read_in_one_place() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        let name = file.display().to_string();
        if is_of_tests(&file) || MAY_READ.iter().any(|(place, _)| name.starts_with(place)) {
            continue;
        }
        let code = without_tests(&text);
        for (n, line) in code.lines().enumerate() {
            if READS.iter().any(|call| line.contains(call)) {
                broken.push(format!("{name}:{}: files are read by file_read::FileReader", n + 1));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn files_begin_with_their_purpose_and_stay_short() {
    let mut broken = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//! ") {
            broken.push(format!("{} does not begin with what it holds (`//! ...`)", file.display()));
        }
        let first = text.lines().next().unwrap_or_default().trim_start_matches("//! ");
        let tag = first.split_once(": ").map(|(tag, _)| tag);
        if tag.is_some_and(|tag| tag.len() > 1 && tag.chars().all(|c| c.is_ascii_uppercase())) {
            broken.push(format!("{} begins with a tag; a noun phrase says more", file.display()));
        }
        let lines = without_tests(&text).lines().count();
        if lines > MOST_LINES && !is_of_tests(&file) {
            broken.push(format!("{} has {lines} lines; {MOST_LINES} are enough", file.display()));
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// Names that several types may have, each inside one module.
const REPEATED_TYPES: &[&str] = &["Builder", "Config", "Error", "Iter", "State"];

#[test]
fn a_type_name_has_one_type() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources() {
        if is_of_tests(&file) {
            continue;
        }
        for (n, line) in without_tests(&text).lines().enumerate() {
            if let Some(name) = defined_type(line) {
                places.entry(name.to_owned()).or_default().push(format!("{}:{}", file.display(), n + 1));
            }
        }
    }
    assert!(places.len() > 300, "the types were not found");
    places.retain(|name, places| places.len() > 1 && !REPEATED_TYPES.contains(&&**name));
    assert!(places.is_empty(), "one name for several types: {places:#?}");
}

/// The type that a line defines; types of traits' implementations (`type Output = …`, indented) are not meant.
fn defined_type(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    if let Some(rest) = words.strip_prefix("pub") {
        words = match rest.strip_prefix('(') {
            Some(rest) => rest.split_once(')')?.1.trim_start(),
            None => rest.trim_start(),
        };
    }
    let (kind, rest) = words.split_once(' ')?;
    let indented = line.starts_with(' ');
    let defines = matches!(kind, "struct" | "enum" | "trait" | "union") || (kind == "type" && !indented);
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (defines && name.starts_with(|c: char| c.is_ascii_uppercase())).then_some(name)
}

/// Words that make persons of the parts of a program, or riddles of sentences.
const WORDS_TO_AVOID: &[&str] = &[
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "whoever",
    "whom",
    "is told",
    "are told",
    "one that is none",
    "that are none",
    "complain",
    "complaint",
    "complaints",
];

/// Arguments of closures without a meaning.
const CLOSURES_TO_AVOID: &[&str] = &[concat!("|", "it|"), concat!("|", "&it|")];

/// Folders whose names and comments are plain, too.
const OTHER_CODE: &[&str] = &["tests", "benches", "fuzz/fuzz_targets"];

#[test]
fn comments_names_and_documentation_are_plain() {
    let mut broken = Vec::new();
    let mut texts = sources();
    for folder in OTHER_CODE {
        visit(Path::new(folder), &mut texts);
    }
    for folder in ["docs", "."] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                texts.push((path, text));
            }
        }
    }
    for (file, text) in texts {
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        for (n, line) in text.lines().enumerate() {
            let place = format!("{}:{}", file.display(), n + 1);
            if is_source && CLOSURES_TO_AVOID.iter().any(|closure| line.contains(closure)) {
                broken.push(format!("{place}: name the argument of the closure by what it is"));
            }
            let (name, prose) = if is_source {
                let comment = line.split_once("//").map_or("", |(_, comment)| comment);
                (defined_function(line).unwrap_or_default(), comment)
            } else {
                ("", line)
            };
            let words = format!(" {name} {prose} ").to_lowercase();
            let words = words.replace(|c: char| !c.is_alphanumeric(), " ");
            if let Some(word) = WORDS_TO_AVOID.iter().find(|word| words.contains(&format!(" {word} "))) {
                broken.push(format!("{place}: say \"{word}\" in plain technical English"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn files_of_tests_begin_with_their_purpose() {
    let mut files = Vec::new();
    for folder in OTHER_CODE {
        visit(Path::new(folder), &mut files);
    }
    let broken: Vec<_> =
        files.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(files.len() > 100, "the tests were not found");
    assert!(broken.is_empty(), "these files do not begin with what they hold (`//! ...`): {broken:#?}");
}

/// The name of the function that a line defines.
fn defined_function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let is_definition = before.chars().all(|c| c.is_ascii_lowercase() || "() ".contains(c));
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    is_definition.then_some(&rest[..end])
}

#[test]
fn a_text_stands_in_one_file() {
    // Media types are no sentences; the text of http-log is a choice of a setting, and `openapi` stands below `reply`.
    let allowed = ["application/json; charset=utf-8"];
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources() {
        // Whole files of tests: `mod tests;`, properties and fixtures.
        let name = file.display().to_string();
        if is_of_tests(&file) || ["properties.rs", "recursion.rs"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let mut texts: Vec<&str> = without_tests(&text).lines().flat_map(sentences).collect();
        texts.sort_unstable();
        texts.dedup();
        for text in texts.into_iter().filter(|text| !allowed.contains(text)) {
            places.entry(text.to_owned()).or_default().push(name.clone());
        }
    }
    assert!(places.len() > 500, "the texts were not found: {}", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "one text in several files; make it a constant or a function: {places:#?}");
}

/// The literals of a line that are longer than 30 characters and have several words.
fn sentences(line: &str) -> Vec<&str> {
    let code = line.trim_start();
    if code.starts_with("//")
        || code.starts_with('#')
        || code.contains("reason = \"")
        || code.contains("'\"'")
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut start = None;
    let mut escaped = false;
    for (n, byte) in code.bytes().enumerate() {
        match (byte, start) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'"', Some(first)) => {
                found.push(&code[first..n]);
                start = None;
            }
            (b'"', None) => start = Some(n + 1),
            _ => (),
        }
    }
    found.retain(|text| text.chars().count() > 30 && text.contains(' '));
    found
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string("src/lib.rs").unwrap();
    let architecture = fs::read_to_string("ARCHITECTURE.md").unwrap();
    for (module, _) in LAYERS {
        assert!(map.contains(&format!("[`{module}`]")), "src/lib.rs does not say what {module} is for");
        assert!(
            architecture.contains(&format!("`{module}`")),
            "ARCHITECTURE.md does not say what {module} may use"
        );
    }
}

/// The text of a file before its `mod tests`.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// `src/plugin/cors.rs` -> `plugin`; `lib.rs`, `main.rs` and `command/` may use all modules.
fn module_of(file: &Path) -> Option<String> {
    let rest = file.strip_prefix("src").ok()?;
    let first = rest.components().next()?.as_os_str().to_str()?;
    (!matches!(first, "lib.rs" | "main.rs" | "command")).then(|| first.trim_end_matches(".rs").to_owned())
}

/// The modules of this crate that a text names, with their lines: `crate::x`, and the items of `use crate::{`.
fn uses(text: &str) -> Vec<(usize, String)> {
    let name = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    let mut open = false;
    for (n, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        found.extend(code.split("crate::").skip(1).map(|rest| (n + 1, name(rest))));
        if open && code.starts_with("    ") && !code.starts_with("     ") {
            found.push((n + 1, name(code.trim_start())));
        }
        if let Some(rest) = code.split("use crate::{").nth(1) {
            // All on one line: every name after a brace or a comma outside inner braces.
            let mut depth = 0;
            let mut word = String::new();
            for c in rest.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => (),
                }
                if c.is_alphanumeric() || c == '_' {
                    word.push(c);
                } else {
                    if depth == 0 && (c == ':' || c == ',') && !word.is_empty() {
                        found.push((n + 1, word.clone()));
                    }
                    word.clear();
                }
            }
            open = !code.contains("};");
        } else if code.starts_with("};") {
            open = false;
        }
    }
    found
}

fn is_of_tests(file: &Path) -> bool {
    file.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "test_support.rs")))
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    visit(Path::new("src"), &mut all);
    assert!(all.len() > 50, "the sources were not found");
    all
}

fn visit(folder: &Path, all: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            all.push((path, text));
        }
    }
}
