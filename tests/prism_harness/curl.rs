//! The request that a line with curl stands for.

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// Whether curl was told not to read a body (`-I`).
    pub(crate) head_only: bool,
}

const BOUNDARY: &str = "------------------------harness";

impl Request {
    pub(crate) fn parse(command: &str) -> Result<Self, String> {
        let mut words = words(command).into_iter();
        if words.next().as_deref() != Some("curl") {
            return Err(format!("not a line with curl: {command}"));
        }
        let mut request = Self::default();
        let mut parts: Vec<String> = Vec::new();
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or_else(|| format!("{word} stands alone"));
            match word.as_str() {
                "-i" | "-s" | "-L" | "--location" | "--include" | "--silent" => (),
                "-X" | "--request" => request.method = next()?,
                "-H" | "--header" => request.header(&next()?),
                "--cookie" | "-b" => {
                    let cookies = next()?;
                    request.headers.push(("Cookie".to_owned(), cookies));
                }
                "-d" | "--data" | "--data-raw" | "--data-binary" => request.data(&next()?),
                "--data-urlencode" => {
                    let text = next()?;
                    let encoded = encoded(&text);
                    request.data(&encoded);
                }
                "-F" | "--form" => parts.push(next()?),
                "-sIXGET" | "-siXGET" => {
                    request.method = "GET".to_owned();
                    request.head_only = word.contains('I');
                }
                "-I" | "--head" => request.head_only = true,
                url if url.starts_with("http://") => {
                    let rest = &url["http://".len()..];
                    request.target = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
                }
                other => return Err(format!("unknown word of curl: {other}")),
            }
        }
        if !parts.is_empty() {
            request.form(&parts);
        }
        if request.method.is_empty() {
            let usual = if request.head_only { "HEAD" } else { "GET" };
            request.method = if request.body.is_some() { "POST" } else { usual }.to_owned();
        }
        Ok(request)
    }

    fn header(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once(':') {
            self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }

    fn data(&mut self, text: &str) {
        match &mut self.body {
            Some(body) => {
                body.push('&');
                body.push_str(text);
            }
            None => self.body = Some(text.to_owned()),
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.header("Content-Type: application/x-www-form-urlencoded");
        }
    }

    /// A multipart body; curl names its boundary even where the type was given.
    fn form(&mut self, parts: &[String]) {
        let mut body = String::new();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            body.push_str(&format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str(&format!("--{BOUNDARY}--\r\n"));
        self.body = Some(body);
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self.header(&format!("Content-Type: multipart/form-data; boundary={BOUNDARY}"));
    }
}

/// `name=content` with its content encoded, or everything.
fn encoded(text: &str) -> String {
    let (name, content) = match text.split_once('=') {
        Some((name, content)) => (format!("{name}="), content),
        None => (String::new(), text),
    };
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    format!("{name}{}", content.bytes().map(encode).collect::<String>())
}

/// The words that a shell would see, up to an ampersand of its own.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut symbols = line.chars().peekable();
    while let Some(symbol) = symbols.next() {
        match (quote, symbol) {
            (Some('"'), '\\') if symbols.peek().is_some_and(|next| "\"\\$`".contains(*next)) => {
                word.get_or_insert_default().extend(symbols.next());
            }
            (Some(open), symbol) if symbol == open => quote = None,
            (Some(_), symbol) => word.get_or_insert_default().push(symbol),
            (None, '\'' | '"') => {
                quote = Some(symbol);
                word.get_or_insert_default();
            }
            (None, '\\') => match symbols.next() {
                Some('\n') | None => (),
                Some(symbol) => word.get_or_insert_default().push(symbol),
            },
            (None, '&') => break,
            (None, symbol) if symbol.is_whitespace() => words.extend(word.take()),
            (None, symbol) => word.get_or_insert_default().push(symbol),
        }
    }
    words.extend(word);
    words
}

#[test]
fn lines_are_read_as_a_shell_does() {
    let line = r#"curl -i -X POST http://h:1/a\?b\=c -H "A: \"$&'x'" --data 'x y' && echo"#;
    assert_eq!(
        words(line)[1..],
        ["-i", "-X", "POST", "http://h:1/a?b=c", "-H", "A: \"$&'x'", "--data", "x y"]
    );
    assert_eq!(encoded("id=%"), "id=%25");
    assert_eq!(encoded("a/b"), "a%2Fb");
}
