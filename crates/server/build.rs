//! Takes the page of every problem code into the program, so that `/docs/problem/<code>` works without any files.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../docs/problem");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        if let Some(code) = path.file_stem().and_then(|stem| stem.to_str())
            && path.extension().is_some_and(|extension| extension == "md")
        {
            pages.push((code.to_owned(), path.canonicalize()?));
        }
    }
    pages.sort();
    let mut text = String::from("/// The page of each code.\nstatic PROBLEM_PAGES: &[(&str, &str)] = &[\n");
    for (code, path) in &pages {
        writeln!(text, "    ({code:?}, include_str!({:?})),", path.display().to_string())?;
    }
    text.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("problem_pages.rs"), text)?;
    Ok(())
}
