//! The bare call: a unary gRPC call that answers with bytes of a given length and does nothing else. What a call of ours
//! costs beyond this, we did.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tower::Service;

use crate::machine::{Measured, share};

/// A codec that leaves bytes as they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Answers every call with the same bytes.
#[derive(Clone)]
struct Echo(Bytes);

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(echo, request).await) })
    }
}

/// Connects to a server on this machine.
pub(crate) async fn connect(address: SocketAddr) -> Grpc<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().tcp_nodelay(true);
    Grpc::new(endpoint.connect().await.unwrap())
}

/// Sends one call's bytes and returns the answer's.
pub(crate) async fn call(
    grpc: &mut Grpc<Channel>,
    request: Request<Bytes>,
    path: &PathAndQuery,
) -> Result<Bytes, Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    grpc.unary(request, path.clone(), Raw).await.map(Response::into_inner)
}

/// A server that echoes, and its clients.
pub(crate) struct EchoServer {
    connections: Vec<Grpc<Channel>>,
    request: Bytes,
}

impl EchoServer {
    /// Starts one whose requests and answers have so many bytes.
    pub(crate) async fn start(request: usize, answer: usize, connections: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Echo(Bytes::from(vec![7; answer]));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::spawn(Server::builder().add_service(echo).serve_with_incoming(incoming));
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(connect(address).await);
        }
        Self { connections: opened, request: Bytes::from(vec![7; request]) }
    }

    /// Calls it `total` times, by so many callers.
    pub(crate) async fn measure(&self, callers: usize, total: usize) -> Measured {
        let connections = self.connections.clone();
        let request = self.request.clone();
        let path = PathAndQuery::from_static("/bench.Echo/Echo");
        share(callers, total, move |caller, _| {
            let mut grpc = connections[caller % connections.len()].clone();
            let (request, path) = (Request::new(request.clone()), path.clone());
            async move {
                call(&mut grpc, request, &path).await.unwrap();
            }
        })
        .await
    }
}
