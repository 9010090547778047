//! The names under which a text holds secrets.

/// The first few names, in their order: a file may have any number.
#[derive(Default)]
pub struct Found<'t> {
    names: Vec<&'t str>,
    others: bool,
}

impl<'t> Found<'t> {
    /// How many names are told.
    const MOST: usize = 3;

    /// Takes in a name.
    pub fn add(&mut self, name: &'t str) {
        if self.names.contains(&name) {
            return;
        }
        self.others = self.names.len() == Self::MOST;
        if !self.others {
            self.names.push(name);
        }
    }

    /// Whether no further name makes a difference.
    pub fn is_full(&self) -> bool {
        self.others
    }

    /// `sets a, b and c`; `None` where there is no name.
    pub fn in_words(&self) -> Option<String> {
        let (last, before) = self.names.split_last()?;
        let names = if self.others {
            format!("{} and others", self.names.join(", "))
        } else if before.is_empty() {
            (*last).to_owned()
        } else {
            format!("{} and {last}", before.join(", "))
        };
        Some(format!("sets {names}"))
    }
}
