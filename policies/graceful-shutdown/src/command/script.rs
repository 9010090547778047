//! A shell's script, as far as its commands follow one another.

/// The commands that a script runs one after the other if each of them succeeds.
#[derive(Debug, Default)]
pub struct Script {
    /// The words of each, without redirections. A `$` stands where the shell would expand something.
    pub commands: Vec<Vec<String>>,
    /// Whether there is nothing else in it.
    pub whole: bool,
}

/// Words that begin what is no plain command, or end the script. What follows them may run or not, or many times.
const STOPS: &[&str] = &["if", "while", "until", "for", "case", "select", "function", "{", "!", "[[", "exit", "return"];

/// Reads a script up to the first thing that is no plain command: a loop, a condition, a pipe, a job in the background.
/// What stands after `||`, or after a test and `&&`, is left out
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html>).
pub fn read(script: &str) -> Script {
    let mut reader = Reader { script: Script { whole: true, ..Script::default() }, ..Reader::default() };
    let stopped = reader.read(script).is_none();
    let Script { commands, whole } = reader.script;
    Script { commands, whole: whole && !stopped }
}

#[derive(Default)]
struct Reader {
    script: Script,
    words: Vec<String>,
    word: Option<String>,
    /// Whether the next word is where a redirection leads.
    redirects: bool,
    /// Whether the command may be left out without a failure.
    is_optional: bool,
    /// Whether a program took the shell's place.
    has_ended: bool,
}

impl Reader {
    /// `None` where it stops.
    fn read(&mut self, script: &str) -> Option<()> {
        let mut rest = script.chars();
        while let Some(next) = rest.next() {
            let mut follows = |wanted: char| {
                let is_next = rest.clone().next() == Some(wanted);
                if is_next {
                    rest.next();
                }
                is_next
            };
            match next {
                ' ' | '\t' | '\r' => self.end_word(),
                '\n' | ';' => self.end_command()?,
                '&' if follows('&') => {
                    self.end_command()?;
                    self.is_optional = self.script.commands.last().is_some_and(|words| is_test(words));
                }
                '&' if follows('>') => self.redirect(),
                '&' | '(' | ')' => return None,
                '|' if follows('|') => {
                    self.end_command()?;
                    self.is_optional = true;
                }
                '|' => {
                    self.end_command()?;
                    return None;
                }
                '<' if follows('<') => return None,
                '>' | '<' => {
                    // `2>`
                    if self.word.as_ref().is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
                        self.word = None;
                    }
                    let _ = follows('>') || follows('&') || follows('|');
                    self.redirect();
                }
                '#' if self.word.is_none() => {
                    let line = rest.as_str();
                    rest = line.get(line.find('\n').unwrap_or(line.len())..)?.chars();
                }
                '\'' => {
                    let (quoted, after) = rest.as_str().split_once('\'')?;
                    self.word().push_str(quoted);
                    rest = after.chars();
                }
                '"' => loop {
                    match rest.next()? {
                        '"' => {
                            self.word();
                            break;
                        }
                        '\\' => self.word().push(rest.next()?),
                        quoted => self.word().push(quoted),
                    }
                },
                '\\' => match rest.next()? {
                    '\n' => {}
                    escaped => self.word().push(escaped),
                },
                '`' => {
                    rest = rest.as_str().split_once('`')?.1.chars();
                    self.word().push('$');
                }
                '$' if follows('(') => {
                    let mut depth = 1;
                    while depth > 0 {
                        match rest.next()? {
                            '(' => depth += 1,
                            ')' => depth -= 1,
                            _ => {}
                        }
                    }
                    self.word().push('$');
                }
                plain => self.word().push(plain),
            }
        }
        self.end_command()
    }

    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn redirect(&mut self) {
        self.end_word();
        self.redirects = true;
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take()
            && !std::mem::take(&mut self.redirects)
        {
            self.words.push(word);
        }
    }

    /// `None` where nothing is known of what follows.
    fn end_command(&mut self) -> Option<()> {
        self.end_word();
        self.redirects = false;
        let is_optional = std::mem::take(&mut self.is_optional);
        let words = std::mem::take(&mut self.words);
        let Some(first) = words.first() else { return Some(()) };
        if is_optional {
            self.script.whole = false;
            return Some(());
        }
        if STOPS.contains(&first.as_str()) {
            return None;
        }
        if self.has_ended {
            return None;
        }
        self.has_ended = first == "exec" && words.len() > 1;
        self.script.commands.push(words);
        Some(())
    }
}

/// Whether a command is there to tell whether the next one is to run.
fn is_test(words: &[String]) -> bool {
    words.first().is_some_and(|first| matches!(&**first, "[" | "test"))
}
