//! The generated pages are those of the tables. `UPDATE=1 cargo test docs` writes them anew.

use std::path::Path;

fn check(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "docs/{file} is not what the table says; run with UPDATE=1");
}

#[test]
fn docs_of_actions() {
    check("api.md", &rollbook::actions::docs());
}

#[test]
fn docs_of_errors() {
    check("errors.md", &rollbook::wire::docs());
}
