//! From bytes to text.

use std::borrow::Cow;

use crate::SyntaxError;
use crate::mark::Mark;

/// The text of a file: UTF-8, or UTF-16 of either byte order where a byte order mark says so, as go-yaml takes it. The
/// mark is left out.
///
/// # Errors
/// Where a byte is no part of such a text.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SyntaxError> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest).map(Cow::Borrowed),
        _ => utf8(bytes).map(Cow::Borrowed),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, SyntaxError> {
    str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let text = str::from_utf8(valid).unwrap_or_default();
        let byte = rest.first().copied().unwrap_or_default();
        Mark::START.advanced(text, text.len()).error(format!("the byte {byte:#04x} is no part of UTF-8 text"))
    })
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, SyntaxError> {
    let (units, odd) = bytes.as_chunks();
    let mut text = String::with_capacity(bytes.len() / 2);
    let fail = |text: &str, message: String| Err(Mark::START.advanced(text, text.len()).error(message));
    for character in char::decode_utf16(units.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(half) => {
                let message = format!("{:#06x} is half a pair and no UTF-16 text", half.unpaired_surrogate());
                return fail(&text, message);
            }
        }
    }
    if odd.is_empty() { Ok(text) } else { fail(&text, "UTF-16 text ends with half a character".to_owned()) }
}
