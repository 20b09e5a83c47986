//! The generated pages are those of the tables. `UPDATE=1 cargo test docs` writes them anew.

use std::path::Path;

use rollbook::records::{Attr, Attrs, device_type};

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own to be told by")]
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
fn docs_of_events() {
    check("user-events.md", &rollbook::actions::event_docs());
}

#[test]
fn docs_of_errors() {
    check("errors.md", &rollbook::wire::docs());
}

/// Every line of the table in `docs/deviations.md` is what the code says.
#[test]
fn device_types_are_those_of_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deviations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("## `DeviceType`").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("---"))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let first_word = |cell: &str| cell.split([',', ' ']).next().unwrap_or_default().to_owned();
        let mut attrs = Attrs::new();
        for (attr, cell) in [(Attr::UserType, row[0]), (Attr::Terminal, row[1])] {
            let word = first_word(cell);
            if word.parse::<u32>().is_ok() {
                attrs.insert(attr, word);
            }
        }
        let shown = row[2].trim_matches('`').trim_matches('"');
        assert_eq!(device_type(&attrs), shown, "{row:?}");
        attrs.insert(Attr::Device, "own words".into());
        assert_eq!(device_type(&attrs), "own words");
    }
}

/// Every test that `docs/deviations.md` names is there.
#[test]
fn deviations_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/deviations.md")).unwrap();
    let named = page.split('`').filter_map(|word| word.split_once("::")).filter(|(file, _)| *file != "wire");
    let mut count = 0;
    for (file, test) in named.filter(|(file, _)| *file != "file") {
        let text = std::fs::read_to_string(root.join(format!("tests/it/{file}.rs"))).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "{file}::{test}");
        count += 1;
    }
    assert!(count > 20);
}
