//! Parser of curl command lines.

/// Request of a curl command.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// Whether the body of the response is ignored (`-I`).
    pub(crate) head_only: bool,
}

const BOUNDARY: &str = "------------------------harness";

impl Request {
    pub(crate) fn parse(command: &str) -> Result<Self, String> {
        let mut words = split_words(command).into_iter();
        if words.next().as_deref() != Some("curl") {
            return Err(format!("not a curl command: {command}"));
        }
        let mut request = Self::default();
        let mut parts: Vec<String> = Vec::new();
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "-i" | "-s" | "-L" | "--location" | "--include" | "--silent" => (),
                "-X" | "--request" => request.method = next()?,
                "-H" | "--header" => request.add_header(&next()?),
                "--cookie" | "-b" => {
                    let cookies = next()?;
                    request.headers.push(("Cookie".to_owned(), cookies));
                }
                "-d" | "--data" | "--data-raw" | "--data-binary" => request.add_data(&next()?),
                "--data-urlencode" => {
                    let text = next()?;
                    let encoded = encode_data(&text);
                    request.add_data(&encoded);
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
                other => return Err(format!("unknown option of curl: {other}")),
            }
        }
        if !parts.is_empty() {
            request.set_form(&parts);
        }
        if request.method.is_empty() {
            let default_method = if request.head_only { "HEAD" } else { "GET" };
            request.method = if request.body.is_some() { "POST" } else { default_method }.to_owned();
        }
        Ok(request)
    }

    fn add_header(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once(':') {
            self.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }

    fn add_data(&mut self, text: &str) {
        match &mut self.body {
            Some(body) => {
                body.push('&');
                body.push_str(text);
            }
            None => self.body = Some(text.to_owned()),
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.add_header("Content-Type: application/x-www-form-urlencoded");
        }
    }

    /// Sets a multipart body. As in curl, its content type replaces one of the command line.
    fn set_form(&mut self, parts: &[String]) {
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
        self.add_header(&format!("Content-Type: multipart/form-data; boundary={BOUNDARY}"));
    }
}

/// Percent-encodes the content of `name=content`, or the whole text without a name.
fn encode_data(text: &str) -> String {
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

/// Splits a line into words as a shell does, up to an unquoted ampersand.
fn split_words(line: &str) -> Vec<String> {
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
fn lines_are_split_as_a_shell_does() {
    let line = r#"curl -i -X POST http://h:1/a\?b\=c -H "A: \"$&'x'" --data 'x y' && echo"#;
    assert_eq!(
        split_words(line)[1..],
        ["-i", "-X", "POST", "http://h:1/a?b=c", "-H", "A: \"$&'x'", "--data", "x y"]
    );
    assert_eq!(encode_data("id=%"), "id=%25");
    assert_eq!(encode_data("a/b"), "a%2Fb");
}
