//! nginx itself says whether a text is refused, and where: the reader must say the same. Skipped where nginx is not installed
//! (`apt-get install nginx`).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io, process};

use crate::reader;

/// Texts as they stand; what nginx refuses of them for another reason than its grammar shows nothing beyond that line.
const SAMPLES: &[&str] = &[
    "",
    "# nothing",
    "events {}\nhttp {}",
    "events {}\r\nhttp {\r\n}\r\n",
    "events {}\nhttp {\n",
    "events {}\n}\n",
    "events {}\n\n  }\nhttp {}",
    "events {};",
    "events {}\n;\n",
    "events {}\n{}\n",
    "events {}\n\"a\"b;",
    "events {}\nenv \"a\n",
    "events {}\nenv 'a\n;\n}\n\n",
    "events {}\nenv a",
    "events {}\nenv a\n\n",
    "events {}\nenv a\n}\n",
    "events {}\nenv \"a\"}\n",
    "events {}\nenv \"a\"#b\n;",
    "events {}\nenv a#b;",
    "events {}\nenv \"a;{}\"; env 'b\\'}'; env c\\;d\\{e; env f${g}h;",
    "events {}\nenv a\\",
    "events {}\nenv \"a\\\"",
    "events {}\nenv a=\"b;{}",
    "events {}\nhttp { map $a $b { default 0; \"~^{}$\" 1; } }",
    "events {}\nhttp { server { if ($host = \"x\") { return 403; } } }",
    "events {}\nhttp { server { if ($host = \"x\"x) { return 403; } } }",
    "events {}\nhttp { server {\n  listen 8080\n  }\n}\n",
    "events {}\nhttp {\n server {\n  location / {\n }\n}\n",
    "\u{feff}events {}\n",
    "events {}\n# é\nhttp { # ü }\n}",
];

/// Pieces of texts within a block that takes any words.
const PIECES: &[&str] = &[
    "a", "b/c", " ", " ", "\n", "\t", "\r\n", ";", ";", ";\n", "\"", "'", "\"x y\"", "'x;y'", "\\", "\\\"", "\\\\",
    "$", "${", "${x}", "$x", "#", "# c\n", "}", "é", "(\"z\")", ")", "=", "~*", "\\n", "\"\"",
];

/// Lua, in a block that it does not end, or ends too early.
const LUA: &[&str] = &[
    "x = 1",
    "-- }",
    "--[[ }\n} ]]",
    "--[==[ } ]] } ]==] x = 1",
    "--[ }",
    "--[=x[ }",
    "---[[ }\n]]",
    "a = '}\\'}' b = \"\\\\\" c = \"}\"",
    "a = [[ } ]] b = [=[ ]] } ]=]",
    "a = {{}, {}} b = c[d[1]] e = {}",
    "a[ [[x}]] ]= 1",
    "a = \"' }\" b = '\"'",
    "}",
    "} }",
    "{",
    "s = \"}",
    "s = '\n}'",
    "s = \"\\\n}\"",
    "s = \"\\\"\\\"\\\" '}'",
    "\"\\\\\\\" } '",
    "a = \"b'\\\" } c",
];

#[test]
fn what_nginx_refuses_is_refused_at_the_same_line() {
    let Some(nginx) = Nginx::find() else {
        let _ = writeln!(io::stderr(), "skipped: nginx is not installed, so the reader is not compared with it");
        return;
    };
    for sample in SAMPLES {
        nginx.compare(sample);
    }
    for length in [4090, 4094, 4095, 4096, 4097, 4098, 9000] {
        let word = "x".repeat(length);
        for text in [
            format!("{word} y;"),
            format!("y \"{word}\";"),
            format!("y '{word}' z;"),
            format!("# {word}\ny z;"),
            format!("y \"\n\n{word}"),
        ] {
            nginx.compare(&in_types(&text));
        }
    }
    if nginx.modules.is_empty() {
        let _ = writeln!(io::stderr(), "skipped: nginx's Lua module is not installed, so Lua blocks are not compared");
    } else {
        for lua in LUA {
            let text = format!("events {{}}\nhttp {{\ninit_by_lua_block {{\n{lua}\n}}\n}}\n");
            nginx.compare(&text);
        }
    }
    // Enough of a random number for this: each text is the same every time.
    let mut state: u64 = 1;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    for _ in 0..300 {
        let text: String = (0..=next(12)).map(|_| PIECES[next(PIECES.len())]).collect();
        nginx.compare(&in_types(&text));
    }
}

/// Within `types` nginx takes whatever words there are.
fn in_types(text: &str) -> String {
    format!("events {{}}\nhttp {{\ntypes {{\n{text}\n}}\n}}\n")
}

struct Nginx {
    program: PathBuf,
    /// What loads the Lua module, where it is installed.
    modules: String,
    folder: PathBuf,
}

impl Nginx {
    fn find() -> Option<Self> {
        let folder = env::temp_dir().join(format!("nginx-config-{}", process::id()));
        fs::create_dir_all(&folder).ok()?;
        // Debian's is not in everybody's PATH.
        let installed = Path::new("/usr/sbin/nginx");
        let program = if installed.exists() { installed } else { Path::new("nginx") }.to_owned();
        Command::new(&program).arg("-v").output().ok()?;
        let modules = Path::new("/usr/lib/nginx/modules");
        let lua = ["ndk_http_module.so", "ngx_http_lua_module.so"].map(|name| modules.join(name));
        let modules = if lua.iter().all(|module| module.exists()) {
            lua.iter().map(|module| format!("load_module {}; ", module.display())).collect::<Vec<_>>().concat()
        } else {
            String::new()
        };
        Some(Self { program, modules, folder })
    }

    fn compare(&self, text: &str) {
        let file = self.folder.join("nginx.conf");
        fs::write(&file, text).expect("the folder can be written");
        let main = format!("{}pid {}; error_log stderr;", self.modules, self.folder.join("pid").display());
        let output = Command::new(&self.program)
            .args(["-t", "-g", &main, "-e", "stderr", "-p"])
            .arg(&self.folder)
            .arg("-c")
            .arg(&file)
            .output()
            .expect("nginx runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let place = format!(" in {}:", file.display());
        let line = |said: &str| -> Option<u32> { said.split(&place).nth(1)?.split_whitespace().next()?.parse().ok() };
        // What is named there may hold line breaks.
        let refused = said.find("[emerg]").map_or("", |at| &said[at..]);
        // It is the types that take no block.
        if text.contains("types {") && refused.contains("unexpected \"{\"") {
            return;
        }
        let is_grammar =
            ["unexpected ", "too long parameter", "unknown directive \"\u{feff}"].iter().any(|of| refused.contains(of));
        let found = reader::read(text).1.map(|error| (error.at.line, error.message));
        if is_grammar {
            assert_eq!(found.as_ref().map(|(line, _)| *line), line(refused), "{refused}\n{found:?}\n{text:?}");
        } else if let Some((at, message)) = &found {
            // nginx stopped before it came that far.
            let stopped = line(refused).is_some_and(|line| line <= *at);
            assert!(stopped, "nginx reads what is refused: {message} in line {at}; {refused:?}\n{text:?}");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
