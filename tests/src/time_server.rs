//! A time server (SNTP) of this machine, which can be told to be wrong.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From the time protocol's first second to Unix's (RFC 5905, figure 4).
const UNIX_OFFSET_SECONDS: i64 = 2_208_988_800;
/// How long one look for a question takes, at most; then it is seen whether the server is to end.
const LOOK: Duration = Duration::from_millis(50);

/// A running time server.
#[derive(Debug)]
pub struct TimeServer {
    /// `127.0.0.1:PORT`.
    pub address: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    wrong_by_seconds: AtomicI64,
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl TimeServer {
    /// On a free port, telling this machine's time.
    ///
    /// # Panics
    /// Where the machine has no free port.
    pub fn start() -> TimeServer {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        socket.set_read_timeout(Some(LOOK)).expect("a socket takes a timeout");
        let address = socket.local_addr().expect("a bound socket has an address").to_string();
        let shared = Arc::new(Shared::default());
        let its_shared = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&socket, &its_shared));
        TimeServer { address, shared, thread: Some(thread) }
    }

    /// From now on its time is wrong by so many seconds.
    pub fn be_wrong_by(&self, seconds: i64) {
        self.shared.wrong_by_seconds.store(seconds, Ordering::Relaxed);
    }

    /// How many questions it has answered.
    pub fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut question = [0; 48];
    while !shared.is_over.load(Ordering::Relaxed) {
        let Ok((48, from)) = socket.recv_from(&mut question) else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let seconds =
            now.as_secs() as i64 + UNIX_OFFSET_SECONDS + shared.wrong_by_seconds.load(Ordering::Relaxed);
        let mut answer = [0; 48];
        // Version 4, mode 4 (server), stratum 2; the question's transmit time comes back as the originate time.
        (answer[0], answer[1]) = (0b00_100_100, 2);
        answer[24..32].copy_from_slice(&question[40..48]);
        for place in [32, 40] {
            answer[place..place + 4].copy_from_slice(&(seconds as u32).to_be_bytes());
        }
        if socket.send_to(&answer, from).is_ok() {
            shared.answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}
