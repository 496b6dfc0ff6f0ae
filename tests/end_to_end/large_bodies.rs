//! Request and response bodies that are larger than the memory of the gateway for them.
use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Request,
    body::{Body, Frame, SizeHint},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::{
    PATIENCE,
    gateway::{Gateway, Setup},
};

/// Size of the bodies: 128 MiB, or `LARGE_BODIES_MIB`.
fn size() -> usize {
    static SIZE: LazyLock<usize> = LazyLock::new(|| {
        std::env::var("LARGE_BODIES_MIB").map_or(128, |mebibytes| mebibytes.parse().unwrap()) << 20
    });
    *SIZE
}

/// Limit of the peak memory of the gateway: half of a body.
const MEMORY: usize = 64 << 20;

const BLOCK: &[u8] = &[b'x'; 64 << 10];

/// A service that answers GET with a large body, and any other request with the number of bytes that it got.
fn start_service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The gateway may abort connections when it ends.
            std::thread::spawn(move || drop(serve(stream)));
        }
    });
    port
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::with_capacity(BLOCK.len(), stream);
    loop {
        let (mut get, mut length, mut chunked) = (false, 0, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.to_ascii_lowercase();
            get |= line.starts_with("get ");
            chunked |= line.starts_with("transfer-encoding: chunked");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let stream = reader.get_ref().try_clone()?;
        if get {
            write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", size())?;
            write_large(&stream)?;
            continue;
        }
        let got = if chunked { read_chunks(&mut reader)? } else { read_exactly(&mut reader, length)? };
        let text = got.to_string();
        write!(&stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())?;
    }
}

fn write_large(mut stream: &TcpStream) -> std::io::Result<()> {
    (0..size() / BLOCK.len()).try_for_each(|_| stream.write_all(BLOCK))
}

/// Reads a body of this length; returns the number of bytes.
fn read_exactly(reader: &mut impl Read, length: usize) -> std::io::Result<usize> {
    let (mut buffer, mut got) = (vec![0; BLOCK.len()], 0);
    while got < length {
        let most = buffer.len().min(length - got);
        match reader.read(&mut buffer[..most])? {
            0 => break,
            read => got += read,
        }
    }
    Ok(got)
}

fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<usize> {
    let mut got = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        got += read_exactly(reader, size)?;
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(got);
        }
    }
}

fn start() -> Gateway {
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://127.0.0.1:{}\n  routes:\n  \
         - {{name: read-ahead, paths: [/read-ahead]}}\n  \
         - {{name: passed-on, paths: [/passed-on], request_buffering: false, response_buffering: false}}\n",
        start_service()
    );
    Setup::with(&config).run()
}

#[track_caller]
fn assert_memory_is_bounded(gateway: &Gateway) {
    let peak = gateway.peak_memory();
    // Printed with `--nocapture`, for measurements with larger bodies.
    eprintln!("bodies of {} MiB: at most {} MiB of memory", size() >> 20, peak >> 20);
    assert!(peak < MEMORY, "{} MiB of memory for a body of {} MiB", peak >> 20, size() >> 20);
}

#[test]
fn large_bodies_of_http_1_take_little_memory() {
    let gateway = start();
    for path in ["/read-ahead", "/passed-on"] {
        let stream = TcpStream::connect(gateway.address("proxy")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(&stream);
        for chunked in [false, true] {
            let framing = if chunked {
                "Transfer-Encoding: chunked".into()
            } else {
                format!("Content-Length: {}", size())
            };
            write!(&stream, "POST {path} HTTP/1.1\r\nHost: a.example\r\n{framing}\r\n\r\n").unwrap();
            if chunked {
                for _ in 0..size() / BLOCK.len() {
                    write!(&stream, "{:x}\r\n", BLOCK.len()).unwrap();
                    (&stream).write_all(BLOCK).unwrap();
                    write!(&stream, "\r\n").unwrap();
                }
                write!(&stream, "0\r\n\r\n").unwrap();
            } else {
                write_large(&stream).unwrap();
            }
            assert_eq!(answer(&mut reader), size().to_string().len());
            let mut got = String::new();
            (&mut reader).take(size().to_string().len() as u64).read_to_string(&mut got).unwrap();
            assert_eq!(got, size().to_string());
        }
        write!(&stream, "GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
        assert_eq!(answer(&mut reader), size());
        assert_eq!(read_exactly(&mut reader, size()).unwrap(), size());
        assert_memory_is_bounded(&gateway);
    }
}

/// Reads the head of a response, which must have status 200; returns the length of its body.
#[track_caller]
fn answer(reader: &mut impl BufRead) -> usize {
    let (mut head, mut line) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "{head}");
        head.push_str(&line.to_ascii_lowercase());
    }
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap()
}

/// A body that is generated while it is sent.
struct Large(usize);

impl Body for Large {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let size = self.0.min(BLOCK.len());
        self.0 -= size;
        Poll::Ready((size > 0).then(|| Ok(Frame::data(Bytes::from_static(&BLOCK[..size])))))
    }

    fn is_end_stream(&self) -> bool {
        self.0 == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_of_http_2_take_little_memory() {
    let gateway = start();
    let stream = tokio::net::TcpStream::connect(gateway.address("proxy")).await.unwrap();
    let mut client = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = client
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for path in ["/read-ahead", "/passed-on"] {
        for up in [true, false] {
            let (method, sent, expected) =
                if up { ("POST", size(), size().to_string().len()) } else { ("GET", 0, size()) };
            let request = Request::builder().method(method).uri(format!("http://a.example{path}"));
            let response = sender.send_request(request.body(Large(sent)).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let (mut got, mut body) = (0, response.into_body());
            while let Some(frame) = body.frame().await {
                got += frame.unwrap().data_ref().map_or(0, Bytes::len);
            }
            assert_eq!(got, expected, "{method} {path}");
        }
        assert_memory_is_bounded(&gateway);
    }
}
