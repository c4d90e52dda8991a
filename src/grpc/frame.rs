//! The body of a unary call: read under a limit, and taken out of gRPC's framing, without a copy
//! where it came in one piece.
//!
//! The framing is five bytes, a compression flag and the length (big-endian), before each message.
//! A unary call carries exactly one, and here never a compressed one: what a person signed are the
//! message's bytes as they are, and nothing may stand between the signature and them.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};

use super::error::Failure;
use super::limits::MAX_REQUEST_BYTES;

/// Bytes before each message.
const PREFIX_BYTES: usize = 5;

/// Reads the body of a unary call, prefix included.
///
/// Refused as soon as it is seen to be too large; the rest is then not read.
pub(super) async fn read<B>(mut body: B) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let most = PREFIX_BYTES + MAX_REQUEST_BYTES;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The caller went away in the middle of the message: nobody reads the answer.
        let Ok(data) = frame.map_err(|_| Failure::NotOneMessage)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > most {
            return Err(Failure::MessageTooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// The one message in a body that [`read`] returned.
pub(super) fn message(body: &Bytes) -> Result<Bytes, Failure> {
    let mut prefix = body.clone();
    if prefix.len() < PREFIX_BYTES {
        return Err(Failure::NotOneMessage);
    }
    let compressed = prefix.get_u8();
    let length = prefix.get_u32();
    if compressed != 0 {
        return Err(Failure::MessageCompressed);
    }
    if usize::try_from(length).ok() != Some(prefix.remaining()) {
        return Err(Failure::NotOneMessage);
    }
    Ok(prefix)
}

/// A body that holds one empty message.
///
/// Handed to the handlers of writes, which take the verified request instead: what was signed is
/// decoded once, by `command`, and never a second time by somebody else.
pub(super) fn empty_message() -> Full<Bytes> {
    Full::new(Bytes::from_static(&[0; PREFIX_BYTES]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(flag: u8, length: u32, content: &[u8]) -> Bytes {
        let mut bytes = vec![flag];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(content);
        Bytes::from(bytes)
    }

    #[test]
    fn takes_the_one_message_out() {
        assert_eq!(message(&framed(0, 3, b"abc")).unwrap(), "abc");
        assert_eq!(message(&framed(0, 0, b"")).unwrap(), "");
    }

    #[test]
    fn refuses_a_short_a_long_a_doubled_and_an_absent_message() {
        let doubled = [framed(0, 1, b"a"), framed(0, 1, b"a")].concat();
        for body in [
            framed(0, 4, b"abc"),
            framed(0, 2, b"abc"),
            Bytes::from(doubled),
            Bytes::from_static(&[0, 0, 0, 0]),
            Bytes::new(),
        ] {
            assert!(matches!(message(&body), Err(Failure::NotOneMessage)), "{body:?}");
        }
    }

    #[test]
    fn refuses_a_compressed_message() {
        assert!(matches!(message(&framed(1, 3, b"abc")), Err(Failure::MessageCompressed)));
    }

    #[tokio::test]
    async fn reads_up_to_the_limit_and_not_past_it() {
        let most = PREFIX_BYTES + MAX_REQUEST_BYTES;
        for (length, taken) in [(most - 1, true), (most, true), (most + 1, false)] {
            let body = Full::new(Bytes::from(vec![0; length]));
            assert_eq!(read(body).await.is_ok(), taken, "{length}");
        }
    }
}
