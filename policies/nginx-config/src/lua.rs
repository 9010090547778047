//! Where a Lua block ends: at its brace, not at one in a string or a comment.
//!
//! As the Lua module finds it (`ngx_http_lua_conf_lua_block_parse` and the lexer it calls):
//! <https://github.com/openresty/lua-nginx-module/blob/master/src/ngx_http_lua_directive.c>.

use crate::reader::Cursor;

/// Moves past the brace that closes the block; `false` where there is none.
pub fn skip(cursor: &mut Cursor<'_>) -> bool {
    let mut open = 1;
    // For each quote, how much is left where the line ends on which none closes a string.
    let mut unclosed = [usize::MAX; 2];
    while let Some(byte) = cursor.peek() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            b'"' | b'\'' => {
                let unclosed = &mut unclosed[usize::from(byte == b'"')];
                if cursor.rest().len() > *unclosed || !skip_string(cursor, byte, unclosed) {
                    cursor.bump();
                }
                continue;
            }
            b'-' if cursor.rest().starts_with(b"--") => {
                cursor.bump();
                cursor.bump();
                if !skip_long(cursor) {
                    while cursor.peek().is_some_and(|byte| byte != b'\n') {
                        cursor.bump();
                    }
                }
                continue;
            }
            b'[' if skip_long(cursor) => continue,
            _ => {}
        }
        cursor.bump();
        if open == 0 {
            return true;
        }
    }
    false
}

/// Moves past a string; `false` where it does not end on its line. Its quote then stands for nothing, nor do those like it up to
/// the line's end: each was seen behind a backslash.
fn skip_string(cursor: &mut Cursor<'_>, quote: u8, unclosed: &mut usize) -> bool {
    let mut length = 1;
    loop {
        match cursor.rest().get(length) {
            Some(byte) if *byte == quote => break,
            Some(b'\\') if !matches!(cursor.rest().get(length + 1), None | Some(b'\n' | b'\r')) => length += 2,
            None | Some(b'\n' | b'\r' | b'\\') => {
                *unclosed = cursor.rest().len() - length;
                return false;
            }
            Some(_) => length += 1,
        }
    }
    for _ in 0..=length {
        cursor.bump();
    }
    true
}

/// Moves past `[[…]]`, or `[==[…]==]` with any number of equals signs; `false` where there is none.
fn skip_long(cursor: &mut Cursor<'_>) -> bool {
    let Some(rest) = cursor.rest().strip_prefix(b"[") else { return false };
    let level = rest.iter().take_while(|byte| **byte == b'=').count();
    if rest.get(level) != Some(&b'[') {
        return false;
    }
    for _ in 0..level + 2 {
        cursor.bump();
    }
    while let Some(byte) = cursor.bump() {
        if byte == b']' && is_long_end(cursor.rest(), level) {
            for _ in 0..=level {
                cursor.bump();
            }
            break;
        }
    }
    true
}

fn is_long_end(rest: &[u8], level: usize) -> bool {
    rest.get(level) == Some(&b']') && rest[..level].iter().all(|byte| *byte == b'=')
}
