//! Escapes in strings, which Go and Prometheus write alike
//! (<https://go.dev/ref/spec#Rune_literals>, `unquoteChar` in
//! <https://github.com/prometheus/prometheus/blob/main/util/strutil/quote.go>).

use std::str::Chars;

/// What an escape stands for, after its `\`; `None` where there is no such escape.
pub fn escaped(rest: &mut Chars<'_>, quote: u8) -> Option<char> {
    let first = rest.next()?;
    let mut digits = |first: u32, count: usize, base: u32| {
        let mut value = first;
        for _ in 0..count {
            value = value.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?)?;
        }
        Some(value)
    };
    let value = match first {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '\\' => 92,
        character if character == char::from(quote) => quote.into(),
        octal @ '0'..='7' => digits(octal.to_digit(8)?, 2, 8).filter(|value| *value < 256)?,
        'x' => digits(0, 2, 16)?,
        'u' => digits(0, 4, 16)?,
        'U' => digits(0, 8, 16)?,
        _ => return None,
    };
    char::from_u32(value)
}
