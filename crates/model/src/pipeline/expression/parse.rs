//! From words to a tree. The depth is counted, so that no text can use up the stack.

use super::lex::{Placed, Word, words};
use super::{Comparison, Function, MAX_EXPRESSION_DEPTH, Path, Step, To, Tree, Wrong};
use crate::nearest::nearest;
use serde_json::Value;

pub(super) fn parse(source: &str) -> Result<Tree, Wrong> {
    let words = words(source)?;
    let mut parser = Parser { words, next: 0, depth: 0 };
    if parser.peek() == &Word::End {
        return Err(Wrong::new(0, "an expression is missing: `${{ input.NAME }}`"));
    }
    let tree = parser.expression()?;
    match parser.peek() {
        Word::End => Ok(tree),
        _ => Err(parser.wrong("the expression should end here; is an operator missing?")),
    }
}

struct Parser {
    words: Vec<Placed>,
    next: usize,
    depth: u32,
}

impl Parser {
    /// The next word; the last one is the end, and stays.
    fn peek(&self) -> &Word {
        self.words.get(self.next).map_or(&Word::End, |(_, word)| word)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).or(self.words.last()).map_or(0, |(at, _)| *at)
    }

    fn take(&mut self) -> Word {
        let word = self.peek().clone();
        self.next += 1;
        word
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Word::Sign(next) if *next == sign);
        self.next += usize::from(found);
        found
    }

    fn wrong(&self, error: impl Into<String>) -> Wrong {
        Wrong::new(self.at(), error)
    }

    fn expect(&mut self, sign: &str, why: &str) -> Result<(), Wrong> {
        if self.takes(sign) { Ok(()) } else { Err(self.wrong(format!("`{sign}` is missing {why}"))) }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        if self.depth >= MAX_EXPRESSION_DEPTH {
            return Err(self.wrong(format!("an expression is nested at most {MAX_EXPRESSION_DEPTH} deep")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Tree, Wrong> {
        self.deeper(|parser| {
            parser.joined("||", |parser| parser.joined("&&", Self::comparison, Tree::Every), Tree::Some)
        })
    }

    /// One part, or several joined by a sign: side by side, so that a long chain is no deep tree.
    fn joined(
        &mut self,
        sign: &str,
        mut part: impl FnMut(&mut Self) -> Result<Tree, Wrong>,
        of: impl FnOnce(Vec<(usize, Tree)>) -> Tree,
    ) -> Result<Tree, Wrong> {
        let at = self.at();
        let first = part(self)?;
        if !matches!(self.peek(), Word::Sign(next) if *next == sign) {
            return Ok(first);
        }
        let mut parts = vec![(at, first)];
        while self.takes(sign) {
            parts.push((self.at(), part(self)?));
        }
        Ok(of(parts))
    }

    fn comparison(&mut self) -> Result<Tree, Wrong> {
        let left = self.operand()?;
        let at = self.at();
        let Some(how) = self.sign() else { return Ok(left) };
        let right = self.operand()?;
        if Comparison::ALL.iter().any(|(sign, _)| matches!(self.peek(), Word::Sign(next) if next == sign)) {
            return Err(self.wrong("compare two values at a time: `a < b && b < c`"));
        }
        Ok(Tree::Compare { at, how, sides: Box::new((left, right)) })
    }

    fn sign(&mut self) -> Option<Comparison> {
        Comparison::ALL.into_iter().find(|(sign, _)| self.takes(sign)).map(|(_, how)| how)
    }

    fn operand(&mut self) -> Result<Tree, Wrong> {
        let at = self.at();
        if self.takes("!") {
            let of = self.deeper(Self::operand)?;
            return Ok(Tree::Not { at, of: Box::new(of) });
        }
        if self.takes("(") {
            let inner = self.expression()?;
            self.expect(")", "to close this parenthesis")?;
            return Ok(inner);
        }
        match self.take() {
            Word::Literal(value) => Ok(Tree::Literal(value)),
            Word::Name(name) if self.takes("(") => self.call(at, &name),
            Word::Name(name) => self.path(at, name),
            Word::End => Err(Wrong::new(at, "the expression ends where a value is expected")),
            Word::Sign(sign) => Err(Wrong::new(at, format!("`{sign}` stands where a value is expected"))),
        }
    }

    fn call(&mut self, at: usize, name: &str) -> Result<Tree, Wrong> {
        let known = Function::ALL.into_iter().find(|(word, _, _)| *word == name);
        let Some((_, function, usage)) = known else {
            let near = nearest(name, Function::ALL.map(|(word, _, _)| word));
            let hint = near.map_or_else(
                || format!("there are {}", Function::ALL.map(|(word, _, _)| word).join(", ")),
                |near| format!("is {near} meant?"),
            );
            return Err(Wrong::new(at, format!("there is no function {name}; {hint}")));
        };
        let mut arguments = Vec::new();
        if !self.takes(")") {
            arguments.push(self.expression()?);
            while self.takes(",") {
                arguments.push(self.expression()?);
            }
            self.expect(")", &format!("to end {usage}"))?;
        }
        if arguments.len() != function.arguments() {
            return Err(Wrong::new(
                at,
                format!("it is called with {}: {usage}", count(function.arguments())),
            ));
        }
        Ok(Tree::Call { at, function, arguments })
    }

    fn path(&mut self, at: usize, name: String) -> Result<Tree, Wrong> {
        let mut steps = vec![Step { at, to: To::Name(name) }];
        loop {
            let at = self.at();
            if self.takes(".") {
                let at = self.at();
                match self.take() {
                    Word::Name(name) => steps.push(Step { at, to: To::Name(name) }),
                    _ => {
                        return Err(Wrong::new(
                            at,
                            "a name is missing after the dot; others are written [\"…\"]",
                        ));
                    }
                }
            } else if self.takes("[") {
                let to = self.bracket()?;
                self.expect("]", "to close this bracket")?;
                steps.push(Step { at, to });
            } else {
                return Ok(Tree::Path(Path { at: steps[0].at, steps }));
            }
        }
    }

    fn bracket(&mut self) -> Result<To, Wrong> {
        let at = self.at();
        let rule = "a bracket holds a number from 0 on, or a text";
        match self.take() {
            Word::Literal(Value::String(name)) => Ok(To::Name(name)),
            Word::Literal(Value::Number(item)) => {
                let item = item.as_u64().and_then(|item| usize::try_from(item).ok());
                item.map(To::Item).ok_or_else(|| Wrong::new(at, rule))
            }
            _ => Err(Wrong::new(at, rule)),
        }
    }
}

fn count(arguments: usize) -> &'static str {
    if arguments == 1 { "one argument" } else { "two arguments" }
}
