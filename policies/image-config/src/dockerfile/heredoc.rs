//! Heredocs: texts that stand below an instruction.

/// The heredocs that a line announces: what ends each, and whether tabs may stand before that (`heredocsFromLine` in
/// `parser.go`).
pub fn of_line(line: &str) -> Vec<(String, bool)> {
    words(line).unwrap_or_default().into_iter().filter_map(of_word).collect()
}

/// `reHeredoc` and `heredocFromMatch` in `parser.go`: a number or none, `<<`, and a name, which quotes may enclose.
fn of_word(word: &str) -> Option<(String, bool)> {
    let rest = word.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix("<<")?;
    let (rest, is_chomped) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let rest = rest.trim_start();
    if rest.contains('<') {
        return None;
    }
    let mut name = String::new();
    let mut quote = None;
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            _ if quote == Some(character) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(character),
            '\\' if quote != Some('\'') => name.extend(characters.next()),
            _ if quote.is_none() && character.is_whitespace() => return None,
            _ => name.push(character),
        }
    }
    (!name.is_empty()).then_some((name, is_chomped))
}

/// The words of a line, with their quotes and escapes; `None` where it is none that `BuildKit`'s lexer understands: then it
/// looks for no heredocs (`shell/lex.go`).
fn words(line: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut begun = None;
    // What ends a quote or a `${`, the innermost last.
    let mut ends: Vec<char> = Vec::new();
    let mut characters = line.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let inner = ends.last().copied();
        if inner.is_none() && character.is_whitespace() {
            words.extend(begun.take().and_then(|begin: usize| line.get(begin..at)));
            continue;
        }
        begun.get_or_insert(at);
        match character {
            _ if inner == Some(character) => drop(ends.pop()),
            _ if inner == Some('\'') => {}
            '\\' => drop(characters.next()),
            '"' | '\'' if inner != Some('"') => ends.push(character),
            '$' if characters.next_if(|(_, next)| *next == '{').is_some() => {
                let is_special = |next: char| "@*#?-$!0".contains(next);
                let is_name = |next: char| next.is_alphanumeric() || next == '_';
                if characters.next_if(|(_, next)| is_special(*next)).is_none() {
                    while characters.next_if(|(_, next)| is_name(*next)).is_some() {}
                }
                match characters.next()?.1 {
                    '}' => {}
                    ':' | '+' | '-' | '?' | '#' | '%' | '/' => ends.push('}'),
                    _ => return None,
                }
            }
            // Blanks may stand between `<<` and the name.
            '<' if inner.is_none() && characters.next_if(|(_, next)| *next == '<').is_some() => {
                while characters.next_if(|(_, next)| matches!(next, ' ' | '\t' | '\r')).is_some() {}
            }
            _ => {}
        }
    }
    if !ends.is_empty() {
        return None;
    }
    words.extend(begun.and_then(|begin| line.get(begin..)));
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::of_line;

    #[test]
    fn names() {
        for (line, expected) in [
            ("RUN <<EOF", &[("EOF", false)][..]),
            ("RUN <<-EOF cat", &[("EOF", true)]),
            ("RUN 3<<EOF", &[("EOF", false)]),
            ("RUN cat << 'E O F'", &[("E O F", false)]),
            ("COPY <<a.txt <<\"b.txt\" /", &[("a.txt", false), ("b.txt", false)]),
            ("RUN <<<word cat", &[]),
            ("RUN cat<<EOF", &[]),
            ("RUN echo '<<EOF'", &[]),
            ("RUN echo \"<<EOF\"", &[]),
            ("RUN echo ${A:-<<EOF}", &[]),
            ("RUN echo $((1 << 4))", &[("4))", false)]),
            ("RUN echo ${!A} <<EOF", &[]),
            ("RUN echo 'open <<EOF", &[]),
            ("RUN <<", &[]),
            ("RUN <<é", &[("é", false)]),
        ] {
            let found = of_line(line);
            let found: Vec<_> = found.iter().map(|(name, is_chomped)| (name.as_str(), *is_chomped)).collect();
            assert_eq!(found, expected, "{line}");
        }
    }
}
