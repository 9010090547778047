//! A shell's script, as far as its commands follow one another.

/// The commands that a script runs one after the other if each of them succeeds.
#[derive(Debug, Default)]
pub struct Script {
    /// The words of each, without redirections. A `$` stands where the shell would expand something.
    pub commands: Vec<Vec<String>>,
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
pub fn read(script: &str) -> Script {
    let mut reader = Reader { script: Script { whole: true, ..Script::default() }, ..Reader::default() };
    let stopped = reader.read(script).is_none();
    let Reader { script, exits, .. } = reader;
    Script { whole: script.whole && (exits || !stopped), ..script }
}

#[derive(Default)]
struct Reader {
    script: Script,
    words: Vec<String>,
    word: Option<String>,
    /// Whether the next word is where a redirection leads.
    redirects: bool,
    /// How what comes is joined to what was before.
    joint: Joint,
    /// Whether a program took the shell's place.
    has_ended: bool,
    /// Whether it stopped at an `exit` that nothing comes after.
    exits: bool,
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

/// A group, with what was known before it.
struct Group {
    is_subshell: bool,
    list: usize,
    has_ended: bool,
    /// The depth within it, and around it.
    depth: (usize, usize),
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
                '\n' if self.joint != Joint::Apart && self.word.is_none() && self.words.is_empty() => {}
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
                    let may_fail = self.script.commands.last().is_some_and(|words| is_test(words));
                    self.joint = if may_fail { Joint::Optional } else { Joint::Joined };
                }
                '&' if follows('>') => self.redirect(),
                '&' => {
                    self.end_command()?;
                    self.script.commands.truncate(self.list);
                    self.script.whole = false;
                }
                // Behind a word it is a function's, or a list of values.
                '(' if self.word.is_none() && self.words.iter().all(|word| self.is_mark(word)) => {
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
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.redirects) {
            // A number is a file that is open already, as in `2>&1`.
            self.script.opens |= word != NOWHERE && !word.bytes().all(|byte| byte.is_ascii_digit());
        } else {
            self.words.push(word);
        }
    }

    /// A group starts. Where it may be left out, so may all that is in it.
    fn open(&mut self, is_subshell: bool) {
        let is_optional = std::mem::take(&mut self.joint) == Joint::Optional;
        let inner = self.depth + usize::from(is_optional);
        self.script.whole &= !is_optional;
        let Self { list, has_ended, depth, .. } = *self;
        self.groups.push(Group { is_subshell, list, has_ended, depth: (inner, depth) });
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
        if is_subshell {
            self.has_ended = group.has_ended;
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
        let words = std::mem::take(&mut self.words);
        let mut rest = &words[..];
        while let [mark, behind @ ..] = rest
            && self.is_mark(mark)
        {
            match mark.as_str() {
                "{" => self.open(false),
                "}" => self.close(false),
                _ => {}
            }
            rest = behind;
        }
        let Some(first) = rest.first().map(String::as_str) else { return Some(()) };
        let is_optional = std::mem::take(&mut self.joint) == Joint::Optional;
        let (opens, closes) = (OPENERS.contains(&first), CLOSERS.contains(&first));
        if is_optional || opens || closes || self.depth > 0 {
            self.script.whole = false;
            self.depth = (self.depth + usize::from(opens)).saturating_sub(closes.into());
            return Some(());
        }
        if STOPS.contains(&first) || first == "[[" {
            self.exits = first == "exit" && self.groups.is_empty() && !rest.iter().any(|word| expands(word));
            return None;
        }
        if self.has_ended {
            return None;
        }
        self.has_ended = first == "exec" && rest.len() > 1;
        self.script.commands.push(rest.to_vec());
        Some(())
    }
}

/// Whether the shell makes something else of a word, which may run anything.
pub fn expands(word: &str) -> bool {
    word.contains(['$', '`'])
}

/// Whether a command is there to tell whether the next one is to run.
fn is_test(words: &[String]) -> bool {
    words.first().is_some_and(|first| matches!(&**first, "[" | "test"))
}
