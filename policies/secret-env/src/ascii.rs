//! Characters of ASCII in texts. Patterns of `str` made of several are several times the code in a module.

/// Whether a text has one of these characters.
pub fn has(text: &str, wanted: &[u8]) -> bool {
    text.bytes().any(|byte| wanted.contains(&byte))
}

/// Whether a text starts with one of these characters.
pub fn starts(text: &str, wanted: &[u8]) -> bool {
    text.bytes().next().is_some_and(|first| wanted.contains(&first))
}

/// What stands before the first of these characters.
pub fn until<'t>(text: &'t str, ends: &[u8]) -> &'t str {
    let end = text.bytes().position(|byte| ends.contains(&byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// Whether all of a text is of a sort, and there is any.
pub fn is_all(text: &str, is_of: fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(is_of)
}
