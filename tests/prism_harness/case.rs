//! Parser of a file of the harness: sections that begin with lines such as `====spec====`.

/// Rule for the comparison of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The bodies are equal.
    Exact,
    /// The structures of the bodies are equal.
    Loose,
    /// The keys of the bodies and their order are equal.
    Keys,
}

/// Expected response.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) rule: Rule,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Test case of one file.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) document: String,
    /// The command line of Prism.
    pub(crate) server: String,
    pub(crate) command: String,
    pub(crate) expected: Expected,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut sections: Vec<(&str, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            // A section without a final line end is followed by the next marker on the same line.
            let (before, marker) = split_marker(line);
            if let Some((_, section)) = sections.last_mut() {
                section.push_str(before);
            }
            if let Some(marker) = marker {
                sections.push((marker, String::new()));
            }
        }
        let section =
            |word: &str| sections.iter().find(|(name, _)| *name == word).map(|(_, text)| text.as_str());
        let required = |word: &str| section(word).ok_or_else(|| format!("there is no section `{word}`"));
        let rules = [("expect", Rule::Exact), ("expect-loose", Rule::Loose), ("expect-keysOnly", Rule::Keys)];
        let (text, rule) = rules
            .iter()
            .find_map(|(word, rule)| Some((section(word)?, *rule)))
            .ok_or("nothing is expected")?;
        Ok(Self {
            document: required("spec")?.to_owned(),
            server: required("server")?.trim().to_owned(),
            command: required("command")?.trim().to_owned(),
            expected: Expected::parse(text.trim(), rule)?,
        })
    }
}

/// Names of sections.
const SECTIONS: [&str; 7] =
    ["test", "spec", "server", "command", "expect", "expect-loose", "expect-keysOnly"];

/// A line, and the section that a marker at its end begins.
fn split_marker(line: &str) -> (&str, Option<&'static str>) {
    let trimmed = line.trim_end();
    for word in SECTIONS {
        if let Some(before) = trimmed.strip_suffix(&format!("===={word}====")) {
            return (before, Some(word));
        }
    }
    (line, None)
}

impl Expected {
    fn parse(text: &str, rule: Rule) -> Result<Self, String> {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self {
            rule,
            status: status.ok_or("there is no status")?,
            headers: headers.collect(),
            body: body.trim().to_owned(),
        })
    }
}
