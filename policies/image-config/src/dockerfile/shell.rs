//! The commands of a shell script, as far as they can be told apart without running it.

use std::mem;

/// A command: its words, without quotes and redirections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    /// Whether a pipe takes its output to the next one.
    pub is_piped: bool,
    /// Whether it stands within `$(…)`, backquotes or brackets of another.
    pub is_nested: bool,
}

impl Command {
    /// What runs: the word behind what sets variables for it alone and keywords such as `then`, without its folder.
    pub fn name(&self) -> &str {
        let word = self.words.get(self.first()).map_or("", String::as_str);
        word.rsplit('/').next().unwrap_or_default()
    }

    /// What follows the name.
    pub fn arguments(&self) -> &[String] {
        self.words.get(self.first() + 1..).unwrap_or_default()
    }

    fn first(&self) -> usize {
        let is_before = |word: &&String| {
            BEFORE.contains(&word.as_str())
                || word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                })
        };
        self.words.iter().take_while(is_before).count()
    }
}

/// What may stand before a command.
const BEFORE: &[&str] =
    &["then", "else", "elif", "do", "if", "while", "until", "!", "{", "time", "sudo", "exec", "command"];

/// Where a script is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Script,
    /// `$(…)` or `(…)`.
    Brackets,
    Backquotes,
    DoubleQuotes,
    /// `${…}`
    Braces,
    /// `$((…))` or `((…))`: how many brackets are open within.
    Arithmetic(usize),
    /// `case … in`, up to the bracket behind a pattern; then the commands of that pattern.
    Patterns,
    Case,
    /// `[[ … ]]`
    Test,
}

/// The commands of a script, those within `$(…)` before the one around.
pub fn commands(script: &str) -> Vec<Command> {
    let mut reader = Reader {
        rest: script,
        within: vec![Within::Script],
        found: Vec::new(),
        outer: Vec::new(),
        command: Command::default(),
        word: String::new(),
        has_word: false,
        redirects: false,
        names_heredoc: false,
        heredocs: Vec::new(),
    };
    while let Some(character) = reader.next() {
        reader.take(character);
    }
    reader.end_command(false);
    while let Some((command, word, has_word)) = reader.outer.pop() {
        (reader.command, reader.word, reader.has_word) = (command, word, has_word);
        reader.end_command(false);
    }
    reader.found
}

/// Whether words are those of a `case`, up to its `in`.
fn is_case(words: &[String]) -> bool {
    matches!(words, [before @ .., case, _] if case == "case" && before.iter().all(|word| BEFORE.contains(&word.as_str())))
}

struct Reader<'s> {
    rest: &'s str,
    within: Vec<Within>,
    found: Vec<Command>,
    /// The commands around the one that is read, each with the word that is read of it.
    outer: Vec<(Command, String, bool)>,
    command: Command,
    word: String,
    has_word: bool,
    /// Whether the next word is where something is redirected to.
    redirects: bool,
    /// Whether that is the name of a heredoc.
    names_heredoc: bool,
    /// What ends the heredocs that begin on the next line.
    heredocs: Vec<String>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        Some(character)
    }

    fn next_if(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push(&mut self, character: char) {
        self.word.push(character);
        self.has_word = true;
    }

    fn take(&mut self, character: char) {
        let within = self.within.last().copied().unwrap_or(Within::Script);
        match (within, character) {
            (Within::Arithmetic(_), _) => self.arithmetic(character),
            (_, '\\') => {
                let next = self.next();
                // A line that goes on.
                if next != Some('\n') {
                    if within == Within::DoubleQuotes && !next.is_some_and(|next| "$`\"\\".contains(next)) {
                        self.push('\\');
                    }
                    if let Some(next) = next {
                        self.push(next);
                    }
                }
            }
            (Within::DoubleQuotes, '"') | (Within::Braces, '}') => {
                if within == Within::Braces {
                    self.push('}');
                }
                self.has_word = true;
                self.within.pop();
            }
            (_, '$') => self.dollar(),
            (Within::Backquotes, '`') => self.close(),
            (_, '`') => self.open(Within::Backquotes),
            (Within::DoubleQuotes, _) => self.push(character),
            (_, '"') => {
                self.has_word = true;
                self.within.push(Within::DoubleQuotes);
            }
            (Within::Braces, _) => self.push(character),
            (_, '\'') => {
                let (quoted, rest) = self.rest.split_once('\'').unwrap_or((self.rest, ""));
                self.word.push_str(quoted);
                self.has_word = true;
                self.rest = rest;
            }
            (_, '#') if !self.has_word => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = self.rest.get(end..).unwrap_or_default();
            }
            (_, ' ' | '\t' | '\r') => self.end_word(),
            (Within::Patterns, _) => self.pattern(character),
            (Within::Test, _) if self.word != "]]" => self.push(character),
            (Within::Test, _) => {
                self.end_word();
                self.take(character);
            }
            _ => self.operator(within, character),
        }
    }

    /// What separates commands, or redirects them.
    fn operator(&mut self, within: Within, character: char) {
        match character {
            '\n' => {
                self.end_command(false);
                self.skip_heredocs();
            }
            ';' => {
                self.end_command(false);
                if self.next_if(";") && within == Within::Case {
                    self.replace(Within::Patterns);
                }
            }
            '&' => {
                // `2>&1` and `&>file`.
                if self.redirects && !self.has_word {
                    return;
                }
                if self.rest.starts_with('>') {
                    self.end_word();
                } else {
                    let _ = self.next_if("&");
                    self.end_command(false);
                }
            }
            '|' => {
                let is_or = self.next_if("|");
                let _ = !is_or && self.next_if("&");
                self.end_command(!is_or);
            }
            '<' | '>' => {
                // The number of what is redirected is no word.
                if self.word.bytes().all(|byte| byte.is_ascii_digit()) {
                    (self.word, self.has_word) = (String::new(), false);
                }
                self.end_word();
                if self.next_if("(") {
                    self.open(Within::Brackets);
                    return;
                }
                self.names_heredoc = character == '<' && !self.rest.starts_with("<<") && self.next_if("<");
                let _ = self.next_if("<<") || self.next_if(">") || self.next_if("|") || self.next_if("-");
                self.redirects = true;
            }
            '(' if !self.has_word && self.command.words.is_empty() && self.next_if("(") => {
                self.within.push(Within::Arithmetic(1));
            }
            '(' => self.open(Within::Brackets),
            ')' if within == Within::Brackets => self.close(),
            _ => self.push(character),
        }
    }

    fn skip_heredocs(&mut self) {
        for name in mem::take(&mut self.heredocs) {
            while !self.rest.is_empty() {
                let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
                self.rest = rest;
                if line.trim_start_matches('\t') == name {
                    break;
                }
            }
        }
    }

    fn dollar(&mut self) {
        if self.next_if("((") {
            self.within.push(Within::Arithmetic(1));
        } else if self.next_if("(") {
            self.open(Within::Brackets);
        } else if self.next_if("{") {
            self.word.push_str("${");
            self.has_word = true;
            self.within.push(Within::Braces);
        } else {
            self.push('$');
        }
    }

    fn arithmetic(&mut self, character: char) {
        let Some(Within::Arithmetic(open)) = self.within.last_mut() else { return };
        match character {
            '(' => *open += 1,
            ')' if *open == 0 => drop(self.within.pop()),
            ')' => *open -= 1,
            _ => {}
        }
        self.has_word = true;
    }

    /// Within the pattern of a `case`, `|` is no pipe.
    fn pattern(&mut self, character: char) {
        match character {
            ')' => {
                self.end_word();
                self.command = Command::default();
                self.replace(Within::Case);
            }
            '\n' | ';' | '|' | '(' => self.end_word(),
            _ => self.push(character),
        }
    }

    fn replace(&mut self, within: Within) {
        if let Some(last) = self.within.last_mut() {
            *last = within;
        }
    }

    fn open(&mut self, within: Within) {
        self.within.push(within);
        self.outer.push((mem::take(&mut self.command), mem::take(&mut self.word), mem::take(&mut self.has_word)));
    }

    fn close(&mut self) {
        self.end_command(false);
        self.within.pop();
        (self.command, self.word, self.has_word) = self.outer.pop().unwrap_or_default();
        // What the brackets come to is a part of a word that nobody knows.
        self.word.push_str("$()");
        self.has_word = true;
    }

    fn end_word(&mut self) {
        if !mem::take(&mut self.has_word) {
            return;
        }
        let word = mem::take(&mut self.word);
        if mem::take(&mut self.redirects) {
            if mem::take(&mut self.names_heredoc) {
                self.heredocs.push(word);
            }
            return;
        }
        let within = self.within.last().copied();
        let words = &self.command.words;
        match word.as_str() {
            "in" if is_case(words) => {
                self.command = Command::default();
                self.within.push(Within::Patterns);
                return;
            }
            "esac" if matches!(within, Some(Within::Patterns | Within::Case)) && words.is_empty() => {
                self.within.pop();
            }
            "[[" if words.is_empty() => self.within.push(Within::Test),
            "]]" if within == Some(Within::Test) => drop(self.within.pop()),
            _ => {}
        }
        self.command.words.push(word);
    }

    fn end_command(&mut self, is_piped: bool) {
        self.end_word();
        self.redirects = false;
        let mut command = mem::take(&mut self.command);
        command.is_piped = is_piped;
        command.is_nested = !self.outer.is_empty();
        if !command.words.is_empty() {
            self.found.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::commands;

    /// The commands of a script as text, nested ones in brackets, with a bar behind what is piped.
    fn written(script: &str) -> Vec<String> {
        let write = |command: &super::Command| {
            let words = command.words.join(" ");
            let words = if command.is_nested { format!("({words})") } else { words };
            if command.is_piped { words + " |" } else { words }
        };
        commands(script).iter().map(write).collect()
    }

    #[test]
    fn scripts() {
        for (script, expected) in [
            ("a b && c; d", &["a b", "c", "d"][..]),
            ("a | b || c", &["a |", "b", "c"]),
            ("a |& b & c", &["a |", "b", "c"]),
            ("a '|' \"x|y\" \\| b", &["a | x|y | b"]),
            ("x=$(a | b)", &["(a) |", "(b)", "x=$()"]),
        ] {
            assert_eq!(written(script), expected, "{script}");
        }
        for script in [
            "case $x in a|b) c ;; d | e) f ;; esac",
            "case $(uname -m) in\n  x86_64|amd64) a=1;;\n  *) exit 1\nesac\nb",
            "[[ $x =~ a|b ]] && c",
            "if [[ a || b ]]; then c; fi",
            "a >| b",
            "a # b | c",
            "echo $((1 | 2))",
            "((a | b))",
            "a ${b|c} \"${d|e}\"",
            "cat <<EOF > x\na | b\nEOF\nc",
            "cat <<-'EOF'\n\ta | b\n\tEOF\nc",
            "a 'b\n|' c",
        ] {
            assert!(!commands(script).iter().any(|command| command.is_piped), "{script}");
        }
        for script in [
            "case x in a) b | c ;; esac",
            "echo \"$(a | b)\"",
            "a `b | c`",
            "(a; b) | c",
            "[[ a ]] | b",
            "if a | b; then c; fi",
            "cat <<< x | b",
            "a 2>&1 | b",
            "a &>x | b",
            "a <(b) | c",
            "case x in a|b) ;; esac | c",
            "a \\\n| b",
        ] {
            assert!(commands(script).iter().any(|command| command.is_piped), "{script}");
        }
        assert_eq!(written("A=b sudo /usr/sbin/useradd -u 1 2>/dev/null x"), ["A=b sudo /usr/sbin/useradd -u 1 x"]);
        let found = commands("A=b sudo /usr/sbin/useradd -u 1 x");
        assert_eq!((found[0].name(), found[0].arguments().len()), ("useradd", 3));
    }

    #[test]
    fn hostile_scripts_take_their_time_and_no_more() {
        for part in ["$(", "`", "(", "\"", "'", "${", "\\", "case x in ", "[[ ", "a|", "<<a\n", "((", "$((", ")", ";;"]
        {
            let _ = commands(&part.repeat(200_000));
        }
    }
}
