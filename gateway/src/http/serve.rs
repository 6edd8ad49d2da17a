//! Serves a router on a listener: a bounded number of connections, a time limit on request heads, an end in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use super::visitor::Peer;
use crate::limits::{HTTP_CONNECTIONS_MAX, HTTP_HEAD_SECONDS_MAX, HTTP_STOP_SECONDS_MAX};

/// Serves until `stop` is ready; then open requests get `HTTP_STOP_SECONDS_MAX` to end.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let connections = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(HTTP_HEAD_SECONDS_MAX));
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = tokio::select! {
            () = &mut stop => break,
            permit = Arc::clone(&connections).acquire_owned() => permit,
        };
        // The semaphore is never closed; were it, nothing could be served any more.
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(error) => {
                // Out of file descriptors, or a peer that was gone at once: the next one may work.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and whole; waiting to fill a packet would only delay them.
        let _best_effort = stream.set_nodelay(true);
        let service =
            router.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                request
            });
        let service = TowerToHyperService::new(service);
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A peer that goes away in the middle is no event worth a line.
            let _ended = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let limit = Duration::from_secs(HTTP_STOP_SECONDS_MAX);
    let _too_slow_ones_are_cut = tokio::time::timeout(limit, graceful.shutdown()).await;
}
