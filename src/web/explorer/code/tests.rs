//! Every language: a usual request as a file under `tests/golden`, and values that try to get out of their literals.

use std::path::Path;

use super::*;
use crate::actions::Action;
use crate::limits::Secret;
use crate::web::explorer::form::Signer;
use crate::web::explorer::request::Verb;
use crate::web::explorer::request::{Endpoint, Scheme};
use crate::web::explorer::sign::{self, Moment};

fn render(action: &str, values: &[(&str, Value)], scheme: Scheme, verb: Verb) -> Vec<String> {
    render_in(Lang::En, action, values, scheme, verb)
}

fn render_in(lang: Lang, action: &str, values: &[(&str, Value)], scheme: Scheme, verb: Verb) -> Vec<String> {
    let action = Action::find(action).unwrap();
    let param = |name: &str| action.params.iter().find(|param| param.name == name).unwrap();
    let request = Request {
        action,
        values: values.iter().map(|(name, value)| (param(name), value.clone())).collect(),
        region: "ap-guangzhou".into(),
        scheme,
        verb,
        endpoint: Endpoint { is_tls: false, host: "127.0.0.1:9180".into() },
    };
    let signer = Signer {
        secret_id: "AKIDgolden".into(),
        secret_key: Secret::new("golden"),
        token: Secret::new(""),
        is_stored: true,
    };
    let at = Moment { timestamp_s: 1_795_380_421, nonce: 7 };
    let signed = sign::sign(&request, &signer, at, None);
    let modern = request.modern();
    let sample = Sample {
        lang,
        request: &modern,
        old_name: action.is_old().then_some(action.name),
        signed: &signed,
        holds_until: "2026-11-22 20:52:01 UTC",
    };
    LANGUAGES.iter().map(|language| language.render(&sample)).collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a test has no command line of its own to be told by")]
fn check(name: &str, samples: &[String]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    for (language, sample) in LANGUAGES.iter().zip(samples) {
        let path = folder.join(format!("{}.txt", language.id));
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, sample).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(*sample, golden, "{name}/{}.txt; run with UPDATE=1 and look at what changed", language.id);
    }
}

/// What tries to get out of a literal in one language or another.
const HOSTILE: &str = "a\"b'c\\d\ne\tf$HOME`id`#{1}${2}%s??/*李😀\u{202e}</script>\\";

#[test]
fn samples_of_a_usual_request() {
    let users = Value::Texts(vec!["user1_54816741".into(), "user2_2107025".into()]);
    let values = [
        ("CommId", text("1400188366_218695_1590065777")),
        ("StartTime", Value::Number(1_590_065_777)),
        ("EndTime", Value::Number(1_590_065_877)),
        ("SdkAppId", Value::Number(1_400_188_366)),
        ("UserIds", users),
        ("PageNumber", Value::Number(0)),
        ("PageSize", Value::Number(6)),
    ];
    check("usual", &render("DescribeUserInfo", &values, Scheme::Tc3, Verb::Post));
}

#[test]
fn samples_of_an_old_name_by_version_1() {
    let values = [
        ("SdkAppId", text("1400188366")),
        ("StartTime", Value::Number(1_590_065_777)),
        ("EndTime", text("soon")),
        ("RoomId", text("lobby")),
    ];
    check("old", &render("DescribeRoomInformation", &values, Scheme::Sha256, Verb::Get));
}

#[test]
fn comments_speak_the_language_of_the_page() {
    let values = [("SdkAppId", text("1400188366")), ("EndTime", text("{1}"))];
    let said = |lang| render_in(lang, "DescribeRoomInformation", &values, Scheme::Sha256, Verb::Get);
    for ((language, en), zh) in LANGUAGES.iter().zip(said(Lang::En)).zip(said(Lang::Zh)) {
        let comments = |code: &str| {
            let lines = code.lines().filter(|line| line.trim_start().starts_with(language.comment));
            lines.filter(|line| !line.contains(" install ")).map(str::to_owned).collect::<Vec<_>>()
        };
        let is_cjk = |c: char| ('\u{3400}'..='\u{9fff}').contains(&c);
        assert!(comments(&en).iter().all(|line| !line.contains(is_cjk)), "{en}");
        let chinese = comments(&zh).into_iter().filter(|line| line.contains(is_cjk)).count();
        assert!(chinese > 0 && !zh.contains("SDKs") && !zh.contains("holds until"), "{}: {zh}", language.id);
        assert!(!zh.contains("is of type"), "{zh}");
    }
}

#[test]
fn samples_of_hostile_values() {
    let users = Value::Texts(vec![HOSTILE.into(), "'; DROP".into()]);
    let values = [("CommId", text(HOSTILE)), ("StartTime", text(HOSTILE)), ("UserIds", users)];
    check("hostile", &render("DescribeUserInfo", &values, Scheme::Tc3, Verb::Post));
}

/// Reads a literal back, as its language does, as far as samples use it.
fn read_back(literal: &str, is_java: bool) -> String {
    let inside = literal.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    let mut bytes = Vec::new();
    let mut rest = inside.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend(c.to_string().bytes());
            continue;
        }
        match rest.next().unwrap() {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'u' => {
                let digits: String = rest.by_ref().take(4).collect();
                let c = char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap();
                assert!(!is_java || u32::from(c) >= 0x80, "Java reads it before the literal");
                bytes.extend(c.to_string().bytes());
            }
            c @ '0'..='7' => {
                let digits: String = std::iter::once(c).chain(rest.by_ref().take(2)).collect();
                bytes.push(u8::from_str_radix(&digits, 8).unwrap());
            }
            c => bytes.extend(c.to_string().bytes()),
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn literals_are_read_back_as_they_were() {
    let every_control: String = (0..=0xa0).filter_map(char::from_u32).collect();
    for given in
        [HOSTILE, "", "\\", "\"", "\\u0041", "??/??'", "\u{0}7\u{7f}9", "\u{feff}\u{2028}", &every_control]
    {
        for escapes in [Escapes::Unicode, Escapes::Go, Escapes::Java, Escapes::Bytes] {
            let written = literal(given, escapes);
            assert_eq!(read_back(&written, escapes == Escapes::Java), given, "{written}");
            assert!(!written.contains(is_unseen), "{written}");
        }
        let json: String = serde_json::from_str(&literal(given, Escapes::Unicode)).unwrap();
        assert_eq!(json, given);
        let written = single(given);
        let mut read = String::new();
        let mut inside = written[1..written.len() - 1].chars();
        while let Some(c) = inside.next() {
            assert_ne!(c, '\'', "it ends where it should not");
            read.push(if c == '\\' { inside.next().unwrap() } else { c });
        }
        assert_eq!(read, given);
    }
    assert_eq!(shell("it's $HOME `x`\\"), "'it'\\''s $HOME `x`\\'");
}

#[test]
fn colours_change_nothing_of_the_text() {
    let users = Value::Texts(vec![HOSTILE.into()]);
    let values = [("CommId", text(HOSTILE)), ("UserIds", users)];
    let samples = render("DescribeUserInfo", &values, Scheme::Tc3, Verb::Post);
    for (language, sample) in LANGUAGES.iter().zip(&samples) {
        let markup = colour(language, sample).into_string();
        let mut plain = String::new();
        let mut rest = markup.as_str();
        while let Some(at) = rest.find('<') {
            plain.push_str(&rest[..at]);
            rest = &rest[at + rest[at..].find('>').unwrap() + 1..];
        }
        plain.push_str(rest);
        let plain =
            plain.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        assert_eq!(plain, *sample, "{}", language.id);
        assert!(markup.contains("class=\"t\"") || language.id == "http", "{}", language.id);
    }
}
