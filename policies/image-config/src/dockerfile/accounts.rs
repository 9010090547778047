//! The users that an image gets while it is built.

use super::shell::Command;

/// A user that a command makes, or gives another id.
pub struct Account<'c> {
    pub name: &'c str,
    /// The id as it stands, maybe a variable; `None` where the command leaves it to chance.
    pub id: Option<&'c str>,
}

/// Options of `useradd`, `usermod`, and of `adduser` as Debian and `BusyBox` have it, that take a value
/// (<https://man7.org/linux/man-pages/man8/useradd.8.html>, <https://manpages.debian.org/adduser>,
/// <https://busybox.net/downloads/BusyBox.html#adduser>).
const SHORT: &str = "bcdefghkpsuGKPRZ";
const LONG: &[&str] = &[
    "base-dir",
    "comment",
    "conf",
    "expiredate",
    "firstgid",
    "firstuid",
    "gecos",
    "gid",
    "group",
    "groups",
    "home",
    "home-dir",
    "inactive",
    "ingroup",
    "key",
    "lastgid",
    "lastuid",
    "login",
    "password",
    "prefix",
    "root",
    "selinux-user",
    "shell",
    "skel",
    "uid",
];

/// The users that a command makes.
pub fn of(command: &Command) -> Vec<Account<'_>> {
    match command.name() {
        "useradd" | "adduser" | "usermod" => made(command).into_iter().collect(),
        "echo" | "printf" => command.arguments().iter().flat_map(|text| of_passwd(text)).collect(),
        _ => Vec::new(),
    }
}

/// The users that lines of `/etc/passwd` name: `name:password:id:group:…`.
pub fn of_passwd(text: &str) -> impl Iterator<Item = Account<'_>> {
    text.split('\n').flat_map(|line| line.split("\\n")).filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id, _, rest) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.count());
        (rest >= 2 && !name.is_empty()).then_some(Account { name, id: Some(id) })
    })
}

fn made(command: &Command) -> Option<Account<'_>> {
    let is_adduser = command.name() == "adduser";
    let mut id = None;
    let mut names = Vec::new();
    let mut arguments = command.arguments().iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            // Debian's adduser has a switch of that name.
            let takes_value = LONG.contains(&name) && !(is_adduser && name == "group");
            let value = if value.is_none() && takes_value { arguments.next() } else { value };
            if name == "uid" {
                id = value;
            }
        } else if let Some(cluster) = argument.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            if let Some(at) = cluster.find(|option| SHORT.contains(option)) {
                let value = cluster.get(at + 1..).filter(|value| !value.is_empty()).or_else(|| arguments.next());
                if cluster[at..].starts_with('u') {
                    id = value;
                }
            }
        } else {
            names.push(argument);
        }
    }
    // `adduser user group` puts a user into a group; the others have the user's name last.
    let name = if is_adduser { names.first() } else { names.last() };
    match (name, is_adduser && names.len() > 1, command.name() == "usermod" && id.is_none()) {
        (Some(name), false, false) => Some(Account { name, id }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shell::commands;
    use super::of;

    #[test]
    fn users() {
        for (script, expected) in [
            ("adduser -D -s /bin/sh -u 1001 -G herald herald", "herald=1001"),
            ("adduser -S -D -H -h /app -u 10001 app", "app=10001"),
            ("adduser -Du1001 app", "app=1001"),
            ("adduser --disabled-password --gecos '' --uid ${UID} appuser", "appuser=${UID}"),
            ("adduser --system --uid 1001 --group app", "app=1001"),
            ("adduser --system --group app", "app=?"),
            ("adduser app wheel", ""),
            ("useradd -r -u 1001 -g app app", "app=1001"),
            ("useradd --uid=1001 --gid 5 -m app", "app=1001"),
            ("useradd -ms /bin/bash -u 1001 app", "app=1001"),
            ("useradd app -u 1001", "app=1001"),
            ("useradd -rms /bin/false app", "app=?"),
            ("usermod -u 1001 node", "node=1001"),
            ("usermod -aG docker node", ""),
            ("echo 'app:x:1001:0:app:/:/bin/sh' >> /etc/passwd", "app=1001"),
            ("printf 'a:x:1:1::/:\\nb:x:2:2::/:\\n' > /etc/passwd", "a=1 b=2"),
            ("echo hello", ""),
            ("groupadd -g 1001 app", ""),
            ("useradd -u", ""),
        ] {
            let found = commands(script);
            let found = found.iter().flat_map(of);
            let found: Vec<_> =
                found.map(|account| format!("{}={}", account.name, account.id.unwrap_or("?"))).collect();
            assert_eq!(found.join(" "), expected, "{script}");
        }
    }
}
