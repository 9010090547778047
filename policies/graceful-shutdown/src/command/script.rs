//! A shell's script, as far as its commands follow one another.

/// The commands that a script runs one after the other if each of them succeeds.
pub struct Script<T> {
    /// What was made of the words of each.
    pub commands: Vec<T>,
    /// Whether there is nothing else in it that runs.
    pub whole: bool,
    /// Whether a redirection opens a file.
    pub opens: bool,
}

/// Words that end the script, or of which nothing is known.
const STOPS: &[&str] = &["function", "exit", "return"];

/// Where output is lost.
const NOWHERE: &str = "/dev/null";

/// Words that begin what runs or not, or many times, and those that end it.
const OPENERS: &[&str] = &["if", "while", "until", "for", "case", "select"];
const CLOSERS: &[&str] = &["fi", "done", "esac"];

/// Words before a command that change nothing about how long it takes.
const MARKS: &[&str] = &["{", "}", "!"];

/// Reads a script up to its end, to a function, or to what it cannot make out. What stands in a loop or a condition, after
/// `||`, or after a test and `&&`, is left out, and so is a job in the background
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html>).
///
/// Of each command `make` is told the words, without redirections. A `$` stands where the shell would expand something.
pub fn read<T>(script: &str, make: impl Fn(&[&str]) -> T) -> Script<T> {
    let mut reader = Reader::new(make);
    let stopped = reader.read(script).is_none();
    let Reader { script, last, .. } = reader;
    Script { whole: script.whole && (last == Last::Exit || !stopped), ..script }
}

struct Reader<T, M> {
    script: Script<T>,
    make: M,
    /// The words of the command that is being read, one behind the other, and where each ends. One text for all: a script
    /// may have very many words.
    text: String,
    ends: Vec<usize>,
    /// Whether a word is being read, which is behind the last end.
    in_word: bool,
    /// Whether the next word is where a redirection leads.
    redirects: bool,
    /// How what comes is joined to what was before.
    joint: Joint,
    /// The command that was read last, of those that count.
    last: Last,
    /// How many loops, conditions and groups are open whose commands do not count.
    depth: usize,
    /// How many commands there were before the list of commands, joined by `&&`, `||` and `|`, that is being read.
    list: usize,
    /// The groups that are open, `( … )` and `{ …; }`.
    groups: Vec<Group>,
}

/// How a command is joined to the one before it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Joint {
    /// Not at all: it starts a list.
    #[default]
    Apart,
    /// It runs after it, or beside it in a pipe.
    Joined,
    /// It may be left out without a failure: after `||`, or after a test and `&&`.
    Optional,
}

/// What a command means for the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Other,
    /// It is there to tell whether the next one is to run.
    Test,
    /// It took the shell's place.
    Exec,
    /// It ended the shell, and nothing comes after.
    Exit,
}

/// A group, with what was known before it.
struct Group {
    is_subshell: bool,
    list: usize,
    last: Last,
    /// The depth within it, and around it.
    depth: (usize, usize),
}

impl<T, M: Fn(&[&str]) -> T> Reader<T, M> {
    fn new(make: M) -> Self {
        Self {
            script: Script { commands: Vec::new(), whole: true, opens: false },
            make,
            text: String::new(),
            ends: Vec::new(),
            in_word: false,
            redirects: false,
            joint: Joint::Apart,
            last: Last::Other,
            depth: 0,
            list: 0,
            groups: Vec::new(),
        }
    }

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
                '\n' if self.joint != Joint::Apart && !self.in_word && self.ends.is_empty() => {}
                '\n' | ';' => {
                    self.end_command()?;
                    self.list = self.script.commands.len();
                }
                ')' => {
                    self.end_command()?;
                    self.close(true);
                }
                '&' if follows('&') => {
                    self.end_command()?;
                    self.joint = if self.last == Last::Test { Joint::Optional } else { Joint::Joined };
                }
                '&' if follows('>') => self.redirect(),
                '&' => {
                    self.end_command()?;
                    self.script.commands.truncate(self.list);
                    self.script.whole = false;
                }
                // Behind a word it is a function's, or a list of values.
                '(' if !self.in_word && self.words().all(|word| self.is_mark(word)) => {
                    self.end_command()?;
                    self.open(true);
                }
                '(' => return None,
                '|' if follows('|') => {
                    self.end_command()?;
                    self.joint = Joint::Optional;
                }
                '|' => {
                    self.end_command()?;
                    self.script.whole = false;
                    self.joint = Joint::Joined;
                }
                '<' if follows('<') => return None,
                '>' | '<' => {
                    // `2>`
                    if self.in_word && is_number(&self.text[self.start()..]) {
                        self.drop_word();
                    }
                    let _ = follows('>') || follows('&') || follows('|');
                    self.redirect();
                }
                '#' if !self.in_word => {
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

    /// The word that is being read, to be gone on with.
    fn word(&mut self) -> &mut String {
        self.in_word = true;
        &mut self.text
    }

    /// Where the word that is being read starts.
    fn start(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The words of the command so far, save one that is being read.
    fn words(&self) -> impl Iterator<Item = &str> {
        words(&self.text, &self.ends)
    }

    fn drop_word(&mut self) {
        self.text.truncate(self.start());
        self.in_word = false;
    }

    fn redirect(&mut self) {
        self.end_word();
        self.redirects = true;
    }

    fn end_word(&mut self) {
        if !std::mem::take(&mut self.in_word) {
            return;
        }
        if std::mem::take(&mut self.redirects) {
            // A number is a file that is open already, as in `2>&1`.
            let target = &self.text[self.start()..];
            self.script.opens |= target != NOWHERE && !is_number(target);
            self.drop_word();
        } else {
            self.ends.push(self.text.len());
        }
    }

    /// A group starts. Where it may be left out, so may all that is in it.
    fn open(&mut self, is_subshell: bool) {
        let is_optional = std::mem::take(&mut self.joint) == Joint::Optional;
        let inner = self.depth + usize::from(is_optional);
        self.script.whole &= !is_optional;
        let Self { list, last, depth, .. } = *self;
        self.groups.push(Group { is_subshell, list, last, depth: (inner, depth) });
        self.depth = inner;
        self.list = self.script.commands.len();
    }

    /// The group that was opened last ends; a `)` may also be that of a pattern of `case`.
    fn close(&mut self, is_subshell: bool) {
        let Some(group) = self.groups.pop_if(|group| group.is_subshell == is_subshell && group.depth.0 == self.depth)
        else {
            return;
        };
        self.depth = group.depth.1;
        self.list = group.list;
        // What takes a subshell's place ends with it.
        if is_subshell && self.last == Last::Exec {
            self.last = group.last;
        }
    }

    /// Whether a word only introduces a command.
    fn is_mark(&self, word: &str) -> bool {
        MARKS.contains(&word) || (self.depth > 0 && matches!(word, "do" | "then" | "else" | "elif"))
    }

    /// `None` where nothing is known of what follows.
    fn end_command(&mut self) -> Option<()> {
        self.end_word();
        self.redirects = false;
        if self.ends.is_empty() {
            return Some(());
        }
        let (text, ends) = (std::mem::take(&mut self.text), std::mem::take(&mut self.ends));
        let ended = self.end_words(&words(&text, &ends).collect::<Vec<_>>());
        (self.text, self.ends) = (text, ends);
        self.text.clear();
        self.ends.clear();
        ended
    }

    fn end_words(&mut self, words: &[&str]) -> Option<()> {
        let mut rest = words;
        while let [mark, behind @ ..] = rest
            && self.is_mark(mark)
        {
            match *mark {
                "{" => self.open(false),
                "}" => self.close(false),
                _ => {}
            }
            rest = behind;
        }
        let Some(first) = rest.first().copied() else { return Some(()) };
        let is_optional = std::mem::take(&mut self.joint) == Joint::Optional;
        let (opens, closes) = (OPENERS.contains(&first), CLOSERS.contains(&first));
        if is_optional || opens || closes || self.depth > 0 {
            self.script.whole = false;
            self.depth = (self.depth + usize::from(opens)).saturating_sub(closes.into());
            return Some(());
        }
        if STOPS.contains(&first) || first == "[[" {
            if first == "exit" && self.groups.is_empty() && !rest.iter().any(|word| expands(word)) {
                self.last = Last::Exit;
            }
            return None;
        }
        self.last = match first {
            _ if self.last == Last::Exec => return None,
            "exec" if rest.len() > 1 => Last::Exec,
            "[" | "test" => Last::Test,
            _ => Last::Other,
        };
        self.script.commands.push((self.make)(rest));
        Some(())
    }
}

/// Words that stand one behind the other, by where each ends.
fn words<'t>(text: &'t str, ends: &[usize]) -> impl Iterator<Item = &'t str> {
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(ends).filter_map(|(start, end)| text.get(start..*end))
}

/// Whether a word is a number, which it is also where it is empty.
fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the shell makes something else of a word, which may run anything.
pub fn expands(word: &str) -> bool {
    word.contains(['$', '`'])
}
