//! The binary itself: help, exit codes, and what it prints. `UPDATE_GOLDEN=1` writes the snapshots anew.

use crate::golden::{Run, assert_golden};

#[test]
fn o3_without_an_argument_five_lines_say_what_to_do_next() {
    let run = Run::new(&[]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 5));
    assert_golden("welcome.txt", &run.stdout);
}

#[test]
fn o3_the_help_shows_the_commands_in_groups() {
    let run = Run::new(&["--help"]);
    assert_eq!(run.code, 0);
    assert_golden("help.txt", &run.stdout);
}

// O3: what a command takes stands before what every command takes, and help is asked for in either way.
#[test]
fn o3_a_commands_own_options_come_first() {
    let run = Run::new(&["help", "tasks"]);
    assert_eq!((run.code, &run.stdout), (0, &Run::new(&["tasks", "--help"]).stdout));
    let place = |word: &str| run.stdout.find(word).expect("is in the help");
    assert!(place("--limit") < place("--json") && place("Options of every command") < place("--json"));
    assert_eq!(Run::new(&["help"]).stdout, Run::new(&["--help"]).stdout);
    assert_eq!(Run::new(&["help", "nonsense"]).code, 2);
}

#[test]
fn o3_wrong_usage_ends_with_2() {
    for arguments in [&["sumbit"][..], &["--nonsense"], &["config", "--set", "x"], &["completions", "dos"]] {
        let run = Run::new(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
    assert!(Run::new(&["verson"]).stderr.contains("a similar subcommand exists: 'version'"));
}

#[test]
fn o1_a_wrong_setting_ends_with_2_and_says_what_to_do() {
    let run = Run::new(&["config", "--set", "lisen=1"]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.stderr,
        "error: --set lisen: there is no setting `lisen`; the nearest is `listen`\n\
         next: `tiltyard config --template` lists every setting\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&Run::new(&["config", "--json", "--set", "lisen=1"]).stderr).expect("is JSON");
    assert_eq!(json["exit"], 2);
}

#[test]
fn o1_config_prints_the_effective_settings_and_their_origin() {
    let run = Run::new(&["config", "--listen", "127.0.0.1:0", "--set", "agent.token=jst_hush"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.contains("jst_hush"));
    // How wide the columns are depends on where the folder of this test is.
    let narrow = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    assert_golden("config.txt", &run.stdout.lines().map(narrow).collect::<String>());
}

#[test]
fn o1_config_for_machines() {
    let run = Run::new(&["config", "--json", "--data", "/d"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
    let settings = document["settings"].as_array().expect("is a list");
    let data = settings.iter().find(|setting| setting["key"] == "data").expect("is there");
    assert_eq!(
        (&data["value"], &data["origin"]["from"], &data["origin"]["flag"]),
        (&"/d".into(), &"flag".into(), &"--data".into())
    );
    assert_eq!(data["variable"], "TILTYARD_DATA");
}

#[test]
fn o1_the_template_is_a_settings_file() {
    let run = Run::new(&["config", "--template"]);
    assert_golden("template.toml", &run.stdout);
}

#[test]
fn version_tells_commit_time_and_compiler() {
    let run = Run::new(&["version"]);
    assert!(run.stdout.starts_with("tiltyard 0.1.0\ncommit   "), "{}", run.stdout);
    assert!(run.stdout.contains("compiler rustc 1."));
    let version: serde_json::Value =
        serde_json::from_str(&Run::new(&["version", "--json"]).stdout).expect("is JSON");
    assert_eq!(version["version"], "0.1.0");
}

#[test]
fn o3_completions_and_man_pages_are_generated() {
    assert!(Run::new(&["completions", "bash"]).stdout.contains("_tiltyard()"));
    assert!(Run::new(&["completions", "fish"]).stdout.contains("complete -c tiltyard"));
    assert!(Run::new(&["man"]).stdout.contains(".TH tiltyard 1"));
    let folder = tempfile::tempdir().expect("a folder");
    let run = Run::new(&["man", folder.path().to_str().expect("is UTF-8")]);
    assert_eq!(run.code, 0);
    assert!(folder.path().join("tiltyard-config.1").exists());
}
