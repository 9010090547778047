//! The grammar (<https://github.com/prometheus/prometheus/blob/main/promql/parser/generated_parser.y>).

use std::borrow::Cow;

use gatehouse_policy::Sorted;

use super::functions::{Function, Type};
use super::lexer::{DURATION_WORDS, Lexer, Token, is_any, unquote};
use super::value::{
    Edges, Modifiers, Operator, SIGN, SUBQUERY, Selector, Sort, Value, argument, combine, is_of_durations, signed,
};
use super::{Fault, Wrong, regex};

/// What waits for more.
#[derive(Clone, Copy, Debug)]
enum Open {
    Parenthesis,
    Call {
        function: &'static Function,
        /// How many arguments came.
        found: usize,
        /// Whether `by` or `without` may come after its arguments.
        may_group: bool,
    },
    Sign {
        is_minus: bool,
    },
    Operator {
        left: Value,
        operator: Operator,
        modifiers: Modifiers,
    },
    /// `[`, after what it is of.
    Range(Value),
    /// `:` within it.
    Step,
    /// `offset`, after what it is of, before what is no plain number.
    Offset(Value),
}

/// What is open, and where it stands.
type Frame = (Open, usize);

/// Keywords that are no names of metrics.
const RESERVED: &[&str] = &["bool", "on", "ignoring", "group_left", "group_right", "atan2"];

/// How much may be open at once. Memory is taken for each, and nobody writes a hundred.
const MOST_OPEN: usize = 10_000;

const DURATION: &str = "a duration";

/// Reads an expression.
pub struct Parser<'e> {
    lexer: Lexer<'e>,
    /// The word that is looked at, and where it stands.
    token: Token<'e>,
    start: usize,
    /// Within brackets, and after `offset`, there are durations alone.
    in_duration: bool,
    /// What is open, the innermost last.
    open: Vec<Frame>,
}

type Found<'e, T> = Result<T, Fault<'e>>;

impl<'e> Parser<'e> {
    pub fn new(expression: &'e str) -> Self {
        let lexer = Lexer::new(expression);
        Self { lexer, token: Token::End, start: 0, in_duration: false, open: Vec::new() }
    }

    /// Reads all of it.
    pub fn run(mut self) -> Found<'e, Type> {
        self.advance()?;
        loop {
            if let Some(value) = self.operand()?
                && let Some(ty) = self.follow(value)?
            {
                return Ok(ty);
            }
        }
    }

    fn advance(&mut self) -> Found<'e, ()> {
        (self.start, self.token) = self.lexer.next()?;
        Ok(())
    }

    fn fail<T>(&self, wrong: Wrong<'e>) -> Found<'e, T> {
        Err(Fault { at: self.start, wrong })
    }

    fn unexpected<T>(&self, expected: &'static str) -> Found<'e, T> {
        if let (Token::End, Some((open, at))) = (self.token, self.bracket()) {
            return Err(Fault { at, wrong: Wrong::Open(open) });
        }
        self.fail(Wrong::Unexpected { found: self.token, expected })
    }

    /// The innermost bracket that is open.
    fn bracket(&self) -> Option<(&'static str, usize)> {
        self.open.iter().rev().find_map(|(open, at)| match open {
            Open::Parenthesis | Open::Call { .. } => Some(("(", *at)),
            Open::Range(_) | Open::Step => Some(("[", *at)),
            _ => None,
        })
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.token, Token::Symbol(found) if found == symbol)
    }

    fn is_keyword(&self, keywords: &[&str]) -> bool {
        matches!(self.token, Token::Word(word) if is_any(word, keywords))
    }

    fn expect(&mut self, symbol: &'static str, expected: &'static str) -> Found<'e, ()> {
        if self.is_symbol(symbol) { self.advance() } else { self.unexpected(expected) }
    }

    /// Opens something at the word that is looked at, and goes on behind it.
    fn push(&mut self, open: Open) -> Found<'e, ()> {
        self.open(open, self.start)?;
        self.advance()
    }

    fn open(&mut self, open: Open, at: usize) -> Found<'e, ()> {
        if self.open.len() >= MOST_OPEN {
            return self.fail(Wrong::Not("more than 10000 brackets and signs within each other, which is not read on"));
        }
        self.open.push((open, at));
        Ok(())
    }

    /// What an operator or a function is of. `None` where something was opened, whose own operand comes next.
    fn operand(&mut self) -> Found<'e, Option<Value>> {
        match self.token {
            Token::Symbol("+" | "-") => {
                let is_minus = self.is_symbol("-");
                self.push(Open::Sign { is_minus })?;
                Ok(None)
            }
            Token::Symbol("(") => {
                self.push(Open::Parenthesis)?;
                Ok(None)
            }
            Token::Number(_) => self.number().map(Some),
            Token::Word(word) => {
                let is_name = !self.in_duration && !is_any(word, RESERVED);
                if self.in_duration && !is_any(word, &DURATION_WORDS) {
                    return self.unexpected(DURATION);
                }
                let at = self.start;
                self.advance()?;
                if let Some(function) = Function::aggregation(word)
                    && (self.is_symbol("(") || self.is_keyword(&["by", "without"]))
                {
                    let may_group = !self.grouping()?;
                    return self.call(function, may_group);
                }
                if self.is_symbol("(") {
                    // In durations the case of a word makes no difference.
                    let known =
                        DURATION_WORDS.iter().find(|known| self.in_duration && known.eq_ignore_ascii_case(word));
                    return match Function::named(known.unwrap_or(&word)) {
                        Some(function) => self.call(function, false),
                        None => Err(Fault { at, wrong: Wrong::Unknown(word) }),
                    };
                }
                if is_name {
                    self.selector(true).map(Some)
                } else {
                    let found = Token::Word(word);
                    Err(Fault { at, wrong: Wrong::Unexpected { found, expected: "an expression" } })
                }
            }
            Token::Symbol("{") if !self.in_duration => self.selector(false).map(Some),
            Token::Text(_) if !self.in_duration => {
                self.advance()?;
                Ok(Some(Value::Of(Type::Text)))
            }
            _ if self.in_duration => self.unexpected(DURATION),
            _ => self.unexpected("an expression"),
        }
    }

    fn number(&mut self) -> Found<'e, Value> {
        let Token::Number(number) = self.token else { return self.unexpected("a number") };
        if self.in_duration && number.is_endless {
            return self.fail(Wrong::Not("a duration of more than 292 years"));
        }
        self.advance()?;
        Ok(Value::Number { is_positive: !number.is_zero, is_zero: number.is_zero })
    }

    /// Opens a call, at its `(`. One without arguments is a value already.
    fn call(&mut self, function: &'static Function, may_group: bool) -> Found<'e, Option<Value>> {
        if !self.is_symbol("(") {
            return self.unexpected("\"(\"");
        }
        self.push(Open::Call { function, found: 0, may_group })?;
        if self.is_symbol(")") { self.close().map(Some) } else { Ok(None) }
    }

    /// What follows a value: whatever changes it, an operator, or the end of what is open. `None` where another operand is
    /// due.
    fn follow(&mut self, mut value: Value) -> Found<'e, Option<Type>> {
        loop {
            if let Some((Open::Offset(of), _)) = self.open.last() {
                // What comes after `offset` ends with its bracket.
                value = *of;
                self.open.pop();
                self.in_duration = false;
                continue;
            }
            if let Some(operator) = Operator::of(self.token).filter(|of| !self.in_duration || is_of_durations(*of)) {
                value = self.settle(value, operator.precedence, operator.sort == Sort::Power)?;
                let at = self.start;
                self.advance()?;
                let modifiers = if self.in_duration { Modifiers::default() } else { self.modifiers()? };
                self.open(Open::Operator { left: value, operator, modifiers }, at)?;
                return Ok(None);
            }
            match self.token {
                Token::Symbol("[") => {
                    self.in_duration = true;
                    self.push(Open::Range(value))?;
                    return Ok(None);
                }
                Token::Symbol("@") => {
                    self.time(&mut value)?;
                    continue;
                }
                Token::Word(word) if word.eq_ignore_ascii_case("offset") => {
                    if self.offset(&mut value)? {
                        return Ok(None);
                    }
                    continue;
                }
                Token::Word(word) if is_any(word, &["anchored", "smoothed"]) => {
                    self.extend(&mut value, word)?;
                    continue;
                }
                _ => {}
            }
            value = self.settle(value, 0, false)?;
            if self.open.is_empty() && self.token == Token::End {
                return Ok(Some(value.ty()));
            }
            match self.end(value)? {
                Some(ended) => value = ended,
                None => return Ok(None),
            }
        }
    }

    /// Ends what is open after a value, or goes on to what else is in it: `None` where that begins with an operand.
    fn end(&mut self, value: Value) -> Found<'e, Option<Value>> {
        let Some((innermost, at)) = self.open.last().copied() else {
            return self.unexpected("an operator or the end");
        };
        let fault = |wrong| Err(Fault { at, wrong });
        match (innermost, self.token) {
            (Open::Parenthesis, Token::Symbol(")")) => {
                self.open.pop();
                self.advance()?;
                Ok(Some(Value::Of(value.ty())))
            }
            (Open::Call { function, found, may_group }, Token::Symbol(")" | ",")) => {
                if let Err(wrong) = argument(function, found, value) {
                    return fault(wrong);
                }
                self.open.pop();
                self.open.push((Open::Call { function, found: found + 1, may_group }, at));
                if self.is_symbol(")") {
                    return self.close().map(Some);
                }
                self.advance()?;
                Ok(None)
            }
            (Open::Range(of), Token::Symbol("]")) => {
                self.is_positive(value)?;
                match of {
                    Value::Selector(selector) if !selector.has_offset && !selector.has_time => {
                        self.end_brackets(Value::Range(selector))
                    }
                    Value::Selector(_) => fault(Wrong::Not("a range after offset or @, expected before it")),
                    _ => fault(Wrong::Not("a range of what is no selector, expected a subquery such as [5m:]")),
                }
            }
            (Open::Range(of), Token::Symbol(":")) => {
                self.is_positive(value)?;
                if of.ty() != Type::Vector {
                    return fault(Wrong::Type { of: "a subquery of", expected: "an instant vector", found: of.ty() });
                }
                self.open.pop();
                self.open.push((Open::Step, at));
                self.advance()?;
                if self.is_symbol("]") { self.end_brackets(SUBQUERY) } else { Ok(None) }
            }
            (Open::Step, Token::Symbol("]")) => {
                self.is_positive(value)?;
                self.end_brackets(SUBQUERY)
            }
            (Open::Range(_), _) => self.unexpected("\":\" or \"]\""),
            (Open::Step, _) => self.unexpected("\"]\""),
            (Open::Call { .. }, _) => self.unexpected("an operator, \",\" or \")\""),
            _ => self.unexpected("an operator or \")\""),
        }
    }

    /// Ends the brackets that are open, after which the value is another.
    fn end_brackets(&mut self, value: Value) -> Found<'e, Option<Value>> {
        self.open.pop();
        self.in_duration = false;
        self.advance()?;
        Ok(Some(value))
    }

    fn is_positive(&self, value: Value) -> Found<'e, ()> {
        match value {
            Value::Number { is_positive: false, .. } => self.fail(Wrong::Not("a duration that is not greater than 0")),
            _ => Ok(()),
        }
    }

    /// Ends the call that is open, at its `)`.
    fn close(&mut self) -> Found<'e, Value> {
        let Some((Open::Call { function, found, may_group }, at)) = self.open.pop() else {
            return self.unexpected("an operator");
        };
        let (least, most) = function.bounds();
        if found < least || found > most {
            return Err(Fault { at, wrong: Wrong::Arguments { function, found } });
        }
        self.advance()?;
        if may_group {
            self.grouping()?;
        }
        Ok(Value::Of(function.result))
    }

    /// Does the operators that are open and come before one of some precedence.
    fn settle(&mut self, mut value: Value, precedence: u8, is_power: bool) -> Found<'e, Value> {
        while let Some((open, at)) = self.open.last() {
            let at = *at;
            let own = match open {
                Open::Sign { .. } => SIGN,
                Open::Operator { operator, .. } => operator.precedence,
                _ => break,
            };
            if own < precedence || (own == precedence && is_power) {
                break;
            }
            value = match *open {
                Open::Operator { left, operator, modifiers } => {
                    if self.in_duration {
                        let is_zero = matches!(value, Value::Number { is_zero: true, .. });
                        if is_zero && operator.sort == Sort::Division {
                            return Err(Fault { at, wrong: Wrong::Not("a division by zero") });
                        }
                        Value::Of(Type::Scalar)
                    } else {
                        combine(left, operator, modifiers, value).map_err(|wrong| Fault { at, wrong })?
                    }
                }
                Open::Sign { is_minus } => signed(is_minus, value).map_err(|wrong| Fault { at, wrong })?,
                _ => value,
            };
            self.open.pop();
        }
        Ok(value)
    }

    /// `by (a)` or `without (a)`; whether it is there.
    fn grouping(&mut self) -> Found<'e, bool> {
        let is_there = self.is_keyword(&["by", "without"]);
        if is_there {
            self.advance()?;
            self.labels()?;
        }
        Ok(is_there)
    }

    /// Names of labels, in parentheses.
    fn labels(&mut self) -> Found<'e, Vec<Cow<'e, str>>> {
        self.expect("(", "\"(\" and labels")?;
        let mut labels = Vec::new();
        while !self.is_symbol(")") {
            match self.token {
                Token::Word(word) if !word.eq_ignore_ascii_case("without") => labels.push(Cow::Borrowed(word)),
                Token::Text(text) if text.len() > 2 => labels.push(unquote(text)),
                _ => return self.unexpected("the name of a label"),
            }
            self.advance()?;
            if !self.is_symbol(")") {
                self.expect(",", "\",\" or \")\"")?;
            }
        }
        self.advance()?;
        Ok(labels)
    }

    /// What stands between an operator and what comes after it.
    fn modifiers(&mut self) -> Found<'e, Modifiers> {
        let Token::Word(_) = self.token else { return Ok(Modifiers::default()) };
        let mut modifiers = Modifiers { is_bool: self.is_keyword(&["bool"]), ..Modifiers::default() };
        if modifiers.is_bool {
            self.advance()?;
        }
        if self.is_keyword(&["on", "ignoring"]) {
            let is_on = self.is_keyword(&["on"]);
            self.advance()?;
            let matching = self.labels()?;
            modifiers.matching.has_labels = !matching.is_empty();
            modifiers.matching.is_grouped = self.is_keyword(&["group_left", "group_right"]);
            if modifiers.matching.is_grouped {
                self.advance()?;
                let grouped = if self.is_symbol("(") { self.labels()? } else { Vec::new() };
                let matching: Sorted<'_> = matching.iter().map(|label| (&**label, 0)).collect();
                if is_on && grouped.iter().any(|label| matching.first(label).is_some()) {
                    return self.fail(Wrong::Not("a label both in on and in group_left or group_right"));
                }
            }
        }
        let mut filled = "";
        while let Token::Word(word) = self.token
            && is_any(word, &["fill", "fill_left", "fill_right"])
            && self.lexer.is_before_parenthesis()
            // Either of both, or one for both.
            && (filled.is_empty() || (word.len() > 4 && filled.len() > 4 && !filled.eq_ignore_ascii_case(word)))
        {
            filled = word;
            modifiers.is_filled = true;
            self.advance()?;
            self.expect("(", "\"(\"")?;
            self.skip_sign()?;
            self.number()?;
            self.expect(")", "\")\"")?;
        }
        Ok(modifiers)
    }

    fn skip_sign(&mut self) -> Found<'e, bool> {
        let is_sign = matches!(self.token, Token::Symbol("+" | "-"));
        if is_sign {
            self.advance()?;
        }
        Ok(is_sign)
    }

    /// `@ 1609746000`, `@ start()` or `@ end()`.
    fn time(&mut self, value: &mut Value) -> Found<'e, ()> {
        let Some(selector) = value.selector() else {
            return self.fail(Wrong::Not("@ after what is no selector and no subquery"));
        };
        if selector.has_time {
            return self.fail(Wrong::Not("a second @"));
        }
        selector.has_time = true;
        self.advance()?;
        if self.is_keyword(&["start", "end"]) {
            self.advance()?;
            self.expect("(", "\"()\"")?;
            return self.expect(")", "\")\"");
        }
        self.skip_sign()?;
        match self.token {
            Token::Number(number) if number.is_finite => self.advance(),
            _ => self.unexpected("a time, start() or end()"),
        }
    }

    /// `offset 5m`; whether a duration is still to come.
    fn offset(&mut self, value: &mut Value) -> Found<'e, bool> {
        let at = self.start;
        let Some(selector) = value.selector() else {
            return self.fail(Wrong::Not("offset after what is no selector and no subquery"));
        };
        if selector.has_offset {
            return self.fail(Wrong::Not("a second offset"));
        }
        self.advance()?;
        while self.skip_sign()? {}
        match self.token {
            Token::Number(number) => {
                // One of zero is as none.
                selector.has_offset = !number.is_zero;
                if number.is_endless {
                    return self.fail(Wrong::Not("an offset of more than 292 years"));
                }
                self.advance()?;
                Ok(false)
            }
            Token::Symbol("(") => {
                selector.has_offset = true;
                self.open.push((Open::Offset(*value), at));
                self.in_duration = true;
                Ok(true)
            }
            Token::Word(word) if is_any(word, &DURATION_WORDS) && self.lexer.is_before_parenthesis() => {
                selector.has_offset = true;
                self.open.push((Open::Offset(*value), at));
                self.in_duration = true;
                Ok(true)
            }
            _ => self.unexpected("a duration"),
        }
    }

    /// `anchored` or `smoothed`.
    fn extend(&mut self, value: &mut Value, word: &str) -> Found<'e, ()> {
        let (Value::Selector(selector) | Value::Range(selector)) = value else {
            return self.fail(Wrong::Not("anchored or smoothed after what is no selector"));
        };
        let edges = if word.eq_ignore_ascii_case("anchored") { Edges::Anchored } else { Edges::Smoothed };
        if selector.edges.is_some_and(|other| other != edges) {
            return self.fail(Wrong::Not("both anchored and smoothed"));
        }
        selector.edges = Some(edges);
        self.advance()
    }

    /// `{a="b"}`, or nothing where the name of a metric stands before it.
    fn selector(&mut self, is_named: bool) -> Found<'e, Value> {
        let at = self.start;
        // Only that one may be of anything.
        let is_information =
            matches!(self.open.last(), Some((Open::Call { function, found: 1, .. }, _)) if function.name == "info");
        let mut is_bound = is_named || is_information;
        if self.is_symbol("{") {
            self.advance()?;
            while !self.is_symbol("}") {
                is_bound |= self.matcher(is_named)?;
                if !self.is_symbol("}") {
                    self.expect(",", "\",\" or \"}\"")?;
                }
            }
            self.advance()?;
        }
        if !is_bound {
            let wrong =
                Wrong::Not("a selector of all series, expected a metric or a matcher that an empty label fails");
            return Err(Fault { at, wrong });
        }
        Ok(Value::Selector(Selector { is_named, ..Selector::default() }))
    }

    /// `a="b"`, or a name of a metric in quotes. Whether there are series that it does not match.
    fn matcher(&mut self, is_named: bool) -> Found<'e, bool> {
        let at = self.start;
        let label = match self.token {
            Token::Word(word) => Cow::Borrowed(word),
            Token::Text(text) => unquote(text),
            _ => return self.unexpected("the name of a label or \"}\""),
        };
        let is_quoted = matches!(self.token, Token::Text(_));
        self.advance()?;
        let Token::Symbol(operator @ ("=" | "!=" | "=~" | "!~")) = self.token else {
            return match self.token {
                _ if !is_quoted => self.unexpected("one of =, !=, =~, !~"),
                _ if is_named => Err(Fault { at, wrong: TWO_NAMES }),
                _ => Ok(!label.is_empty()),
            };
        };
        self.advance()?;
        let Token::Text(text) = self.token else { return self.unexpected("a string") };
        if is_named && label == "__name__" {
            return Err(Fault { at, wrong: TWO_NAMES });
        }
        let value = unquote(text);
        let matches_empty = if operator.len() > 1 && operator.ends_with('~') {
            regex::matches_empty(&value).or_else(|reason| self.fail(Wrong::Regex { pattern: text, reason }))?
        } else {
            value.is_empty()
        };
        self.advance()?;
        Ok(matches_empty == operator.starts_with('!'))
    }
}

const TWO_NAMES: Wrong<'_> = Wrong::Not("a metric with two names");
