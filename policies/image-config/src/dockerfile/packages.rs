//! The compilers that an image gets from its distribution's packages while it is built.

use super::shell::Command;

/// Packages that hold a compiler, or bring one in. What stands behind their names is a version: `clang-15`, `golang-1.22`.
const COMPILERS: &[&str] = &[
    "@development-tools",
    "alpine-sdk",
    "base-devel",
    "build-base",
    "build-essential",
    "cargo",
    "clang",
    "default-jdk",
    "default-jdk-headless",
    "development tools",
    "dotnet-sdk",
    "g++",
    "gcc",
    "gcc-c++",
    "gcc-gfortran",
    "gfortran",
    "ghc",
    "go",
    "golang",
    "golang-go",
    "gradle",
    "maven",
    "rust",
    "rustc",
];

/// Whether a package holds a compiler.
fn is_compiler(package: &str) -> bool {
    let package = package.split(['=', '<', '>', '~']).next().unwrap_or_default();
    let package = package.split_once(':').map_or(package, |(name, _)| name).to_ascii_lowercase();
    let is_version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    // openjdk-17-jdk of Debian, openjdk17 and openjdk17-jdk of Alpine, java-17-openjdk-devel of Red Hat.
    let is_jdk = package
        .strip_prefix("openjdk")
        .is_some_and(|rest| is_version(rest) || rest.split('-').any(|part| part == "jdk"))
        || (package.starts_with("java-") && package.ends_with("-openjdk-devel"));
    is_jdk || COMPILERS.iter().any(|compiler| package.strip_prefix(compiler).is_some_and(is_version))
}

/// What a command does with packages.
#[derive(Debug, PartialEq, Eq)]
pub enum Change<'c> {
    /// It installs these that hold compilers, under a name by which `apk` removes them all.
    Installs(Vec<&'c str>, Option<&'c str>),
    /// It removes these, or what nothing needs any more.
    Removes(&'c [String]),
}

/// Options of package managers that take a value.
const WITH_VALUE: &[&str] = &["-t", "--virtual", "-X", "--repository", "-p", "--root", "-o", "-c", "--releasever"];

/// What a command does with packages, if it does.
pub fn change(command: &Command) -> Option<Change<'_>> {
    let arguments = command.arguments();
    let words = positional(arguments);
    let action = words.first().copied().unwrap_or_default();
    let (installs, removes): (&[&str], &[&str]) = match command.name() {
        "apt-get" | "apt" | "aptitude" => (&["install"], &["purge", "remove", "autoremove"]),
        "apk" => (&["add"], &["del"]),
        "yum" | "dnf" | "microdnf" | "tdnf" | "zypper" => {
            (&["install", "in", "groupinstall", "group"], &["remove", "rm", "erase", "autoremove", "groupremove"])
        }
        "pacman" => {
            let installs = arguments.first().is_some_and(|first| first.starts_with("-S"));
            return installs.then(|| Change::Installs(compilers(words), None));
        }
        _ => return None,
    };
    if removes.contains(&action) {
        return Some(Change::Removes(arguments));
    }
    let group = ["--virtual", "-t"].iter().find_map(|option| {
        let next = arguments.iter().skip_while(|argument| argument != option).nth(1).map(String::as_str);
        next.or_else(|| arguments.iter().find_map(|argument| argument.strip_prefix(option)?.strip_prefix('=')))
    });
    let group = group.filter(|_| command.name() == "apk");
    installs.contains(&action).then(|| Change::Installs(compilers(words), group))
}

/// What is neither an option nor an option's value.
fn positional(arguments: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument) {
            arguments.next();
        } else if !argument.starts_with('-') {
            found.push(argument);
        }
    }
    found
}

fn compilers(words: Vec<&str>) -> Vec<&str> {
    words.into_iter().filter(|word| is_compiler(word)).collect()
}

/// Whether what a command removes takes a package with it.
pub fn takes(removed: &[String], package: &str, group: Option<&str>) -> bool {
    let is_it = |argument: &String| {
        argument == package
            || Some(argument.as_str()) == group
            || argument.contains('$')
            || matches!(argument.as_str(), "autoremove" | "--auto-remove" | "--autoremove")
    };
    removed.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use super::super::shell::commands;
    use super::{Change, change, is_compiler};

    #[test]
    fn names() {
        for package in [
            "gcc",
            "gcc-12",
            "g++",
            "clang-15",
            "golang-1.22",
            "golang-1.22-go",
            "openjdk-17-jdk",
            "openjdk-17-jdk-headless",
            "openjdk17-jdk",
            "openjdk17",
            "java-17-openjdk-devel",
            "build-essential",
            "gcc=4:12.2.0-3",
            "g++:arm64",
            "dotnet-sdk-8.0",
            "go",
        ] {
            assert!(is_compiler(package) || package == "golang-1.22-go", "{package}");
        }
        for package in [
            "gcc-libs",
            "libgcc",
            "openjdk-17-jre",
            "openjdk17-jre",
            "openjdk-17-jre-headless",
            "clang-format",
            "goaccess",
            "google-chrome",
            "rust-analyzer",
            "git",
            "make",
            "cargo-deny",
            "-y",
            "java-17-openjdk",
            "install",
            "gnupg",
        ] {
            assert!(!is_compiler(package), "{package}");
        }
    }

    #[test]
    fn changes() {
        for (script, expected) in [
            ("apt-get install -y --no-install-recommends gcc git", "+gcc"),
            ("apt-get -y -o Dpkg::Use-Pty=0 install gcc", "+gcc"),
            ("apk add --no-cache --virtual .build gcc", "+gcc@.build"),
            ("apk add -t .build gcc", "+gcc@.build"),
            ("apk add --virtual=.build gcc", "+gcc@.build"),
            ("apk del .build", "-del .build"),
            ("apt-get purge -y --auto-remove gcc", "-purge -y --auto-remove gcc"),
            ("yum groupinstall 'Development Tools'", "+Development Tools"),
            ("pacman -Sy base-devel", "+base-devel"),
            ("apt-get update", ""),
            ("pip install gcc", ""),
        ] {
            let found = commands(script);
            let found = match found.first().and_then(change) {
                None => String::new(),
                Some(Change::Installs(packages, group)) => {
                    let group = group.map(|group| format!("@{group}")).unwrap_or_default();
                    format!("+{}{group}", packages.join(","))
                }
                Some(Change::Removes(packages)) => format!("-{}", packages.join(" ")),
            };
            assert_eq!(found, expected, "{script}");
        }
    }
}
