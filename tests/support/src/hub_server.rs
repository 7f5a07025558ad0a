//! A server with the addresses and headers of the Hugging Face Hub, and another one for contents.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What `main` is at.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The repository that the server has.
pub const REPO: &str = "org/model";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET` or `HEAD`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// At the server of contents.
    pub cdn: bool,
}

impl Asked {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
    /// The connection ends after that many bytes of the body.
    pub cut: Option<usize>,
    /// The time before the last byte.
    pub stall: Duration,
}

impl Answer {
    /// One without headers and content.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The same with another value of a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// The same with another content.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// The same, of which only that many bytes of the content arrive.
    #[must_use]
    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

/// Changes answers. Gets the answer that the Hub would give, and how many requests of the same
/// method there were before at the same server.
pub type Change = dyn Fn(&Asked, usize, Answer) -> Answer + Send + Sync;

/// The two servers, which run as long as the process does.
pub struct Server {
    /// The address in place of `https://huggingface.co`.
    pub endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Serves files that are all right.
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        Self::changed(files, |_, _, answer| answer)
    }

    /// Serves files, and changes the answers.
    pub fn changed(
        files: &[(&str, &[u8])],
        change: impl Fn(&Asked, usize, Answer) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let files = files.iter();
        let files = files.map(|(name, content)| ((*name).to_owned(), content.to_vec()));
        let files: Arc<BTreeMap<_, _>> = Arc::new(files.collect());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let change: Arc<Change> = Arc::new(change);
        let (hub, cdn) = (listen(), listen());
        let content = cdn.local_addr().unwrap();
        let endpoint = format!("http://{}", hub.local_addr().unwrap());
        for (listener, cdn) in [(hub, false), (cdn, true)] {
            let (files, asked, change) = (files.clone(), asked.clone(), change.clone());
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let (files, asked, change) = (files.clone(), asked.clone(), change.clone());
                    thread::spawn(move || serve(stream, cdn, content, &files, &asked, &*change));
                }
            });
        }
        Self { endpoint, asked }
    }

    /// All that was asked until now.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The ranges of contents that were asked for.
    pub fn ranges(&self) -> Vec<Option<String>> {
        let asked = self.asked().into_iter();
        let contents = asked.filter(|asked| asked.cdn && asked.method == "GET");
        contents
            .map(|asked| asked.header("range").map(str::to_owned))
            .collect()
    }
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum that the Hub tells of large files.
pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// The checksum that the Hub tells of small files.
pub fn git_sha1(content: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

/// Answers requests of one connection. Large files, `.bin`, are with the other server, as those of
/// the Hub are.
fn serve(
    stream: TcpStream,
    cdn: bool,
    content: SocketAddr,
    files: &BTreeMap<String, Vec<u8>>,
    log: &Mutex<Vec<Asked>>,
    change: &Change,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(asked) = read_request(&mut reader, cdn) {
        let before = {
            let mut log = log.lock().unwrap();
            let same = |other: &&Asked| other.cdn == cdn && other.method == asked.method;
            let before = log.iter().filter(same).count();
            log.push(asked.clone());
            before
        };
        let right = match cdn {
            true => right_content(&asked, files),
            false => right_answer(&asked, content, files),
        };
        let answer = change(&asked, before, right);
        if write_answer(&stream, &asked, &answer).is_none() {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read_request(reader: &mut impl BufRead, cdn: bool) -> Option<Asked> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Asked {
        method,
        path,
        headers,
        cdn,
    })
}

fn right_answer(asked: &Asked, content: SocketAddr, files: &BTreeMap<String, Vec<u8>>) -> Answer {
    if let Some(revision) = asked
        .path
        .strip_prefix(&format!("/api/models/{REPO}/revision/"))
    {
        return match is_revision(revision) {
            true => listing(files),
            false => Answer::new(404).with("x-error-code", "RevisionNotFound"),
        };
    }
    let Some(path) = asked.path.strip_prefix(&format!("/{REPO}/resolve/")) else {
        return Answer::new(404).with("x-error-code", "RepoNotFound");
    };
    let (revision, file) = path.split_once('/').unwrap();
    if !is_revision(revision) {
        return Answer::new(404).with("x-error-code", "RevisionNotFound");
    }
    let Some(bytes) = files.get(file) else {
        return Answer::new(404).with("x-error-code", "EntryNotFound");
    };
    let answer = Answer::new(200).with("x-repo-commit", COMMIT);
    if file.ends_with(".bin") {
        return Answer {
            status: 302,
            ..answer
        }
        .with("location", format!("http://{content}/{file}?signed"))
        .with("etag", "\"of the reply\"")
        .with("x-linked-etag", format!("\"{}\"", sha256(bytes)))
        .with("x-linked-size", bytes.len());
    }
    let answer = answer.with("etag", format!("W/\"{}\"", git_sha1(bytes)));
    ranged(asked, answer, bytes)
}

fn is_revision(revision: &str) -> bool {
    ["main", COMMIT, "v1%2Fa"].contains(&revision)
}

/// What the Hub tells of a repository, of which more is left out here.
fn listing(files: &BTreeMap<String, Vec<u8>>) -> Answer {
    let siblings: Vec<_> = files
        .keys()
        .map(|file| json!({"rfilename": file}))
        .collect();
    let listing = json!({"id": REPO, "sha": COMMIT, "private": false, "siblings": siblings});
    let body = listing.to_string();
    Answer::new(200)
        .with("content-length", body.len())
        .body(body.as_bytes())
}

fn right_content(asked: &Asked, files: &BTreeMap<String, Vec<u8>>) -> Answer {
    let file = asked
        .path
        .trim_start_matches('/')
        .trim_end_matches("?signed");
    ranged(asked, Answer::new(200), &files[file])
}

fn ranged(asked: &Asked, answer: Answer, bytes: &[u8]) -> Answer {
    let range = asked.header("range");
    let from = range.and_then(|range| {
        range
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    });
    let from: usize = from.unwrap_or(0);
    let range = format!(
        "bytes {from}-{}/{}",
        bytes.len().wrapping_sub(1),
        bytes.len()
    );
    let answer = answer
        .with("content-length", bytes.len().saturating_sub(from))
        .body(&bytes[from.min(bytes.len())..]);
    match from {
        0 => answer,
        _ => Answer {
            status: 206,
            ..answer
        }
        .with("content-range", range),
    }
}

/// `None` when the connection ends.
fn write_answer(mut stream: &TcpStream, asked: &Asked, answer: &Answer) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Whatever\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut known = answer.headers.iter().map(|(name, _)| name.as_str());
    let framed = known.any(|name| ["content-length", "transfer-encoding"].contains(&name));
    if !framed && answer.body.is_empty() {
        head += "content-length: 0\r\n";
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if asked.method == "HEAD" {
        return Some(());
    }
    let end = answer.cut.unwrap_or(answer.body.len());
    let body = &answer.body[..end.min(answer.body.len())];
    let (start, last) = body.split_at(body.len().saturating_sub(1));
    stream.write_all(start).ok()?;
    thread::sleep(answer.stall);
    stream.write_all(last).ok()?;
    // A body without a length ends with the connection.
    (answer.cut.is_none() && (framed || answer.body.is_empty())).then_some(())
}
