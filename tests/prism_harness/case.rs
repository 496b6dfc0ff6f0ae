//! One file of the harness: sections behind lines such as `====spec====`.

/// How much of an answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The body as it is written.
    Exact,
    /// The structure of the body.
    Loose,
    /// The keys of the body, in their order.
    Keys,
}

/// What is expected.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) rule: Rule,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) document: String,
    /// The flags of Prism.
    pub(crate) server: String,
    pub(crate) command: String,
    pub(crate) expected: Expected,
}

impl Case {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut sections: Vec<(&str, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            // A word may follow a section on the same line, where that has no line end.
            let (before, word) = divide(line);
            if let Some((_, section)) = sections.last_mut() {
                section.push_str(before);
            }
            if let Some(word) = word {
                sections.push((word, String::new()));
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

const WORDS: [&str; 7] = ["test", "spec", "server", "command", "expect", "expect-loose", "expect-keysOnly"];

/// A line, and the word that ends it.
fn divide(line: &str) -> (&str, Option<&'static str>) {
    let trimmed = line.trim_end();
    for word in WORDS {
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
