//! What a hook's command tells: whether a shell runs it, how long it sleeps, and whether it does anything at all.

mod script;

/// Seconds that no grace period has: those of `sleep infinity`, and whatever is too long to count.
pub const ENDLESS: u64 = u64::MAX / 1000;

/// Shells, none of which a distroless image has.
const SHELLS: &[&str] = &["sh", "ash", "bash", "rbash", "dash", "ksh", "mksh", "zsh", "csh", "tcsh", "fish"];

/// What a command is seen to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// Nothing, and it takes no time for it.
    Nothing,
    /// It sleeps.
    Sleep(Sleep),
    /// Something, for as long as it takes.
    Something,
}

/// A sleep that a command makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sleep {
    millis: u64,
    /// Whether the command does nothing else.
    pub only: bool,
}

impl Sleep {
    /// Its length in seconds begun.
    pub fn seconds(self) -> u64 {
        self.millis.div_ceil(1000)
    }

    /// Whether it never ends.
    pub fn is_endless(self) -> bool {
        self.seconds() >= ENDLESS
    }
}

/// The shell that runs a command, as it is written; `None` where none does.
pub fn shell<'c>(command: &[&'c str]) -> Option<&'c str> {
    let Run { program, .. } = Run::of(command)?;
    SHELLS.contains(&name(program)).then_some(program)
}

/// What a command does: a `sleep`, or a shell's script as far as its commands follow one another.
pub fn work(command: &[&str]) -> Work {
    let Some(run) = Run::of(command) else { return Work::Something };
    if !SHELLS.contains(&name(run.program)) {
        return run.work();
    }
    let Some(script) = script_of(run.arguments) else {
        // Options alone: it reads what a hook is given, which is nothing.
        let only_options = run.arguments.iter().all(|argument| argument.starts_with('-'));
        return if only_options { Work::Nothing } else { Work::Something };
    };
    let script = script::read(script, work_of);
    let (mut slept, mut only) = (None, script.whole && !script.opens);
    for work in script.commands {
        match work {
            Work::Nothing => {}
            Work::Sleep(sleep) => {
                slept = Some(slept.unwrap_or(0_u64).saturating_add(sleep.millis));
                only &= sleep.only;
            }
            Work::Something => only = false,
        }
    }
    match slept {
        Some(millis) => Work::Sleep(Sleep { millis: millis.min(run.limit), only }),
        None if only => Work::Nothing,
        None => Work::Something,
    }
}

/// What a command in a script does; what its words may run is not known.
fn work_of(words: &[&str]) -> Work {
    let work = Run::of(words).map_or(Work::Something, |run| run.work());
    match work {
        _ if !words.iter().any(|word| script::expands(word)) => work,
        Work::Sleep(sleep) => Work::Sleep(Sleep { only: false, ..sleep }),
        Work::Nothing | Work::Something => Work::Something,
    }
}

/// The program that comes to run.
struct Run<'w, 'c> {
    program: &'c str,
    arguments: &'w [&'c str],
    /// The milliseconds that `timeout` leaves it, if it does.
    limit: u64,
}

impl<'w, 'c> Run<'w, 'c> {
    /// What runs behind assignments and `env`, what a shell's `exec` and `command` or a wrapper such as `nohup` or `timeout`
    /// start, or an applet of busybox.
    fn of(mut words: &'w [&'c str]) -> Option<Self> {
        let mut limit = u64::MAX;
        loop {
            let (first, rest) = words.split_first()?;
            words = match name(first) {
                "exec" | "command" | "busybox" => rest,
                "env" => after_options(rest, &["-u", "-C"]),
                "nice" => after_options(rest, &["-n"]),
                "nohup" | "setsid" | "tini" | "dumb-init" => after_options(rest, &[]),
                // https://www.gnu.org/software/coreutils/manual/html_node/timeout-invocation.html
                "timeout" => {
                    let (time, command) = after_options(rest, &["-k", "-s"]).split_first()?;
                    // 0 is none.
                    limit = limit.min(Some(time_in_millis(time)?).filter(|time| *time > 0).unwrap_or(u64::MAX));
                    command
                }
                // As it stands before a command and after `env`; a path has no `=` in its first part.
                _ if first.split_once('=').is_some_and(|(variable, _)| !variable.contains('/')) => rest,
                _ => return Some(Self { program: first, arguments: rest, limit }),
            };
        }
    }

    /// What it does. To print is nothing: nobody sees the output of a hook.
    fn work(&self) -> Work {
        match name(self.program) {
            "" | ":" | "true" | "false" | "exit" | "test" | "[" | "echo" | "printf" => Work::Nothing,
            "sleep" => match millis(self.arguments) {
                Some(0) => Work::Nothing,
                Some(millis) => Work::Sleep(Sleep { millis: millis.min(self.limit), only: true }),
                None if self.arguments.is_empty() => Work::Nothing,
                None => Work::Something,
            },
            _ => Work::Something,
        }
    }
}

/// The words behind options, of which some have an argument of their own.
fn after_options<'w, 'c>(mut words: &'w [&'c str], with_argument: &[&str]) -> &'w [&'c str] {
    while let [option, rest @ ..] = words
        && option.starts_with('-')
    {
        words = if with_argument.contains(option) { rest.get(1..).unwrap_or_default() } else { rest };
        if *option == "--" {
            break;
        }
    }
    words
}

/// A program's name without its folder.
fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The script among a shell's arguments: the first that is no option once `-c` was one; without, it is a file.
fn script_of<'c>(arguments: &[&'c str]) -> Option<&'c str> {
    let mut arguments = arguments.iter();
    let mut inline = false;
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix(['-', '+']) {
            None => return inline.then_some(argument),
            Some(long) if long.starts_with('-') => {}
            Some(letters) => {
                inline |= letters.contains('c');
                // `-o pipefail`
                if letters.contains('o') {
                    arguments.next();
                }
            }
        }
    }
    None
}

/// The sum of a `sleep`'s arguments, as GNU's and busybox's reckon; `None` where one of them is no time: then they do not
/// sleep at all (<https://www.gnu.org/software/coreutils/manual/html_node/sleep-invocation.html>).
fn millis(arguments: &[&str]) -> Option<u64> {
    let times = arguments.strip_prefix(&["--"]).unwrap_or(arguments);
    if times.is_empty() {
        return None;
    }
    times.iter().try_fold(0_u64, |sum, time| Some(sum.saturating_add(time_in_millis(time)?)))
}

/// A decimal number with a unit, seconds where it has none, or `infinity`. What is less than a millisecond counts as one.
fn time_in_millis(time: &str) -> Option<u64> {
    if ["inf", "infinity"].iter().any(|infinity| time.eq_ignore_ascii_case(infinity)) {
        return Some(u64::MAX);
    }
    let (number, unit) = match time.char_indices().next_back()? {
        (at, 's') => (time.get(..at)?, 1000),
        (at, 'm') => (time.get(..at)?, 60_000),
        (at, 'h') => (time.get(..at)?, 3_600_000),
        (at, 'd') => (time.get(..at)?, 86_400_000),
        _ => (time, 1000_u64),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole =
        whole.bytes().fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    // Nine digits tell less than a microsecond even of a day, and multiplied by the unit fit 64 bits.
    let (part, scale) = fraction
        .bytes()
        .take(9)
        .fold((0_u64, 1_u64), |(part, scale), digit| (part * 10 + u64::from(digit - b'0'), scale * 10));
    Some(whole.saturating_mul(unit).saturating_add((part * unit).div_ceil(scale)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleep(command: &[&str]) -> Option<Sleep> {
        match work(command) {
            Work::Sleep(sleep) => Some(sleep),
            _ => None,
        }
    }

    fn is_idle(command: &[&str]) -> bool {
        work(command) == Work::Nothing
    }

    fn millis_of(command: &str) -> Option<u64> {
        sleep(&command.split(' ').collect::<Vec<_>>()).map(|sleep| sleep.millis)
    }

    #[test]
    fn times() {
        for (command, millis) in [
            ("sleep 15", Some(15_000)),
            ("/bin/sleep 15s", Some(15_000)),
            ("sleep 0.25m", Some(15_000)),
            ("sleep 1h 1m 1", Some(3_661_000)),
            ("sleep 1d", Some(86_400_000)),
            ("sleep .5", Some(500)),
            ("sleep 5.", Some(5_000)),
            ("sleep 007", Some(7_000)),
            ("sleep 0", None),
            ("sleep 0.0000001", Some(1)),
            ("sleep 0.99999999999999999999d", Some(86_400_000)),
            ("sleep -- 3", Some(3_000)),
            ("sleep infinity", Some(u64::MAX)),
            ("sleep 99999999999999999999999999d", Some(u64::MAX)),
            ("sleep inf inf", Some(u64::MAX)),
            ("busybox sleep 5", Some(5_000)),
            ("/usr/bin/env TZ=UTC sleep 5", Some(5_000)),
            ("sleep", None),
            ("sleep --", None),
            ("sleep --help", None),
            ("sleep -5", None),
            ("sleep 5x", None),
            ("sleep 5 x", None),
            ("sleep s", None),
            ("sleep .", None),
            ("sleep ", None),
            ("sleep ٣", None),
            ("sleep $N", None),
            ("sleepy 15", None),
            ("nginx -s quit", None),
            ("env", None),
            ("timeout 20 sleep 15", Some(15_000)),
            ("timeout -k 5 10 sleep 15", Some(10_000)),
            ("timeout sleep", None),
            ("timeout 0 sleep 15", Some(15_000)),
            ("nohup sleep 5", Some(5_000)),
            ("env -i -u HOME A=b sleep 5", Some(5_000)),
            ("nice -n 5 sleep 5", Some(5_000)),
            ("tini -- sleep 5", Some(5_000)),
        ] {
            assert_eq!(millis_of(command), millis, "{command}");
        }
    }

    #[test]
    fn scripts() {
        let found = |script: &str| sleep(&["/bin/sh", "-c", script]).map(|sleep| (sleep.millis / 1000, sleep.only));
        for (script, expected) in [
            ("sleep 15", Some((15, true))),
            ("exec sleep 15", Some((15, true))),
            ("/bin/sleep '15'; sleep \"5\"", Some((20, true))),
            ("  sleep 15 ;\n", Some((15, true))),
            ("sleep 15 && nginx -s quit", Some((15, false))),
            ("nginx -s quit; sleep 15", Some((15, false))),
            ("sleep 5\nnginx -s quit\nsleep 6", Some((11, false))),
            ("touch /tmp/down && sleep 15", Some((15, false))),
            ("echo down > /tmp/down; sleep 15", Some((15, false))),
            ("sleep 15 >/dev/null 2>&1", Some((15, true))),
            ("sleep 15 &> /dev/null", Some((15, true))),
            ("kill -QUIT $(cat /run/nginx.pid; true); sleep 15", Some((15, false))),
            ("kill -QUIT `cat /run/nginx.pid`; sleep 15", Some((15, false))),
            ("sleep 15 || true", Some((15, false))),
            ("curl -f localhost/down || sleep 15", None),
            ("curl -f localhost/down || exit 1; sleep 15", Some((15, false))),
            ("[ -f /tmp/slow ] && sleep 40; sleep 15", Some((15, false))),
            ("test -f /tmp/slow && echo slow && sleep 40", None),
            ("[ -f /tmp/up ] || exit 0; touch /tmp/down && sleep 15", Some((15, false))),
            ("false || sleep 5 && sleep 15", Some((15, false))),
            ("sleep 5 # sleep 15", Some((5, true))),
            ("# wait\nsleep 5", Some((5, true))),
            ("sleep 1\\\n5", Some((15, true))),
            ("sleep 15 & wait", None),
            ("sleep 5; sleep 15 &", Some((5, false))),
            ("sleep 5 | cat; sleep 15", Some((20, false))),
            ("curl -sX POST localhost:15000/drain | cat; sleep 60", Some((60, false))),
            ("nginx -s quit & sleep 60", Some((60, false))),
            ("{ nginx -s quit; sleep 60; }", Some((60, false))),
            ("! pgrep x; sleep 60", Some((60, false))),
            ("while pgrep x; do sleep 1; done; sleep 60", Some((60, false))),
            ("for i in 1 2; do if true; then sleep 9; else sleep 8; fi; done; sleep 60", Some((60, false))),
            ("case $A in a) sleep 9;; *) exit 0;; esac; sleep 60", Some((60, false))),
            ("true || while true; do sleep 9; done; sleep 60", Some((60, false))),
            ("while true; do sleep 9", None),
            ("(sleep 60; kill -9 1) & nginx -s quit; sleep 5", Some((5, false))),
            ("{ sleep 60; kill -9 1; } & nginx -s quit; sleep 5", Some((5, false))),
            ("sleep 60 && kill -9 1 & nginx -s quit; sleep 5", Some((5, false))),
            ("sleep 60 | cat & sleep 5", Some((5, false))),
            ("(sleep 60) &", None),
            ("sleep 7; (sleep 60) & sleep 5", Some((12, false))),
            ("nginx -s quit || { echo failed; sleep 60; }", None),
            ("[ -f /x ] && { echo slow; sleep 60; }; sleep 5", Some((5, false))),
            ("curl -f x || (echo a; sleep 60); sleep 5", Some((5, false))),
            ("curl -f x ||\n  sleep 60\nsleep 5", Some((5, false))),
            ("curl -f x &&\n  sleep 60\nsleep 5", Some((65, false))),
            ("(exec sleep 5); sleep 60", Some((65, true))),
            ("{ (sleep 1; sleep 2); sleep 3; }; sleep 4", Some((10, true))),
            ("(case $A in a) sleep 9;; esac; sleep 5); sleep 60", Some((65, false))),
            ("}; ) sleep 5", Some((5, true))),
            ("timeout 10 sleep 60; sleep 5", Some((15, true))),
            ("f() { sleep 9; }; sleep 60", None),
            ("a=(sleep 9); sleep 60", None),
            ("sleep 5; exit 0; sleep 15", Some((5, true))),
            ("sleep 5 && exit 0", Some((5, true))),
            ("(sleep 5; exit 0); sleep 15", Some((5, false))),
            ("sleep 5; exit $(nginx -s quit)", Some((5, false))),
            ("sleep 5; exec app; sleep 15", Some((5, false))),
            ("while pgrep app; do sleep 1; done", None),
            ("sleep 5; if true; then sleep 15; fi", Some((5, false))),
            ("wait() { sleep 15; }", None),
            ("(sleep 15)", Some((15, true))),
            ("{ sleep 15; }", Some((15, true))),
            ("sleep $WAIT", None),
            ("sleep ${WAIT:-15}", None),
            ("sleep $((5 * 3))", None),
            ("WAIT=15 sleep 5", Some((5, true))),
            ("echo 'sleep 15'", None),
            ("echo \"a \\\" b; sleep 15\"", None),
            ("echo don\\'t; sleep 5", Some((5, true))),
            ("echo stops >/tmp/log; sleep 5", Some((5, false))),
            ("sleep 5 >/tmp/log", Some((5, false))),
            ("true $(nginx -s quit); sleep 5", Some((5, false))),
            ("A=$(nginx -s quit) sleep 5", Some((5, false))),
            ("A=1 sleep 5", Some((5, true))),
            ("([ -f /x ]) && sleep 9; sleep 5", Some((5, false))),
            ("exec app; (sleep 9); sleep 5", None),
            ("cat <<EOF\nsleep 15\nEOF", None),
            ("sleep 5; echo 'open", Some((5, false))),
            ("sleep 5; echo \"open", Some((5, false))),
            ("sleep 5; echo $(open", Some((5, false))),
            ("sleep 5; echo `open", Some((5, false))),
            ("sleep 5; echo \\", Some((5, false))),
            ("sleep infinity; sleep infinity", Some((ENDLESS, true))),
            ("sh -c 'sleep 15'", None),
            ("", None),
            (";;&&", None),
            (">", None),
        ] {
            assert_eq!(found(script), expected, "{script}");
        }
    }

    #[test]
    fn idle_commands() {
        for (command, idle) in [
            (&["true"][..], true),
            (&["/bin/true"], true),
            (&["/usr/bin/env", "-i", "true"], true),
            (&[":"], true),
            (&[""], true),
            (&["busybox", "true"], true),
            (&["echo", "$HOSTNAME stops"], true),
            (&["sleep", "0"], true),
            (&["sleep", "0.0s", "0m"], true),
            (&["timeout", "5", "sleep", "0"], true),
            (&["sleep"], true),
            (&["exit", "0"], true),
            (&["sh"], true),
            (&["/bin/sh", "-c"], true),
            (&["bash", "-o", "pipefail", "/stop.sh"], false),
            (&["sleep", "0.001"], false),
            (&["sleep", "1e3"], false),
            (&["nginx", "-s", "quit"], false),
            (&["/true/stop"], false),
            (&["env"], false),
            (&[], false),
            (&["sh", "/stop.sh"], false),
            (&["powershell", "-Command", ""], false),
        ] {
            assert_eq!(is_idle(command), idle, "{command:?}");
        }
        for (script, idle) in [
            ("", true),
            ("  \n", true),
            ("# nothing", true),
            ("true", true),
            (":", true),
            ("exit 0", true),
            ("exit", true),
            ("true; exit 0; nginx -s quit", true),
            ("true && exit 0", true),
            ("sleep 0", true),
            ("sleep 0; true && echo done", true),
            ("{ sleep 0; }", true),
            ("(true)", true),
            ("exec true", true),
            ("echo stops >/dev/null 2>&1", true),
            ("sleep 1", false),
            ("sleep $WAIT", false),
            ("sleep 0; nginx -s quit", false),
            ("true && nginx -s quit", false),
            ("true; nginx -s quit &", false),
            ("false || nginx -s quit", false),
            ("[ -f /tmp/slow ] && sleep 5", false),
            ("if true; then nginx -s quit; fi", false),
            ("while pgrep app; do sleep 0; done", false),
            ("echo quit | nc localhost 15000", false),
            ("echo down > /tmp/down", false),
            (": >/tmp/down", false),
            ("echo down >>/tmp/log 2>&1", false),
            ("true < /tmp/drained", false),
            ("echo $(nginx -s quit)", false),
            ("echo \"$(nginx -s quit)\"", false),
            ("echo `nginx -s quit`", false),
            ("echo \"`nginx -s quit`\"", false),
            ("exit $(nginx -s quit)", false),
            ("(exit 0); nginx -s quit", false),
            ("trap 'nginx -s quit' EXIT; exit 0", false),
            ("true() { nginx -s quit; }; true", false),
        ] {
            assert_eq!(is_idle(&["/bin/sh", "-c", script]), idle, "{script}");
        }
    }

    #[test]
    fn shells() {
        for (command, expected) in [
            (&["sh", "-c", "sleep 5"][..], Some((Some("sh"), Some(5)))),
            (&["/usr/bin/bash", "-ec", "sleep 5"], Some((Some("/usr/bin/bash"), Some(5)))),
            (&["bash", "-o", "pipefail", "-c", "sleep 5"], Some((Some("bash"), Some(5)))),
            (&["bash", "--norc", "-c", "sleep 5"], Some((Some("bash"), Some(5)))),
            (&["env", "A=b", "bash", "-c", "sleep 5"], Some((Some("bash"), Some(5)))),
            (&["/usr/bin/env", "-i", "sh", "-c", "sleep 60"], Some((Some("sh"), Some(60)))),
            (&["timeout", "90", "sh", "-c", "sleep 60"], Some((Some("sh"), Some(60)))),
            (&["timeout", "9", "sh", "-c", "sleep 60"], Some((Some("sh"), Some(9)))),
            (&["nohup", "tcsh", "-c", "sleep 60"], Some((Some("tcsh"), Some(60)))),
            (&["busybox", "sh", "-c", "sleep 5"], Some((Some("sh"), Some(5)))),
            (&["sh", "-c", "sleep 5", "sleep 9"], Some((Some("sh"), Some(5)))),
            (&["sh", "/stop.sh", "-c", "sleep 5"], Some((Some("sh"), None))),
            (&["sh", "-c"], Some((Some("sh"), None))),
            (&["sh"], Some((Some("sh"), None))),
            (&["/stop.sh"], None),
            (&["powershell", "-Command", "Start-Sleep 15"], None),
            (&[], None),
        ] {
            let found = (shell(command), sleep(command).map(Sleep::seconds));
            assert_eq!(found, expected.unwrap_or_default(), "{command:?}");
        }
    }
}
