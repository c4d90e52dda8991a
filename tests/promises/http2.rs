//! HTTP/2 by hand, for what no client library would send or show.

use std::net::SocketAddr;

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    payload: Bytes,
}

/// A connection that says what it is told to.
pub(crate) struct Raw {
    socket: TcpStream,
}

impl Raw {
    /// Connects and begins as every client does.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(PREFACE).await.unwrap();
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        Self { socket }
    }

    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.socket.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind: head[3], flags: head[4], payload: payload.into() })
    }

    /// The settings that the server begins with, by their numbers.
    pub(crate) async fn settings(&mut self) -> Vec<(u16, u32)> {
        let frame = self.next().await.unwrap();
        assert_eq!((frame.kind, frame.flags), (SETTINGS, 0));
        let pair = |pair: &[u8]| {
            let number = u16::from_be_bytes([pair[0], pair[1]]);
            (number, u32::from_be_bytes([pair[2], pair[3], pair[4], pair[5]]))
        };
        frame.payload.chunks(6).map(pair).collect()
    }

    /// Makes a call with these headers and this body; whether a message came back.
    pub(crate) async fn gets_an_answer(mut self, headers: &[(&str, &str)], body: &[u8]) -> bool {
        let mut block = BytesMut::new();
        for (name, value) in headers {
            // A literal that is not indexed, with its own name.
            block.put_u8(0);
            text(&mut block, name);
            text(&mut block, value);
        }
        // A server that has enough after the headers may close before the body is written.
        let _ = self.socket.write_all(&frame(HEADERS, END_HEADERS, 1, &block)).await;
        let _ = self.socket.write_all(&frame(DATA, END_STREAM, 1, body)).await;
        while let Some(frame) = self.next().await {
            match frame.kind {
                DATA => return true,
                RST_STREAM | GOAWAY => return false,
                HEADERS if frame.flags & END_STREAM != 0 => return false,
                _ => {}
            }
        }
        false
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A string of a header block, as it is: its length in a prefix of seven bits, then its bytes.
fn text(block: &mut BytesMut, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.put_u8(u8::try_from(length).unwrap());
    } else {
        block.put_u8(127);
        length -= 127;
        while length >= 128 {
            block.put_u8(u8::try_from(length % 128 + 128).unwrap());
            length /= 128;
        }
        block.put_u8(u8::try_from(length).unwrap());
    }
    block.put_slice(text.as_bytes());
}
