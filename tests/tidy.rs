//! The rules of this repository that a machine can hold: which module may use which, what stays pure, how long
//! a file may grow, how many packages we depend on, which documents there are. Standard library only.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules of `src`, and the others each of them may use. `ARCHITECTURE.md` draws this table.
#[rustfmt::skip]
const MAY_USE: &[(&str, &[&str])] = &[
    ("records",   &[]),
    ("wire",      &[]),
    ("limits",    &[]),
    ("store",     &["records", "limits"]),
    ("ingest",    &["records", "limits", "store"]),
    ("actions",   &["records", "wire", "limits", "store"]),
    ("web",       &["records", "wire", "limits", "store", "actions"]),
    ("clock",     &["records"]),
    ("config",    &["records", "limits", "actions", "ingest"]),
    ("telemetry", &["records"]),
    ("http",      &["records", "actions", "ingest", "web", "wire", "limits", "config", "telemetry", "clock", "store"]),
    ("cli",       &["records", "actions", "ingest", "web", "wire", "limits", "config", "telemetry", "clock", "store", "http"]),
    ("lib",       &[]),
    ("main",      &["cli"]),
];

/// Modules that only decide: the same input gives the same answer, at once, and nothing else happens.
const PURE: &[&str] = &["records", "wire", "limits"];

/// What a pure module must not name.
#[rustfmt::skip]
const NOT_PURE: &[&str] = &[
    "tokio", "async", "await", "SystemTime", "Instant", "getrandom", "println", "eprintln",
];

/// The parts of the standard library that reach outside.
const OUTSIDE: &[&str] = &["fs", "net", "env", "io", "process", "thread"];

/// Names that belong to one place, and the modules that may say them.
#[rustfmt::skip]
const ONLY_IN: &[(&str, &[&str])] = &[
    ("hyper",              &["http", "store"]),
    ("hyper_util",         &["http", "store"]),
    ("http_body_util",     &["http", "store"]),
    ("tokio_rustls",       &["http"]),
    ("redb",               &["store"]),
    ("postcard",           &["store"]),
    ("zstd",               &["store"]),
    ("maud",               &["web"]),
    ("argon2",             &["web"]),
    ("clap",               &["cli"]),
    ("parquet",            &["cli"]),
    ("indicatif",          &["cli"]),
    ("anyhow",             &["cli", "main"]),
    ("toml",               &["config"]),
    ("tracing_subscriber", &["telemetry"]),
    ("SystemTime",         &["clock"]),
];

/// Packages in `Cargo.lock`, all platforms and test tools included. Every one is somebody's code that we
/// ship or run: the bound makes a new one a decision. Raise it in the commit that needs it and say why there.
const PACKAGES_MAX: usize = 220;

/// Lines of a source file, tests not counted. At 500 ask whether the file has two jobs; at 800 it has.
const LINES_MAX: usize = 800;

/// The inputs that are kept of one fuzz target, and of all: each is replayed by `make test`.
const CORPUS_BYTES_MAX: u64 = 64 << 10;
const CORPORA_BYTES_MAX: u64 = 600_000;

/// What a newcomer looks for.
#[rustfmt::skip]
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "docs/api.md",
    "docs/clickhouse.md",
    "docs/client.md",
    "docs/config.md",
    "docs/dashboard.md",
    "docs/deploy.md",
    "docs/deviations.md",
    "docs/errors.md",
    "docs/events.md",
    "docs/janus.md",
    "docs/logging.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/privacy.md",
    "docs/quality.md",
    "docs/records.md",
    "docs/reliability.md",
    "docs/scale.md",
    "docs/sources.md",
    "docs/stats.md",
    "docs/storage.md",
    "docs/user-events.md",
];

#[test]
fn modules_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        for used in source.root_names() {
            if used != source.module && row(&used).is_some() && !may_use(&source.module, &used) {
                wrong.push(format!("{}: `{}` may not use `{used}`", source.path, source.module));
            }
        }
    }
    none(&wrong, "the table MAY_USE in tests/tidy.rs says who may use whom");
}

#[test]
fn every_module_has_a_row() {
    let rows: BTreeSet<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| !rows.contains(source.module.as_str()))
        .map(|source| format!("{}: `{}` has no row", source.path, source.module))
        .collect();
    none(&wrong, "a new module needs a row in MAY_USE, and a line in ARCHITECTURE.md");
}

#[test]
fn the_middle_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module.as_str())) {
        for name in NOT_PURE.iter().filter(|name| says(&source.code, name)) {
            wrong.push(format!("{}: `{name}`", source.path));
        }
        for name in source.names_after("std::").iter().filter(|name| OUTSIDE.contains(&name.as_str())) {
            wrong.push(format!("{}: `std::{name}`", source.path));
        }
    }
    none(&wrong, "records, wire and limits decide; time, randomness and bytes come as arguments");
}

#[test]
fn borrowed_names_stay_in_their_place() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, places) in ONLY_IN {
            if says(&source.code, name) && !places.contains(&source.module.as_str()) {
                wrong.push(format!("{}: `{name}` belongs to {places:?}", source.path));
            }
        }
    }
    none(&wrong, "the table ONLY_IN in tests/tidy.rs says what belongs where");
}

#[test]
fn files_are_short() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test)
        .map(|source| (source, source.code.trim_end().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path))
        .collect();
    none(&wrong, "a file has one job, and at most 800 lines without its tests");
}

#[test]
fn nothing_is_left_for_later() {
    let markers =
        [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut wrong = Vec::new();
    for (path, text) in texts(&["rs", "md", "py", "mjs", "toml", "sh", ""]) {
        for (number, line) in text.lines().enumerate() {
            for marker in markers.iter().filter(|marker| says(line, marker)) {
                wrong.push(format!("{path}:{}: {marker}", number + 1));
            }
        }
    }
    none(&wrong, "do it, or open an issue");
}

#[test]
fn dependencies_are_counted() {
    let packages = read("Cargo.lock").matches("[[package]]").count();
    assert!(packages > 0, "Cargo.lock lists no package");
    assert!(packages <= PACKAGES_MAX, "Cargo.lock has {packages} packages, the budget is {PACKAGES_MAX}");
}

#[test]
fn dependencies_have_reasons() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    let (mut in_dependencies, mut has_reason) = (false, false);
    for line in read("Cargo.toml").lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
            has_reason = false;
        } else if line.starts_with("# ") {
            has_reason = true;
        } else if line.is_empty() {
            has_reason = false;
        } else if in_dependencies {
            seen += 1;
            if !has_reason {
                wrong.push(line.to_owned());
            }
        }
    }
    assert!(seen > 0, "Cargo.toml names no dependency");
    none(&wrong, "a comment above a dependency, or above its group, says what it is for");
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let places = [
        concat!("../sha", "red"),
        concat!("/wo", "rk/"),
        concat!("/tmp", "/wt"),
        concat!("/ro", "ot/"),
        concat!("registry.", "npmjs"),
        concat!("py", "pi.org"),
        concat!("pythonhosted", ".org"),
        concat!("deb.", "debian.org"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in texts(&["rs", "md", "py", "mjs", "toml", "sh", "json", "txt", "lock", "ndjson", ""]) {
        for place in places.iter().filter(|place| text.contains(**place)) {
            wrong.push(format!("{path}: {place}"));
        }
    }
    none(&wrong, "a fresh clone on another machine has neither");
}

#[test]
fn documents_exist_and_their_links_lead_somewhere() {
    let mut wrong: Vec<String> = DOCUMENTS
        .iter()
        .filter(|path| !root().join(path).is_file())
        .map(|path| format!("{path}: missing"))
        .collect();
    for (path, text) in texts(&["md"]) {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for target in links(&text) {
            if !folder.join(&target).exists() {
                wrong.push(format!("{path}: link to `{target}`"));
            }
        }
    }
    none(&wrong, "README.md and its siblings are the way in");
}

#[test]
fn the_tests_of_promises_exist() {
    let page = read("docs/reliability.md");
    let code: String = texts(&["rs", "py"]).into_iter().map(|(_, text)| text).collect();
    let is_test = |name: &&str| {
        let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        letters && name.matches('_').count() >= 2
    };
    // A fence ends no code span.
    let spans = page
        .lines()
        .filter(|line| !line.starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let named: BTreeSet<&str> = spans.filter(is_test).collect();
    assert!(named.len() > 30, "docs/reliability.md names {} tests", named.len());
    let wrong: Vec<String> = named
        .iter()
        .filter(|name| {
            ![format!("fn {name}("), format!("def {name}(")].iter().any(|test| code.contains(test))
        })
        .map(|name| format!("docs/reliability.md: there is no test `{name}`"))
        .collect();
    none(&wrong, "each promise names the test that fails when it is broken");
}

#[test]
fn every_fuzz_target_has_inputs_and_a_row() {
    let manifest = read("fuzz/Cargo.toml");
    let named = manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
    let targets: BTreeSet<String> = named.map(str::to_owned).collect();
    let files = fs::read_dir(root().join("fuzz/targets")).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(targets, files, "a file of fuzz/targets is a [[bin]] of fuzz/Cargo.toml");
    let page = read("docs/reliability.md");
    let (mut wrong, mut all) = (Vec::new(), 0);
    for target in &targets {
        let mut inputs = Vec::new();
        let corpus = root().join("fuzz/corpus").join(target);
        if corpus.is_dir() {
            walk(&corpus, &mut inputs);
        }
        let bytes: u64 = inputs.iter().map(|input| fs::metadata(input).unwrap().len()).sum();
        all += bytes;
        if inputs.is_empty() || bytes > CORPUS_BYTES_MAX {
            wrong.push(format!("fuzz/corpus/{target}: {} inputs, {bytes} bytes", inputs.len()));
        }
        if !page.contains(&format!("\n| `{target}` | ")) {
            wrong.push(format!("docs/reliability.md: no row for `{target}`"));
        }
    }
    assert!(all <= CORPORA_BYTES_MAX, "fuzz/corpus has {all} bytes");
    none(&wrong, "what a target has found is kept small, and what must hold there is written down");
}

#[test]
fn the_fuzzed_versions_are_the_shipped_ones() {
    let packages = |lock: &str| -> BTreeSet<String> {
        read(lock).split("[[package]]\n").skip(1).map(|text| text.lines().take(2).collect()).collect()
    };
    let own = ["rollbook-fuzz", "libfuzzer-sys", "arbitrary"].map(|name| format!("name = \"{name}\""));
    let shipped = packages("Cargo.lock");
    let mut fuzzed = packages("fuzz/Cargo.lock");
    fuzzed.retain(|package| !own.iter().any(|own| package.starts_with(own)));
    assert!(fuzzed.len() > 50, "fuzz/Cargo.lock was not read");
    let wrong: Vec<String> = fuzzed.difference(&shipped).cloned().collect();
    none(
        &wrong,
        "copy Cargo.lock to fuzz/Cargo.lock and run `cargo metadata` there: what is compiled is shared then",
    );
}

#[test]
fn the_code_map_is_complete() {
    let map = read("ARCHITECTURE.md");
    let wrong: Vec<String> = MAY_USE
        .iter()
        .map(|(module, _)| *module)
        .filter(|module| *module != "lib" && !map.contains(&format!("`{module}`")))
        .map(|module| format!("ARCHITECTURE.md does not name `{module}`"))
        .collect();
    none(&wrong, "the code map has a line for each module");
}

#[test]
fn the_gate_is_one_command() {
    let commands: Vec<String> = read(".ci/run")
        .lines()
        .filter(|line| {
            !line.is_empty()
                && !line.starts_with('#')
                && !line.starts_with("set ")
                && !line.starts_with("cd ")
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(commands, ["make test"], ".ci/run runs what a developer runs, and nothing else");
}

/// One file under `src`.
struct Source {
    /// As shown in messages.
    path: String,
    /// The top-level module it belongs to.
    module: String,
    /// How many modules deep it lies: `src/a/mod.rs` 1, `src/a/b.rs` 2.
    depth: usize,
    /// The text without comments, literals and test modules.
    code: String,
    /// The whole file is a test module.
    is_test: bool,
}

impl Source {
    /// The names that follow this beginning of a path, groups included.
    fn names_after(&self, beginning: &str) -> BTreeSet<String> {
        let starts = self.code.match_indices(beginning).map(|(at, _)| at);
        starts
            .filter(|at| !continues_a_name(&self.code, *at))
            .flat_map(|at| first_names(&self.code[at + beginning.len()..]))
            .collect()
    }

    /// Names that the code takes from the crate's root, by `crate::…`, `rollbook::…`, or enough `super::`.
    fn root_names(&self) -> BTreeSet<String> {
        let mut names = self.names_after("crate::");
        names.extend(self.names_after("rollbook::"));
        for (at, _) in self.code.match_indices("super::") {
            if self.code[..at].ends_with("super::") || continues_a_name(&self.code, at) {
                continue;
            }
            let mut rest = &self.code[at..];
            let mut steps = 0;
            while let Some(next) = rest.strip_prefix("super::") {
                (rest, steps) = (next, steps + 1);
            }
            if steps >= self.depth {
                names.extend(first_names(rest));
            }
        }
        names
    }
}

/// The first name of a path, or of each path of a `{…}` group.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut names, mut depth, mut start) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn row(module: &str) -> Option<&'static [&'static str]> {
    MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, uses)| *uses)
}

fn may_use(module: &str, used: &str) -> bool {
    row(module).is_some_and(|uses| uses.contains(&used))
}

/// All files under `src`.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(&root().join("src"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut found: Vec<Source> = paths.iter().map(|path| source(path)).collect();
    assert!(found.len() > 10, "the sources were not found");
    let tests: Vec<String> = paths.iter().flat_map(|path| test_files(path)).collect();
    for source in &mut found {
        if tests
            .iter()
            .any(|test| source.path == format!("{test}.rs") || source.path.starts_with(&format!("{test}/")))
        {
            source.is_test = true;
            source.code.clear();
        }
    }
    found
}

fn source(path: &Path) -> Source {
    let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut names: Vec<&str> = inside.iter().map(|name| name.to_str().unwrap()).collect();
    if names.len() > 1 && names.last() == Some(&"mod") {
        names.pop();
    }
    let top = matches!(names[0], "lib" | "main");
    Source {
        path: shown(path),
        module: names[0].to_owned(),
        depth: if top { 0 } else { names.len() },
        code: without_tests(&code(&fs::read_to_string(path).unwrap())),
        is_test: false,
    }
}

/// The files that `path` declares as `#[cfg(test)] mod name;`, without their endings.
fn test_files(path: &Path) -> Vec<String> {
    let code = code(&fs::read_to_string(path).unwrap());
    let folder = match path.file_stem().unwrap().to_str().unwrap() {
        "mod" | "lib" | "main" => path.parent().unwrap().to_owned(),
        stem => path.with_file_name(stem),
    };
    test_modules(&code)
        .filter(|(_, declaration)| declaration.ends_with(';'))
        .map(|(_, declaration)| {
            shown(&folder.join(declaration.trim_end_matches(';').rsplit(' ').next().unwrap()))
        })
        .collect()
}

/// Where `#[cfg(test)]` stands before a module, and that module's declaration up to its `;` or `{`.
fn test_modules(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices("#[cfg(test)]").filter_map(|(at, attribute)| {
        let rest = &code[at + attribute.len()..];
        let end = rest.find([';', '{'])?;
        let declaration = &rest[..=end];
        says(declaration, "mod").then_some((at, declaration.trim()))
    })
}

/// `code` without its inline test modules.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    loop {
        let found = test_modules(&kept).find(|(_, declaration)| declaration.ends_with('{'));
        let Some(at) = found.map(|(at, _)| at) else { return kept };
        let mut depth = 0;
        let end = kept[at..].char_indices().find_map(|(offset, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (c == '}' && depth == 0).then_some(at + offset + 1)
        });
        kept.replace_range(at..end.unwrap_or(kept.len()), "");
    }
}

/// `text` with comments and the insides of literals taken out, line by line as before.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hidden = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            literal(rest, &out).unwrap_or(0)
        };
        if hidden == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..hidden].chars().filter(|c| *c == '\n'));
            rest = &rest[hidden..];
        }
    }
    out
}

/// The length of the text or character literal that `rest` begins with.
fn literal(rest: &str, before: &str) -> Option<usize> {
    if let Some(raw) =
        rest.strip_prefix('r').filter(|_| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = 1 + hashes + 1;
            return Some(rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len()));
        }
    }
    if rest.starts_with('"') {
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return Some(at + 1),
                _ => {}
            }
        }
        return Some(rest.len());
    }
    let inside = rest.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map(|at| at + 4);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}

/// Whether `text` has `name` as whole words.
fn says(text: &str, name: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(joins) && !text[at + name.len()..].starts_with(joins))
}

fn continues_a_name(code: &str, at: usize) -> bool {
    code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
}

/// Relative targets of the links of a document.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap().to_owned())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The repository's texts with these endings.
fn texts(endings: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    let ending =
        |path: &Path| path.extension().map_or(String::new(), |ending| ending.to_string_lossy().into_owned());
    paths.retain(|path| endings.contains(&ending(path).as_str()));
    paths.iter().filter_map(|path| Some((shown(path), fs::read_to_string(path).ok()?))).collect()
}

/// The files below `folder`, without what `.gitignore` names.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Inputs of the fuzzer are any bytes.
        let ignored = [".git", "target", ".test", "node_modules", "__pycache__", "rollbook-data", "corpus"];
        if ignored.contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
    paths.sort();
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

#[track_caller]
fn none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}\n", wrong.join("\n"));
}

#[test]
fn the_reader_of_code_sees_what_it_should() {
    let text = "use crate::{store, wire::{a, b}}; // crate::http\nlet s = \"crate::cli\"; let q = '\"'; /* x */\n\
                use super::super::limits;\n#[cfg(test)]\nmod tests { fn f() { crate::actions::g(); } }\nlet l: &'a str;";
    let source = Source {
        path: String::new(),
        module: String::new(),
        depth: 2,
        code: without_tests(&code(text)),
        is_test: false,
    };
    let names: Vec<String> = source.root_names().into_iter().collect();
    assert_eq!(names, ["limits", "store", "wire"]);
    assert!(
        says("async fn f()", "async") && !says("asynchronous", "async") && !says("hyper_util::x", "hyper")
    );
    assert_eq!(links("[a](b.md#c) [d](https://e.org) [f](#g)"), ["b.md"]);
}
