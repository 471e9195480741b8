//! Which files of the repository a check executes: what runs a check decides what it finds (C20).
//!
//! Told by where a word stands, not by what it is called: a runner may be named like a test. A word with a dot or
//! a slash may be a file wherever it stands, and behind an interpreter any word may. Spared are tests that are
//! handed to a known test runner, for running them is what a check is for. Doubt protects.

use super::builtin;
use super::pattern::Patterns;

/// Programs that execute the file that is named behind them.
const INTERPRETERS: [&str; 30] = [
    ".",
    "source",
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "mksh",
    "fish",
    "busybox",
    "pwsh",
    "powershell",
    "python",
    "pypy",
    "node",
    "nodejs",
    "bun",
    "deno",
    "tsx",
    "ts-node",
    "ruby",
    "perl",
    "php",
    "lua",
    "luajit",
    "tclsh",
    "awk",
    "gawk",
    "Rscript",
];

/// Programs that take tests as arguments, wherever they stand in a command.
const TEST_RUNNERS: [&str; 19] = [
    "pytest",
    "py.test",
    "unittest",
    "nose2",
    "jest",
    "vitest",
    "mocha",
    "ava",
    "tap",
    "jasmine",
    "rspec",
    "phpunit",
    "pest",
    "ctest",
    "gotestsum",
    "bats",
    "playwright",
    "cypress",
    "--test",
];

/// Programs that run tests when their next word is `test`.
const TEST_TOOLS: [&str; 10] =
    ["go", "cargo", "deno", "bun", "mix", "dotnet", "swift", "zig", "flutter", "rails"];

/// Options of test runners that take no value: what follows any other may be a file of settings.
const FLAGS: [&str; 10] = ["-q", "-v", "-vv", "-x", "-s", "-l", "--quiet", "--verbose", "--test", "--"];

/// Patterns of the files that a check's command names, in no order and maybe more than once.
pub(super) fn files(argv: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let plain: Vec<&str> = argv.iter().map(String::as_str).collect();
    command(&plain, &mut found);
    for line in argv.iter().filter(|word| word.contains(is_syntax)) {
        let line: String = line.chars().filter(|letter| !matches!(letter, '\'' | '"' | '\\')).collect();
        // Below a folder that is not known: `$(pwd)/check`.
        let line = [")/", "}/", "`/"].into_iter().fold(line, |line, end| line.replace(end, "; ./"));
        for words in line.split(is_border).map(words_of) {
            command(&words, &mut found);
        }
    }
    found
}

/// What makes a word a line of a shell.
fn is_syntax(letter: char) -> bool {
    letter.is_whitespace() || letter == '$' || letter == '\'' || letter == '"' || is_border(letter)
}

/// What stands between two commands.
fn is_border(letter: char) -> bool {
    matches!(letter, ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`' | '\n')
}

fn words_of(command: &str) -> Vec<&str> {
    let words = command.split(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>'));
    words.filter(|word| !word.is_empty()).collect()
}

/// What is known of the words before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Nothing: only what looks like a file may be one.
    Anything,
    /// An interpreter: any word may be a file.
    Interpreter,
    /// A test runner: what is named like a test is one.
    TestRunner,
}

fn command(words: &[&str], found: &mut Vec<String>) {
    let mut behind = Behind::Anything;
    let mut before = "";
    for word in words {
        let tool = TEST_TOOLS.contains(&before) && *word == "test";
        if behind == Behind::Interpreter && before == "-m" && !TEST_RUNNERS.contains(word) {
            module(word, found);
            behind = Behind::Anything;
        } else if behind == Behind::Interpreter && before == "-m" {
            behind = Behind::TestRunner;
        } else if tool || is_runner(word) {
            named(word, behind, found);
            behind = Behind::TestRunner;
        } else {
            let value = before.starts_with('-') && !FLAGS.contains(&before);
            named(word, if value && behind == Behind::TestRunner { Behind::Anything } else { behind }, found);
            if behind == Behind::Anything && INTERPRETERS.contains(&program(word)) {
                behind = Behind::Interpreter;
            }
        }
        before = word;
    }
}

fn is_runner(word: &str) -> bool {
    TEST_RUNNERS.contains(&program(word))
}

/// The name of a program without its folder and version: `/usr/bin/python3.12` is `python`.
fn program(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    if bare.is_empty() { name } else { bare }
}

/// A module of Python by its name is a file, or a folder with a program in it.
fn module(name: &str, found: &mut Vec<String>) {
    let path = name.replace('.', "/");
    for file in [format!("{path}.py"), format!("{path}/__main__.py")] {
        keep(&file, found);
    }
}

/// What of a word may be files: also behind `--x=`, and below a folder that a variable names.
fn named(word: &str, behind: Behind, found: &mut Vec<String>) {
    if word.starts_with('/') && !word.contains(is_syntax) {
        return;
    }
    for part in word.split(['=', ',', ':']).chain(word.contains(is_syntax).then_some(word)) {
        let part =
            part.split_once('/').filter(|(root, _)| root.starts_with('$')).map_or(part, |(_, rest)| rest);
        let sure = word.starts_with("./") || word.starts_with("../");
        let spared = behind == Behind::TestRunner && !sure && part == word && builtin::is_named_as_test(part);
        let may_be = behind == Behind::Interpreter || part.contains('.') || word.contains('/');
        if may_be && !spared && !part.starts_with('-') && !part.ends_with('/') {
            keep(part, found);
        }
    }
}

/// Keeps the pattern of a path whose `.` and `..` are gone: from which folder a command climbs is not known.
fn keep(path: &str, found: &mut Vec<String>) {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    let last = names.last().is_some_and(|name| !name.trim_matches('.').is_empty());
    let pattern = format!("file:{}", names.join("/"));
    if last && Patterns::compile(std::slice::from_ref(&pattern)).is_ok() {
        found.push(pattern);
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Patterns;

    fn executes(argv: &[&str], path: &str) -> bool {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        Patterns::compile(&super::files(&argv)).unwrap().fit(path)
    }

    // C20: what a check executes is protected whatever it is called, wherever its command names it.
    #[test]
    fn c20_a_runner_is_known_by_where_it_stands() {
        for (argv, path) in [
            (&["./run_tests.sh"][..], "run_tests.sh"),
            (&["./test_all.sh", "-q"], "test_all.sh"),
            (&["tools/integration_test.sh"], "tools/integration_test.sh"),
            (&["sh", "test_all.sh"], "test_all.sh"),
            (&["python3", "run_test.py"], "run_test.py"),
            (&["/usr/bin/python3.12", "-u", "run_test.py"], "run_test.py"),
            (&["./check"], "check"),
            (&["tools/verify"], "tools/verify"),
            (&["sh", "verify"], "verify"),
            (&["env", "CI=1", "timeout", "60", "bash", "-o", "pipefail", "verify"], "verify"),
            (&["sh", "-c", "cd x && ./run"], "x/run"),
            (&["sh", "-c", "cd x; ../run_tests.sh"], "run_tests.sh"),
            (&["sh", "-c", "set -e; sh verify"], "verify"),
            (&["sh", "-c", "\"$PWD\"/verify"], "verify"),
            (&["sh", "-c", "$PWD/verify --all"], "verify"),
            (&["sh", "-c", "${ROOT}/verify --all"], "verify"),
            (&["sh", "-c", "$(pwd)/verify"], "verify"),
            (&["sh", "-c", "'./check' all"], "check"),
            (&["sh", "-c", "sh <verify"], "verify"),
            (&["sh", "-c", ". ./env_test.sh"], "env_test.sh"),
            (&["sh", "-c", "true && (./check)"], "check"),
            (&["./my check.sh"], "my check.sh"),
            (&["python3", "-m", "tools.verify"], "tools/verify.py"),
            (&["python3", "-m", "verify"], "verify/__main__.py"),
            (&["pytest", "-c", "test_settings.ini"], "test_settings.ini"),
            (&["pytest", "--config=test_settings.ini"], "test_settings.ini"),
            (&["jest", "--setupFiles", "test_setup.js"], "test_setup.js"),
            (&["pytest", "tests/run.sh"], "tests/run.sh"),
            (&["./pytest", "test_a.py"], "pytest"),
            (&["sh", "pytest", "test_a.py"], "pytest"),
        ] {
            assert!(executes(argv, path), "{argv:?} {path}");
        }
    }

    #[test]
    fn c20_a_test_that_is_handed_to_a_test_runner_is_a_test() {
        for (argv, path) in [
            (&["pytest", "-q", "test_calc.py"][..], "test_calc.py"),
            (&["python3", "-m", "pytest", "tests/test_calc.py"], "tests/test_calc.py"),
            (&["python3", "-m", "unittest", "test_calc.py"], "test_calc.py"),
            (&["npx", "jest", "src/a.test.ts"], "src/a.test.ts"),
            (&["node", "--test", "a.test.js"], "a.test.js"),
            (&["go", "test", "x_test.go"], "x_test.go"),
            (&["sh", "-c", "cd web && npx vitest src/a.spec.ts"], "src/a.spec.ts"),
            (&["make", "test"], "test"),
            (&["cargo", "test", "--lib"], "test"),
            (&["sh", "-c", "cargo test"], "test"),
            (&["/opt/check"], "opt/check"),
            (&["pytest", "./..."], "x"),
        ] {
            assert!(!executes(argv, path), "{argv:?} {path}");
        }
    }
}
