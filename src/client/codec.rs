//! A codec that sends bytes as they are: what was signed is what goes out, by construction and not
//! by the hope that two encodings are alike.

use std::marker::PhantomData;

use bytes::{BufMut as _, Bytes};
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Sends a request's bytes untouched and reads the answer as the message `A`.
pub(super) struct SignedBytes<A>(PhantomData<A>);

/// The sending half.
pub(super) struct BytesEncoder;

/// The reading half.
pub(super) struct AnswerDecoder<A>(PhantomData<A>);

impl<A> Default for SignedBytes<A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A: Message + Default + Send + 'static> Codec for SignedBytes<A> {
    type Encode = Bytes;
    type Decode = A;
    type Encoder = BytesEncoder;
    type Decoder = AnswerDecoder<A>;

    fn encoder(&mut self) -> Self::Encoder {
        BytesEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        AnswerDecoder(PhantomData)
    }
}

impl Encoder for BytesEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl<A: Message + Default> Decoder for AnswerDecoder<A> {
    type Item = A;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<A>, Status> {
        A::decode(buffer)
            .map(Some)
            .map_err(|error| Status::internal(format!("the answer is not readable: {error}")))
    }
}
