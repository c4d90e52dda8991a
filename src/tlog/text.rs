//! The strict spellings that all the text formats share: canonical base64, decimals without
//! decoration, clean lines.

use base64ct::{Base64, Encoding};

/// Standard base64 with padding (RFC 4648 section 4).
pub(super) fn encode_base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The bytes of a canonical base64 text; `None` for anything that [`encode_base64`] would not have
/// written.
///
/// The comparison at the end is not left to the decoder: two spellings of one signature would be
/// two notes.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let bytes = Base64::decode_vec(text).ok()?;
    (encode_base64(&bytes) == text).then_some(bytes)
}

/// A decimal number of ASCII digits: no sign, no leading zero but `0` itself, at most `u64::MAX`.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let decorated = text.len() > 1 && text.starts_with('0');
    if !digits_only || decorated {
        return None;
    }
    text.parse().ok()
}

/// Whether the text holds an ASCII control character (below U+0020) other than newline.
pub(super) fn has_control_characters(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(decode_base64("AQI=").unwrap(), [1, 2]);
        assert_eq!(decode_base64("").unwrap(), [0u8; 0]);
        for refused in ["AQI", "AQJ=", "AQI==", "A===", "====", "AQ I", "AQI=\n", "AQI_", "é==="] {
            assert_eq!(decode_base64(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn decimals_are_digits_only() {
        assert_eq!(parse_decimal("0"), Some(0));
        assert_eq!(parse_decimal("18446744073709551615"), Some(u64::MAX));
        for refused in ["", "+1", "-1", "01", "00", " 1", "1 ", "1.0", "٣", "18446744073709551616"]
        {
            assert_eq!(parse_decimal(refused), None, "{refused:?}");
        }
    }
}
