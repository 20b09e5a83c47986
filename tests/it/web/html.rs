//! Reads pages as strictly as they are written: every element is closed where it should be, every attribute quoted.
//! Browsers forgive more; what they would have to mend is a mistake here.

use std::collections::{BTreeSet, HashMap};

/// One element. The first is `html`; parents come before their children.
#[derive(Debug, Clone, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) parent: Option<usize>,
    /// All text inside, that of its descendants too.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    /// The element as a message shows it.
    fn shown(&self) -> String {
        let attributes = self.attributes.iter().map(|(name, value)| format!(" {name}={value:?}"));
        format!("<{}{}>", self.name, attributes.collect::<String>())
    }
}

/// Elements without an end.
const VOID: &[&str] = &["br", "col", "hr", "img", "input", "link", "meta", "wbr"];
/// Elements whose begin ends a paragraph, wherever its end stands.
const BLOCKS: &[&str] = &[
    "article", "aside", "details", "div", "dl", "fieldset", "figure", "footer", "form", "h1", "h2", "h3",
    "h4", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul",
];
/// What one can click or type into; none may be inside of another.
const CONTROLS: &[&str] = &["a", "button", "input", "select", "textarea", "summary"];

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) elements: Vec<Element>,
    /// Each run of text, with the element that it is in.
    texts: Vec<(usize, String)>,
}

struct Reader<'a> {
    rest: &'a str,
    page: Page,
    open: Vec<usize>,
}

/// The elements of a page, or where reading it ended and why.
pub(crate) fn read(text: &str) -> Result<Page, String> {
    let rest = text.strip_prefix("<!DOCTYPE html>").ok_or("it does not begin with <!DOCTYPE html>")?;
    let mut reader = Reader { rest, page: Page::default(), open: Vec::new() };
    while !reader.rest.is_empty() {
        if let Err(why) = reader.step() {
            return Err(format!("{why}, before {:?}", reader.rest.chars().take(60).collect::<String>()));
        }
    }
    match reader.open.last() {
        Some(open) => Err(format!("<{}> is not closed", reader.page.elements[*open].name)),
        None => Ok(reader.page),
    }
}

impl Reader<'_> {
    fn step(&mut self) -> Result<(), String> {
        let Some(tag) = self.rest.strip_prefix('<') else {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            let text = unescaped(text)?;
            if self.open.is_empty() && !text.trim().is_empty() {
                return Err("text outside of <html>".to_owned());
            }
            for element in &self.open {
                self.page.elements[*element].text.push_str(&text);
            }
            self.page.texts.extend(self.open.last().map(|element| (*element, text)));
            self.rest = rest;
            return Ok(());
        };
        if let Some(tag) = tag.strip_prefix('/') {
            let (name, rest) = tag.split_once('>').ok_or("an end tag without end")?;
            let open = self.open.pop().ok_or(format!("</{name}> closes nothing"))?;
            let expected = &self.page.elements[open].name;
            if expected != name {
                return Err(format!("</{name}> where <{expected}> is open"));
            }
            self.rest = rest;
            return Ok(());
        }
        self.rest = tag;
        self.begin()
    }

    fn begin(&mut self) -> Result<(), String> {
        let name = self.name()?;
        let mut element = Element { name, parent: self.open.last().copied(), ..Element::default() };
        let is_closed = loop {
            let trimmed = self.rest.trim_start();
            let has_space = trimmed.len() < self.rest.len();
            self.rest = trimmed;
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                break true;
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break VOID.contains(&element.name.as_str());
            }
            if !has_space {
                return Err(format!("<{}> has attributes without space between them", element.name));
            }
            let (name, value) = self.attribute()?;
            if element.attribute(&name).is_some() {
                return Err(format!("<{}> has two attributes {name}", element.name));
            }
            element.attributes.push((name, value));
        };
        self.page.elements.push(element);
        if !is_closed {
            self.open.push(self.page.elements.len() - 1);
        }
        Ok(())
    }

    fn name(&mut self) -> Result<String, String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '_');
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name.is_empty() { Err("a name is missing".to_owned()) } else { Ok(name.to_owned()) }
    }

    fn attribute(&mut self) -> Result<(String, String), String> {
        let name = self.name()?;
        let Some(rest) = self.rest.strip_prefix('=') else { return Ok((name, String::new())) };
        let quoted = rest.strip_prefix('"').ok_or(format!("{name} is not quoted"))?;
        let (value, rest) = quoted.split_once('"').ok_or(format!("{name} has no end"))?;
        if value.contains('<') {
            return Err(format!("{name} holds a `<`"));
        }
        self.rest = rest;
        Ok((name, unescaped(value)?))
    }
}

/// Text as it is meant.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').ok_or("an `&` that is not escaped")?;
        let meant = match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => return Err(format!("&{other}; is none that we write")),
        };
        out.push_str(before);
        out.push(meant);
        rest = after;
    }
    if rest.contains('>') {
        return Err("a `>` that is not escaped".to_owned());
    }
    out.push_str(rest);
    Ok(out)
}

impl Page {
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// The element and what it is in, from the inside out.
    fn line<'p>(&'p self, element: &'p Element) -> impl Iterator<Item = &'p Element> {
        std::iter::successors(Some(element), |one| one.parent.map(|parent| &self.elements[parent]))
    }

    /// Addresses: of links, of files, of forms that ask.
    pub(crate) fn addresses(&self) -> BTreeSet<&str> {
        let links =
            self.elements.iter().filter_map(|one| one.attribute("href").or_else(|| one.attribute("src")));
        let asks = |form: &&Element| form.attribute("method").is_none();
        links.chain(self.all("form").filter(asks).filter_map(|form| form.attribute("action"))).collect()
    }

    /// All that is wrong with it.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_document(&mut faults);
        self.check_headings(&mut faults);
        let ids = self.check_ids(&mut faults);
        for element in &self.elements {
            let mut fault = |what: &str| faults.push(format!("{} {what}", element.shown()));
            self.check_policy(element, &mut fault);
            self.check_nesting(element, &mut fault);
            self.check_names(element, &ids, &mut fault);
        }
        faults
    }

    fn check_document(&self, faults: &mut Vec<String>) {
        let lang = self.elements.first().and_then(|html| html.attribute("lang"));
        if !lang.is_some_and(|lang| ["en", "zh-CN"].contains(&lang)) {
            faults.push(format!("<html> has the language {lang:?}"));
        }
        for (name, expected) in [("html", 1), ("head", 1), ("body", 1), ("title", 1), ("main", 1), ("h1", 1)]
        {
            // Parts of a picture have titles too.
            let is_drawn = |one: &Element| self.line(one).any(|up| up.name == "svg");
            let count = self.all(name).filter(|one| !one.text.trim().is_empty() && !is_drawn(one)).count();
            if count != expected {
                faults.push(format!("{count} <{name}> with text"));
            }
        }
    }

    fn check_headings(&self, faults: &mut Vec<String>) {
        let mut last = 0;
        for heading in self.elements.iter().filter(|one| one.is(&["h1", "h2", "h3", "h4", "h5", "h6"])) {
            let level = heading.name[1..].parse::<u32>().unwrap();
            if level > last + 1 {
                faults.push(format!(
                    "{} {:?} follows a heading of level {last}",
                    heading.shown(),
                    heading.text
                ));
            }
            last = level;
        }
    }

    fn check_ids(&self, faults: &mut Vec<String>) -> HashMap<&str, usize> {
        let mut ids: HashMap<&str, usize> = HashMap::new();
        for id in self.elements.iter().filter_map(|one| one.attribute("id")) {
            *ids.entry(id).or_default() += 1;
        }
        faults.extend(
            ids.iter().filter(|(_, count)| **count > 1).map(|(id, count)| format!("id {id:?} × {count}")),
        );
        faults
            .extend(ids.keys().filter(|id| id.is_empty() || id.contains(' ')).map(|id| format!("id {id:?}")));
        ids
    }

    /// What the content security policy forbids, and what would leave this host.
    fn check_policy(&self, element: &Element, fault: &mut dyn FnMut(&str)) {
        if element.is(&["style", "iframe", "object", "embed", "base", "applet"]) {
            fault("is not allowed");
        }
        if element.name == "script" && (element.attribute("src").is_none() || !element.text.is_empty()) {
            fault("has a script inside");
        }
        for (name, value) in &element.attributes {
            if name == "style" || name.starts_with("on") || name == "srcset" || name == "ping" {
                fault(&format!("has {name}"));
            }
            let is_address = ["href", "src", "action", "formaction", "poster", "xlink:href", "data"];
            let is_ours = value.starts_with("/ui/")
                || value.starts_with('#')
                || value.starts_with('?')
                || value == "/client/rollbook.js";
            if is_address.contains(&name.as_str()) && !is_ours {
                fault("leads to no page of ours");
            }
        }
    }

    fn check_nesting(&self, element: &Element, fault: &mut dyn FnMut(&str)) {
        let parent = element.parent.map_or("", |parent| self.elements[parent].name.as_str());
        let within = |names: &[&str]| self.line(element).skip(1).any(|one| one.is(names));
        if element.is(BLOCKS) && within(&["p"]) {
            fault("is inside of <p>, which it ends");
        }
        if element.is(BLOCKS)
            && within(&["span", "bdi", "button", "summary"])
            && !element.is(&["h1", "h2", "h3"])
        {
            fault("is inside of text");
        }
        if element.is(CONTROLS) && within(&["a", "button", "summary"]) {
            fault("is inside of another control");
        }
        let parents: &[&str] = match element.name.as_str() {
            "form" if within(&["form"]) => &["no form"],
            "tr" => &["thead", "tbody", "tfoot"],
            "td" | "th" => &["tr"],
            "thead" | "tbody" | "tfoot" | "caption" | "colgroup" => &["table"],
            "li" => &["ul", "ol"],
            "dt" | "dd" => &["dl", "div"],
            "option" => &["select", "optgroup", "datalist"],
            "summary" => &["details"],
            "head" | "body" => &["html"],
            _ => return,
        };
        if !parents.contains(&parent) {
            fault(&format!("is inside of <{parent}>"));
        }
    }

    /// What one who does not see the page is told of it.
    fn check_names(&self, element: &Element, ids: &HashMap<&str, usize>, fault: &mut dyn FnMut(&str)) {
        for name in ["for", "aria-labelledby", "aria-describedby", "aria-controls", "list"] {
            let named = element.attribute(name).unwrap_or_default();
            if named.split_whitespace().any(|id| !ids.contains_key(id)) {
                fault(&format!("names an id by {name} that is not there"));
            }
        }
        let target = element.attribute("href").and_then(|href| href.strip_prefix('#'));
        if target.is_some_and(|id| !ids.contains_key(id)) {
            fault("leads to an id that is not there");
        }
        let is_said = |one: &Element| {
            !one.text.trim().is_empty()
                || ["aria-label", "aria-labelledby"]
                    .iter()
                    .any(|name| one.attribute(name).is_some_and(|v| !v.is_empty()))
        };
        let is_labelled = || {
            let own = self.line(element).any(|one| one.name == "label" && !one.text.trim().is_empty());
            let by_id = self.all("label").any(|label| {
                element.attribute("id").is_some_and(|id| label.attribute("for") == Some(id)) && is_said(label)
            });
            own || by_id
                || ["aria-label", "aria-labelledby"].iter().any(|name| element.attribute(name).is_some())
        };
        let has_th = || self.all("th").any(|th| self.line(th).any(|one| std::ptr::eq(one, element)));
        let kind = element.attribute("type").unwrap_or("text");
        let is_right = match element.name.as_str() {
            "input" => ["hidden", "submit"].contains(&kind) || is_labelled(),
            "select" | "textarea" => is_labelled(),
            "a" | "button" | "summary" | "option" | "th" | "h1" | "h2" | "h3" | "nav" => is_said(element),
            "table" => has_th(),
            "img" => element.attribute("alt").is_some(),
            "svg" => {
                element.attribute("aria-hidden") == Some("true") || element.attribute("role") == Some("img")
            }
            "canvas" => element.attribute("aria-hidden") == Some("true") || is_said(element),
            _ => true,
        };
        if !is_right {
            fault("has no name for who does not see it");
        }
    }

    /// Words of the page's own that are in Latin letters only: those of a page in Chinese were forgotten.
    pub(crate) fn latin<'p>(&'p self, known: &[&str]) -> Vec<&'p str> {
        let spoken =
            ["h1", "h2", "h3", "th", "label", "button", "summary", "legend", "option", "dt", "figcaption"];
        let is_cjk = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
        let is_data = |element: &Element| {
            self.elements.iter().any(|one| {
                ["bdi", "kbd", "code"].contains(&one.name.as_str())
                    && self.line(one).any(|outer| std::ptr::eq(outer, element))
            })
        };
        let words =
            self.elements.iter().filter(|one| one.is(&spoken) && !is_data(one)).map(|one| one.text.trim());
        words
            .filter(|text| text.chars().any(char::is_alphabetic) && !text.chars().any(is_cjk))
            .filter(|text| !known.contains(text))
            .collect()
    }

    /// Sentences in English: text, or what an attribute says, with three words of small letters in a row. Programs, names
    /// of the wire and what people wrote are none.
    pub(crate) fn english(&self, known: &[String]) -> Vec<&str> {
        let is_quoted = |element: &Element| {
            self.line(element).any(|one| {
                one.is(&["code", "pre", "bdi", "kbd", "script"])
                    || one.attribute("class").is_some_and(|class| class.split(' ').any(|name| name == "mono"))
            })
        };
        let is_word = |word: &str| {
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())
        };
        let is_sentence = |text: &&str| {
            let text = known.iter().fold((*text).to_owned(), |text, name| text.replace(name, " – "));
            let mut in_a_row = 0;
            text.split_whitespace().any(|word| {
                in_a_row = if is_word(word) { in_a_row + 1 } else { 0 };
                in_a_row == 3
            })
        };
        let texts = self.texts.iter().map(|(element, text)| (&self.elements[*element], text.as_str()));
        let says = |name: &str| {
            ["alt", "aria-label", "aria-description", "placeholder", "title"].contains(&name)
                || name.starts_with("data-") && name != "data-words"
        };
        let said = self.elements.iter().flat_map(|element| {
            let said = element.attributes.iter().filter(|(name, _)| says(name));
            said.map(move |(_, value)| (element, value.as_str()))
        });
        texts
            .chain(said)
            .filter(|(element, _)| !is_quoted(element))
            .map(|(_, text)| text)
            .filter(is_sentence)
            .collect()
    }
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let page = |body: &str| {
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>t</title></head><body><main><h1>x</h1>{body}</main></body></html>"
        )
    };
    let check = |body: &str, part: &str| {
        let found = read(&page(body)).map_or_else(|error| vec![error], |page| page.faults());
        assert!(found.len() == 1 && found[0].contains(part), "{body}: {found:?}");
    };
    assert_eq!(read(&page("<p>a &amp; <b>b</b><br></p>")).unwrap().faults(), Vec::<String>::new());
    check("<p>", "</main> where <p> is open");
    check("<p></b></p>", "</b> where <p> is open");
    check("a & b", "not escaped");
    check("a > b", "not escaped");
    check("<a href=/ui/>x</a>", "not quoted");
    check("<p id=\"a\"></p><p id=\"a\"></p>", "× 2");
    check("<p style=\"color:red\"></p>", "has style");
    check("<p onclick=\"x\"></p>", "has onclick");
    check("<script>x</script>", "script inside");
    check("<script src=\"//evil.example/x.js\"></script>", "no page of ours");
    check("<a href=\"https://evil.example\">x</a>", "no page of ours");
    check("<a href=\"javascript:x\">x</a>", "no page of ours");
    check("<a href=\"#there\">x</a>", "not there");
    check("<a href=\"/ui/\"></a>", "no name");
    check("<input name=\"q\">", "no name");
    check("<label><input name=\"q\"></label>", "no name");
    check("<table><tbody><tr><td>x</td></tr></tbody></table>", "no name");
    check("<table><tr><th>x</th></tr></table>", "is inside of <table>");
    check("<h3>x</h3>", "level 1");
    check("<h1>x</h1>", "2 <h1>");
    check("<p><div>x</div></p>", "which it ends");
    check("<button><a href=\"/ui/\">x</a></button>", "another control");
    check("<svg></svg>", "no name");
    check("<label for=\"x\">y</label>", "not there");
    let chinese = read(&page("<h2>用户</h2><h2>Users</h2><h2><bdi>bob</bdi></h2>")).unwrap();
    assert_eq!(chinese.latin(&["x"]), ["Users"]);
    let english = |body: &str| read(&page(body)).unwrap().english(&["a b c".to_owned()]).len();
    assert_eq!(english("<p>用户 <b>who was there.</b></p><p aria-label=\"one of them\"></p>"), 2);
    assert_eq!(
        english(
            "<p>SDK of AKIDx, <code>all that is</code> uint64 <bdi>a b c</bdi> 用 all of 户</p><p title=\"a b c\"></p>"
        ),
        0
    );
}
