//! Whether a tag names one build, or whatever was built last.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::image::Reference;

/// How much of a version a tag must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `2`
    Major = 1,
    /// `2.1`
    Minor = 2,
    /// `2.1.0`
    Patch = 3,
}

impl Precision {
    /// Its name, as in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
        }
    }
}

/// Why an image may be another one tomorrow: what a message says after the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpinned {
    /// It has neither a tag nor a digest.
    Untagged(String),
    /// Its tag floats.
    Floating(String),
}

/// Whether an image may be another one tomorrow, by the tags that float and how much of a version a tag must name.
#[must_use]
pub fn unpinned(reference: &Reference<'_>, listed: &[String], precision: Option<Precision>) -> Option<Unpinned> {
    if reference.digest().is_some() {
        return None;
    }
    let expected = || {
        let version = precision.map_or_else(String::new, |precision| format!("{} ", precision.name()));
        format!("expected a {version}version, a commit, a date or a digest")
    };
    let Some(tag) = reference.tag() else {
        return Some(Unpinned::Untagged(format!("has neither tag nor digest, {}", expected())));
    };
    let why = why(tag, floating(tag, listed, precision)?);
    Some(Unpinned::Floating(format!("floats: the tag {tag} {why}, {}", expected())))
}

fn why(tag: &str, floating: Floating<'_>) -> String {
    match floating {
        Floating::Listed(entry) if entry.len() == tag.len() => "is moved from build to build".to_owned(),
        Floating::Listed(entry) => format!("is moved from build to build, as {entry} says"),
        Floating::Imprecise(None) => "names no version".to_owned(),
        Floating::Imprecise(Some(found)) => format!("names no more than a {} version", found.name()),
    }
}

/// Why a tag floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floating<'s> {
    /// It is, or has as one of its words, this floating tag of the settings.
    Listed(&'s str),
    /// The version it names is not precise enough; `None` where it names none.
    Imprecise(Option<Precision>),
}

/// The tags that float where settings say nothing.
#[must_use]
pub fn floating_tags() -> Vec<String> {
    "latest stable oldstable current lts mainline rolling release edge next canary nightly weekly daily snapshot preview \
     alpha beta rc unstable testing test experimental main master trunk head tip dev devel develop development qa uat \
     stage staging prod production sid rawhide"
        .split(' ')
        .map(ToOwned::to_owned)
        .collect()
}

/// Those that say even beside a version that the build is whichever was the last: `2022-latest`, `1.2.3-SNAPSHOT`. The
/// others are as precise as that version: `1.2.3-stable`.
const NEWEST: &[&str] = &["latest", "snapshot", "nightly", "weekly", "daily"];

/// Names whose number says nothing of the image's own version: what it is built upon (`alpine3.18`, `ubuntu-22.04`), what
/// for (`arm64`, `x86_64`), and the branch it is built from (`pr-1234`).
const FOREIGN: &str = "al alma almalinux alpine amazonlinux amzn centos debian distroless el fedora leap ltsc nanoserver \
                       ol oraclelinux photon rhel rocky rockylinux servercore sles ubi ubuntu windows \
                       windowsservercore wolfi \
                       aarch amd arm armv i ppc riscv s x \
                       branch bugfix feat feature fix hotfix issue mr pr pull";

/// Names whose number counts builds, or pre-releases of one version: with it there is just one such build.
const SERIAL: &[&str] = &["alpha", "beta", "build", "ea", "pre", "preview", "rc", "rev"];

/// Why a tag floats, if it does: it names the newest of several builds, and so another image next month.
///
/// Case does not matter. A tag floats that is in `listed`. Any other does not once something in it tells one build from
/// all others:
///
/// - a commit: a word of 7 to 40 hexadecimal digits (or 64), be they all digits or all letters, with `g` (as
///   `git describe` writes it), `git`, `sha` or `v` glued to it or not. `sha-abc1234`, `main-abc1234`, `v1.2-5-gabc1234`;
/// - a date: a number of 7 digits or more, or three numbers of which the first is a year. `20240115`,
///   `RELEASE.2023-05-04T21-44-30Z`, `nightly-2024-01-15`;
/// - a build number: one of 4 digits or more that is no year (or year and month), a revision or pre-release with its
///   number, or what Java and SQL Server have for builds. `stable-9111`, `b1234`, `12-debian-12-r16`, `1.22rc1`,
///   `8u392`, `2022-CU10`, `21_35-jdk`.
///
/// Next, it floats if a word of it is in `listed` (`stable-alpine`, `lts-jdk17`), unless it names the image's own version
/// as well (`1.2-stable`), which decides then; beside `latest`, `nightly` and the like even that does not help.
///
/// Last, with a `precision`, it floats if its version has fewer numbers than that. The version is the most precise of
/// the numbers that stand bare or after a `v` (`v2.1.0`, `jdk-17.0.9`; in `7.2-php8.2.14` it is 7.2). Only where there is
/// none, one glued to another name counts (`php8.2-fpm`). The number of a system, a processor or a branch never does,
/// unless it is a full version. Dashes may stand for dots between plain numbers (`1-27-3`, the revision in `4.13-2`).
fn floating<'s>(tag: &str, listed: &'s [String], precision: Option<Precision>) -> Option<Floating<'s>> {
    let tag = tag.to_ascii_lowercase();
    if let Some(entry) = listed.iter().find(|entry| entry.eq_ignore_ascii_case(&tag)) {
        return Some(Floating::Listed(entry));
    }
    let reading = Reading::of(&tag);
    if reading.pinned {
        return None;
    }
    let decides = |entry: &str| reading.own == 0 || NEWEST.iter().any(|newest| newest.eq_ignore_ascii_case(entry));
    if let Some(entry) = listed.iter().find(|entry| decides(entry) && has_word(&tag, entry)) {
        return Some(Floating::Listed(entry));
    }
    let level = if reading.own > 0 { reading.own } else { reading.other };
    let found = [Precision::Minor, Precision::Major].into_iter().find(|found| level >= *found as usize);
    precision.filter(|wanted| level < *wanted as usize).map(|_| Floating::Imprecise(found))
}

/// Whether a word, or several, stands in a tag with a separator or nothing on either side, whatever the case.
fn has_word(tag: &str, word: &str) -> bool {
    let (tag, word) = (tag.as_bytes(), word.as_bytes());
    let is_edge = |at: Option<&u8>| at.is_none_or(|byte| matches!(byte, b'-' | b'_' | b'.'));
    tag.windows(word.len().max(1)).enumerate().any(|(at, window)| {
        is_edge(at.checked_sub(1).and_then(|before| tag.get(before)))
            && is_edge(tag.get(at + word.len()))
            && window.eq_ignore_ascii_case(word)
    })
}

/// What the numbers in a tag say.
#[derive(Default)]
struct Reading {
    /// Something tells one build from all others.
    pinned: bool,
    /// How many numbers the image's own version has.
    own: usize,
    /// How many the version of something else in it has.
    other: usize,
}

/// Whose version a number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Image,
    Other,
    Foreign,
}

/// Numbers that belong together: `1.2.3`, `2024-01-15`.
#[derive(Clone, Copy)]
struct Run {
    owner: Owner,
    length: usize,
    /// The first is a year.
    dated: bool,
}

impl Reading {
    /// Reads a tag in lower case.
    fn of(tag: &str) -> Self {
        let mut reading = Self { pinned: tag.split(['-', '_', '.']).any(is_commit), ..Self::default() };
        // A word without digits names the number after it; a run of numbers goes on with the number after it.
        let mut name = "";
        let mut run = None;
        let mut is_underscored = false;
        for part in tag.split_inclusive(['-', '_']) {
            let word = part.trim_end_matches(['-', '_']);
            let number = |text: &str| !text.is_empty() && text.chars().all(is_digit);
            reading.pinned |= match run {
                // Java's builds (`21_35-jdk`), and the updates of SQL Server (`2022-CU10`).
                Some(Run { owner: Owner::Image, length: 1, dated: false }) if is_underscored => {
                    number(word) && (tag.contains("jdk") || tag.contains("jre"))
                }
                Some(Run { dated: true, .. }) => {
                    word.len() <= 5 && ["cu", "gdr"].iter().filter_map(|of| word.strip_prefix(of)).any(number)
                }
                _ => false,
            };
            run = reading.word(word, name, run);
            name = if word.contains(is_digit) { "" } else { word };
            is_underscored = part.ends_with('_');
        }
        reading
    }

    /// Reads a word such as `v2.1.0`, `alpine3.18`, `rc.1`, `17beta1` or `04t21`. Gives the run it ends with.
    fn word(&mut self, word: &str, name: &str, mut run: Option<Run>) -> Option<Run> {
        let mut rest = word;
        let mut is_first = true;
        while let Some(start) = rest.find(is_digit) {
            let (letters, from) = rest.split_at(start);
            let end = from.find(|character| !is_digit(character) && character != '.').unwrap_or(from.len());
            let numbers = from.split_at(end).0.trim_end_matches('.');
            rest = from.split_at(numbers.len()).1;
            // Letters that end in a dot are a name apart.
            let (apart, glued) = letters.rsplit_once('.').unwrap_or((if is_first { name } else { "" }, letters));
            let current = match run {
                Some(run) if letters.is_empty() && continues(numbers, rest) => Run { length: run.length + 1, ..run },
                _ => {
                    let inherited = run.filter(|_| !is_first).map(|run| run.owner);
                    Run {
                        owner: owner(apart, glued, inherited),
                        length: numbers.split('.').filter(|number| !number.is_empty()).count(),
                        dated: numbers.split('.').next().is_some_and(is_year),
                    }
                }
            };
            let is_single = !numbers.contains('.') && current.owner != Owner::Foreign;
            self.pinned |= is_single && is_serial(apart, glued, is_first);
            self.pinned |= numbers.split('.').any(|number| is_build(number, current.owner));
            self.count(current);
            run = Some(current);
            is_first = false;
        }
        run.filter(|_| !is_first && rest.is_empty())
    }

    fn count(&mut self, run: Run) {
        let full = run.length >= Precision::Patch as usize;
        self.pinned |= run.dated && full;
        match run.owner {
            Owner::Image => self.own = self.own.max(run.length),
            Owner::Foreign if !full => {}
            Owner::Other | Owner::Foreign => self.other = self.other.max(run.length),
        }
    }
}

/// Whether a number goes on with the numbers before the dash: it is a plain one, too small for a build, and nothing is
/// glued to it but the time of a date.
fn continues(number: &str, rest: &str) -> bool {
    !number.contains('.') && !is_build(number, Owner::Image) && (rest.is_empty() || rest.starts_with('t'))
}

/// Whose version a number is, by the name apart before it and the letters glued to it; within a word, after another
/// number, also by that number's `inherited` owner: in `arm64v8`, 8 is the processor's too.
fn owner(apart: &str, glued: &str, inherited: Option<Owner>) -> Owner {
    let name = if glued.is_empty() { apart } else { glued };
    match inherited {
        Some(Owner::Foreign) => Owner::Foreign,
        None if glued == "v" => Owner::Image,
        _ if !name.is_empty() && FOREIGN.split(' ').any(|foreign| foreign == name) => Owner::Foreign,
        _ if glued.is_empty() => Owner::Image,
        _ => Owner::Other,
    }
}

/// Whether a name makes the number after it one that counts builds. A single letter must be glued to it: `r16`, `b1234`,
/// and after another number `8u392`, `3.13a4`, `9.9p1`.
fn is_serial(apart: &str, glued: &str, is_first: bool) -> bool {
    let name = if glued.is_empty() { apart } else { glued };
    SERIAL.contains(&name) || matches!(glued, "r" | "b") || (!is_first && matches!(glued, "a" | "p" | "u"))
}

/// Whether a number is a date or an id, whoever's it is, or the image's own and too large for a version.
fn is_build(number: &str, owner: Owner) -> bool {
    number.len() >= 7 || (owner == Owner::Image && number.len() >= 4 && !is_year(number) && !is_month(number))
}

fn is_year(number: &str) -> bool {
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

/// Whether a number is a year and a month: `202305`.
fn is_month(number: &str) -> bool {
    let month = number.get(4..).and_then(|month| month.parse().ok()).unwrap_or(0);
    number.len() == 6 && number.starts_with("20") && (1..=12).contains(&month)
}

/// Whether a word is the id of a commit, abbreviated or not.
fn is_commit(word: &str) -> bool {
    let is_id = |id: &str| matches!(id.len(), 7..=40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    ["", "g", "git", "sha", "v"].iter().filter_map(|prefix| word.strip_prefix(prefix)).any(is_id)
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::{Precision, floating, floating_tags};

    /// Tags and how they fare: `-` does not float at all, `p` floats under patch alone, `m` under patch and minor, `M`
    /// under every precision, and `!` without one as well.
    const TAGS: &str = "
        v2.1.0 -            2.1.0 -               1.2.3.4 -              V1.2.3 -
        2.1 p               v2.1 p                2 m                    v2 m
        20-alpine m         7.2-alpine p          7.2.4-alpine3.18 -     7.2-alpine3.18.4 p
        1.x m               1.2.x p               2.1. p                 1..2 p
        1-27-3 -            v1.9.3-eks-1-27-23 -  1_2_3 -                4.13-2-jdk17 -
        16-3.4 p            1.2-1 -               8.0 p                  3.9 p

        latest !            Latest !              latest-alpine !        alpine-latest !
        stable !            stable-alpine !       stable-alpine3.19 !    stable-alpine3.19.1 !
        mainline !          mainline-alpine3.18 ! edge !                 nightly !
        main !              main-amd64 !          main-x86_64 !          master !
        lts-jdk17 !         pg14-latest !         2022-latest !          1.2.3-latest !
        1.2.3-SNAPSHOT !    1.2-nightly !         current-bookworm !     next-arm64v8 !
        rc !                beta !                dev !                  HEAD !
        production !        oldstable-slim !      sid !                  canary-distroless !

        1.2-stable p        1.2.3-stable -        2.426.1-lts-jdk17 -    release-1.2 p
        release-1.2.3 -     3.12-dev p            3.12.1-dev -           1.2-rc p
        1.2.3-beta -        main-123 m            prod-42 m              edge-3.19.1 -

        alpine M            bookworm M            bullseye-slim M        final M
        alpine3.18 M        ubuntu-22.04 M        ubuntu22.04 M          ubuntu2204 M
        debian-12 M         noble M               al2023 M               centos7.9.2009 -
        nanoserver-1809 M   nanoserver-ltsc2022 M ltsc2022 M             linux-arm64 M
        s390x M             mistable M            latestish M            devtools M

        21_35-jdk-jammy -   2_1 p                 2022-CU10-ubuntu-22.04 -
        1_10 p              3_11-slim p           2024_01 p              22_04 p
        jdk-17.0.9 -        17-jdk m              17.0.9_9-jre-alpine -  jdk17 m
        php8.2-fpm p        php8.2.14-fpm -       6.4-php8.2.14 p        10-php8.2-apache m
        redis7.2.4 -        pg16-v0.5.1 -         2-python3.12.1 m       3.9.6-eclipse-temurin-17 -
        12.2.0-cudnn8-runtime-ubuntu22.04 -       2.1-cuda12.1.0 p       gpu-cu121 m
        22.04 p             23.10 p               2024.1 p               2022 m
        r35.4.1 -           r4.3 p                b2.1 p                 release1.2.3 -

        abc1234 -           deadbeef -            sha-abc1234 -          main-abc1234 -
        gitabc1234 -        ABC1234 -             abc123 m               abcdef12abcdef12abcdef12abcdef12abcdef12 -
        v1.2-5-gabc1234 -   latest-abc1234 -      3206.vb_15dcf73f6a_9-2-jdk17 -     defg1234 m
        sha256-acacacacacacacacacacacacacacacacacacacacacacacacacacacacacacacac -

        20240115 -          2024-01-15 -          2024.01.15 -           2024_01_15 -
        main-20240101 -     nightly-2024-01-15 -  bookworm-20240110-slim -           latest-20240115 -
        RELEASE.2023-05-04T21-44-30Z -            20240115T123456Z -     20240115.1 -
        2024-01 p           202305 m              nightly20240115 -      v20240115 -
        9.3.20231119 -      jammy-20240111 -      ubuntu-20240111 -      1705312345 -

        1234567 -           9111 -                stable-9111 -          main-1234 -
        123 m               v1234 -               9.3-1475 -             9.3-1361.1699548029 -
        r1234 -             b1234 -               server-cuda-b4719 -    12-debian-12-r16 -
        pr-12 M             pr-1234 M             feature-1234-login M   alpine3.18-1234 -
        build-123 -         build5 -              1.2.3_build5 -         ci-7 m

        v1.2.3-rc.1 -       1.22-rc.1 -           1.22rc1 -              17beta1 -
        beta-2 -            3.13.0a4 -            3.13b2 -               9.9p1 -
        22-ea-28 -          8u392 -               8u392-b08-jdk -        1.2-beta p
        debian12u5 M        debian-12-9111 -      jdk17-9111 -           2.1-7zip p
        alpine-arm64v8 M    1.2-u20 p             202399 -               lts-ubuntu !
        1.2x-3 p            1.2-slim-3 p          2-jdk17v2.1.0 m        2-v2.1.0 -

        _ M                 _1 m                  ____ M                 1-2-3-4-5-6-7-8-9 -
        1.2.3.Final -       16.7.0-ce.0 -         12.x.5 m               1.2.dev5 p
    ";

    #[test]
    fn the_table() {
        let listed = floating_tags();
        let tokens: Vec<&str> = TAGS.split_whitespace().collect();
        let mut wrong = Vec::new();
        for pair in tokens.chunks(2) {
            let [tag, expected] = pair else { panic!("{pair:?}") };
            let floats = |precision| floating(tag, &listed, precision).is_some();
            let levels = [None, Some(Precision::Major), Some(Precision::Minor), Some(Precision::Patch)].map(floats);
            let found = match levels {
                [false, false, false, false] => "-",
                [false, false, false, true] => "p",
                [false, false, true, true] => "m",
                [false, true, true, true] => "M",
                [true, true, true, true] => "!",
                _ => "more precision, fewer findings",
            };
            if found != *expected {
                wrong.push(format!("{tag}: expected {expected}, found {found}"));
            }
        }
        assert!(tokens.len() > 2 * 80);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn own_list() {
        let listed = ["blue".to_owned(), "release-candidate".to_owned(), "1.2.3".to_owned(), "20240115".to_owned()];
        let floats = |tag: &str| floating(tag, &listed, None).is_some();
        for tag in ["blue", "BLUE", "blue-alpine", "release-candidate", "release-candidate-slim", "1.2.3", "20240115"] {
            assert!(floats(tag), "{tag}");
        }
        for tag in
            ["latest", "bluebird", "release", "candidate", "1.2.3-alpine", "20240115-1", "blue-1.2", "blue_abc1234"]
        {
            assert!(!floats(tag), "{tag}");
        }
    }

    /// Every short tag over an alphabet of what matters: no panic, and no tag that more precision lets pass.
    #[test]
    fn precision_only_adds() {
        const ALPHABET: &[&str] =
            &["1", "20", "2024", "12345", "v", "r", "t", "x", "latest", "alpine", "a", ".", "-", "_"];
        let listed = floating_tags();
        let mut tags = vec![String::new()];
        for _ in 0..4 {
            tags = tags.iter().flat_map(|tag| ALPHABET.iter().map(move |next| format!("{tag}{next}"))).collect();
            for tag in &tags {
                let mut before = false;
                for precision in [None, Some(Precision::Major), Some(Precision::Minor), Some(Precision::Patch)] {
                    let floats = floating(tag, &listed, precision).is_some();
                    assert!(floats || !before, "{tag} {precision:?}");
                    before = floats;
                }
            }
        }
    }
}
