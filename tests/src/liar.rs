//! Somebody between a node and whoever asks it, who changes words in what the node says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A forwarder of GET requests that answers with one word replaced by another on one path.
#[derive(Debug)]
pub struct Liar {
    /// `http://ADDRESS:PORT`.
    pub http: String,
}

impl Liar {
    /// Stands before the node at `node`; on paths that begin with `path`, what `lie` makes of the body is said instead.
    /// It ends with the test's process.
    ///
    /// # Panics
    /// Where no port can be had.
    pub fn before(node: &str, path: &str, lie: impl Fn(String) -> String + Send + Sync + 'static) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let http = format!("http://{}", listener.local_addr().expect("it has an address"));
        let (node, path) = (node.to_owned(), path.to_owned());
        let lie = Arc::new(lie);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One request a connection, and each on its own: a browser asks for much at once, and hears events for ever.
                let (node, path, lie) = (node.clone(), path.clone(), Arc::clone(&lie));
                thread::spawn(move || drop(answer(stream, &node, &path, &*lie)));
            }
        });
        Liar { http }
    }
}

fn answer(
    mut stream: TcpStream,
    node: &str,
    path: &str,
    lie: &dyn Fn(String) -> String,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let asked = request.split(' ').nth(1).unwrap_or("/");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let answered = agent.get(format!("{node}{asked}")).call();
    let mut answered = answered.map_err(std::io::Error::other)?;
    let status = answered.status();
    let kind = answered.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("application/octet-stream").to_owned();
    let mut body = answered.body_mut().read_to_vec().map_err(std::io::Error::other)?;
    if asked.starts_with(path) {
        body = lie(String::from_utf8_lossy(&body).into_owned()).into_bytes();
    }
    write!(stream, "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n")?;
    write!(stream, "content-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
