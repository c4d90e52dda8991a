//! The bytes that a person signs: DSSE's pre-authentication encoding (PAE).
//!
//! Both lengths stand before their contents, so no pair of type and body encodes like another pair,
//! and a signature over one kind of message can never be read as a signature over another kind.

/// `DSSEv1 SP len(type) SP type SP len(body) SP body`, with both lengths in bytes, as decimal
/// ASCII.
///
/// The encoding is that of the DSSE protocol, version 1, for a payload type and the exact bytes of
/// a message. It cannot fail and puts no limit on either part: the caller bounds the body where it
/// receives it.
#[must_use]
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len());
    let mut encoded = head.into_bytes();
    encoded.extend_from_slice(body);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_example_of_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn lengths_are_counted_in_bytes_and_an_empty_body_keeps_its_separator() {
        assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
        assert_eq!(pae("", &[0xff, 0x00]), b"DSSEv1 0  2 \xff\x00");
    }

    #[test]
    fn moving_a_byte_from_type_to_body_changes_the_encoding() {
        assert_ne!(pae("a b", b"c"), pae("a", b"b c"));
        assert_ne!(pae("a 1 b", b""), pae("a", b"b"));
    }
}
