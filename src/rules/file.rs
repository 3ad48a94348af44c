//! The rules' files: from YAML text to one document whose places are known.
//!
//! Owns: reading a directory, placeholders, duplicate keys, merging files, positions. The only
//! file that names the YAML crate, and the only one of the core that touches the file system.
//! Never: knows what the keys mean ([`super::shape`] does).
//!
//! The YAML crate lets the last of two equal keys win and forgets positions, so keys are read by
//! a visitor of ours, and the place of a key path is found by reading the text again and failing
//! on purpose there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use crate::rules::group::Secret;
use crate::rules::problem::{KeyPath, Position, Problem, Severity, Step};

/// One file's name (as it is shown in problems) and its text.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
}

/// All files as one document.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub root: Json,
    /// A file could not be read as YAML.
    pub incomplete: bool,
    sources: Vec<Source>,
    /// Which source a merged path came from.
    origins: BTreeMap<KeyPath, usize>,
}

/// A file larger than this isn't read.
const LARGEST_FILE: u64 = 16 << 20;

/// Maps whose entries may be spread over files. `*` stands for any name.
const SPREAD: [&[&str]; 8] = [
    &[],
    &["groups"],
    &["users"],
    &["schemas"],
    &["schemas", "*"],
    &["schemas", "*", "tables"],
    &["schemas", "*", "databases"],
    &["schemas", "*", "tddl_groups"],
];

/// Reads every `*.yaml` and `*.yml` directly in a directory, in the order of their names.
pub fn read_dir(directory: &Path) -> (Document, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    let failed = |name: &Path, error: String| Problem {
        position: Position { file: name.display().to_string(), line: 0, column: 0 },
        ..Problem::error(&KeyPath::root(), error)
    };
    let mut paths = match std::fs::read_dir(directory) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect::<Vec<_>>(),
        Err(error) => {
            return (
                Document::default(),
                vec![failed(directory, format!("can't be read: {error}"))],
            );
        }
    };
    let is_yaml = |path: &std::path::PathBuf| {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        !hidden
            && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
    };
    paths.retain(is_yaml);
    paths.sort();
    if paths.is_empty() {
        problems.push(failed(directory, "there is no *.yaml file".to_string()));
    }
    for path in paths {
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if size > LARGEST_FILE {
            problems.push(failed(&path, format!("has {size} bytes; the limit is {LARGEST_FILE}")));
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => sources.push(Source { name: path.display().to_string(), text }),
            Err(error) => problems.push(failed(&path, format!("can't be read: {error}"))),
        }
    }
    let (document, found) = read(sources, &|name| std::env::var(name).ok());
    problems.extend(found);
    (document, problems)
}

/// Reads texts. `variable` answers the placeholders `${NAME}` and `${NAME:-default}`.
pub fn read(
    sources: Vec<Source>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> (Document, Vec<Problem>) {
    let mut document = Document {
        root: Json::Object(Map::new()),
        incomplete: false,
        sources,
        origins: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    for index in 0..document.sources.len() {
        let Some(source) = document.sources.get(index) else { continue };
        let findings = RefCell::new(Findings::default());
        let seed = Node { path: KeyPath::root(), findings: &findings, variable };
        let parsed = seed.deserialize(serde_yaml::Deserializer::from_str(&source.text));
        let Findings { problems: mut found, .. } = findings.into_inner();
        let mut root = match parsed {
            Ok(Json::Null) => Map::new(),
            Ok(Json::Object(root)) => root,
            Ok(_) => {
                found.push(Problem::error(&KeyPath::root(), "the file holds no map of keys"));
                Map::new()
            }
            Err(error) => {
                document.incomplete = true;
                found.push(syntax_problem(&source.name, &error));
                Map::new()
            }
        };
        for problem in &mut found {
            if problem.position.line == 0 {
                problem.position = source.locate(&problem.path);
            }
        }
        problems.append(&mut found);
        let mut target = std::mem::take(&mut document.root);
        if let Json::Object(target) = &mut target {
            document.merge(target, &mut root, &KeyPath::root(), index, &mut problems);
        }
        document.root = target;
    }
    (document, problems)
}

fn syntax_problem(file: &str, error: &serde_yaml::Error) -> Problem {
    let position = match error.location() {
        Some(location) => {
            Position { file: file.to_string(), line: location.line(), column: location.column() }
        }
        None => Position { file: file.to_string(), line: 0, column: 0 },
    };
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_string();
    Problem { position, ..Problem::error(&KeyPath::root(), format!("not valid YAML: {message}")) }
}

impl Document {
    /// Moves a file's keys into the document. Only the maps of [`SPREAD`] may come from several.
    fn merge(
        &mut self,
        target: &mut Map<String, Json>,
        source: &mut Map<String, Json>,
        path: &KeyPath,
        index: usize,
        problems: &mut Vec<Problem>,
    ) {
        for (key, mut value) in std::mem::take(source) {
            let path = path.key(&key);
            match (target.get_mut(&key), &mut value) {
                (None, _) => {
                    self.origins.insert(path, index);
                    target.insert(key, value);
                }
                (Some(Json::Object(old)), Json::Object(new)) if is_spread(&path) => {
                    let mut old = std::mem::take(old);
                    self.merge(&mut old, new, &path, index, problems);
                    target.insert(key, Json::Object(old));
                }
                _ => {
                    let first = self.locate(&path);
                    let here =
                        self.sources.get(index).map_or_else(Position::default, |s| s.locate(&path));
                    let problem =
                        Problem::error(&path, format!("'{key}' is defined a second time"))
                            .help(format!("the first time is {first}; keep one of them"));
                    problems.push(Problem { position: here, ..problem });
                }
            }
        }
    }

    /// Where a path stands. Where the path itself isn't written, its nearest parent.
    pub fn locate(&self, path: &KeyPath) -> Position {
        let mut steps = path.0.as_slice();
        loop {
            if let Some(source) = self
                .origins
                .get(&KeyPath(steps.to_vec()))
                .and_then(|&index| self.sources.get(index))
            {
                return source.locate(path);
            }
            match steps.split_last() {
                Some((_, rest)) => steps = rest,
                None => break,
            }
        }
        let file = match self.sources.as_slice() {
            [only] => only.name.clone(),
            _ => String::new(),
        };
        Position { file, line: 0, column: 0 }
    }

    /// Gives each problem its position.
    pub fn place(&self, problems: &mut [Problem]) {
        for problem in problems {
            if problem.position == Position::default() {
                problem.position = self.locate(&problem.path);
            }
        }
    }
}

fn is_spread(path: &KeyPath) -> bool {
    SPREAD.iter().any(|pattern| {
        pattern.len() == path.0.len()
            && pattern.iter().zip(&path.0).all(|(expected, step)| match step {
                Step::Key(key) => *expected == "*" || expected == key,
                Step::Index(_) => false,
            })
    })
}

impl Source {
    fn locate(&self, path: &KeyPath) -> Position {
        let mut steps = path.0.as_slice();
        loop {
            if let Some((line, column)) = self.find(steps) {
                return Position { file: self.name.clone(), line, column };
            }
            match steps.split_last() {
                Some((_, rest)) => steps = rest,
                None => return Position { file: self.name.clone(), line: 1, column: 1 },
            }
        }
    }

    /// Line and column of the key (or list item) that a path ends in.
    fn find(&self, steps: &[Step]) -> Option<(usize, usize)> {
        let error =
            Find { steps }.deserialize(serde_yaml::Deserializer::from_str(&self.text)).err()?;
        if !error.to_string().contains(FOUND) {
            return None;
        }
        error.location().map(|location| (location.line(), location.column()))
    }
}

/// What the failing reader says at the place that was looked for.
const FOUND: &str = "weir:found";

/// Walks to a path and fails there, so that the reader's error tells line and column.
struct Find<'a> {
    steps: &'a [Step],
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Find<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An empty path that meets a scalar ends here, with the scalar's position.
        f.write_str(FOUND)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.steps.split_first() else {
            return Err(A::Error::custom(if self.steps.is_empty() { FOUND } else { "not here" }));
        };
        while let Some(hit) = map.next_key_seed(FindKey { wanted, last: rest.is_empty() })? {
            if hit {
                return map.next_value_seed(Find { steps: rest });
            }
            map.next_value::<serde::de::IgnoredAny>()?;
        }
        Err(A::Error::custom("not here"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.steps.split_first() else {
            return Err(A::Error::custom(if self.steps.is_empty() { FOUND } else { "not here" }));
        };
        for _ in 0..*wanted {
            if seq.next_element::<serde::de::IgnoredAny>()?.is_none() {
                return Err(A::Error::custom("not here"));
            }
        }
        seq.next_element_seed(Find { steps: rest })?;
        Err(A::Error::custom("not here"))
    }
}

/// A key: whether it is the wanted one; fails on it where the path ends there.
struct FindKey<'a> {
    wanted: &'a str,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for FindKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FindKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.wanted, self.last) {
            (true, true) => Err(E::custom(FOUND)),
            (hit, _) => Ok(hit),
        }
    }
}

/// What reading one file turned up.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
}

/// Reads any YAML into JSON, noting duplicate keys and filling in placeholders.
struct Node<'a> {
    path: KeyPath,
    findings: &'a RefCell<Findings>,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Node<'_> {
    fn note(&self, problem: Problem) {
        self.findings.borrow_mut().problems.push(problem);
    }

    fn text(&self, text: &str) -> Json {
        match fill(text, self.variable) {
            Ok(text) => Json::String(text),
            Err(message) => {
                let help = "set it, or give a default: ${NAME:-default}";
                self.note(Problem::error(&self.path, message).help(help));
                Json::String(text.to_string())
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::from(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::from(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::from(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(self.text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = self.path.index(items.len());
            let seed = Node { path, findings: self.findings, variable: self.variable };
            match seq.next_element_seed(seed)? {
                Some(item) => items.push(item),
                None => return Ok(Json::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = map.next_key_seed(KeyText)? {
            let path = self.path.key(&key);
            let seed =
                Node { path: path.clone(), findings: self.findings, variable: self.variable };
            if entries.contains_key(&key) {
                self.note(
                    Problem::error(&path, format!("'{key}' is written twice in this map"))
                        .help("keep one of them; the first one is shown here"),
                );
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            let value = map.next_value_seed(seed)?;
            entries.insert(key, value);
        }
        Ok(Json::Object(entries))
    }
}

/// A key of any scalar kind, as text: a user may be called 42.
struct KeyText;

impl<'de> DeserializeSeed<'de> for KeyText {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text as the key")
    }
    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.to_string())
    }
}

/// Fills in `${NAME}` and `${NAME:-default}`; `$${` stands for a `${` that is meant so.
fn fill(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after.get(2..).unwrap_or("");
            continue;
        }
        filled.push_str(before);
        let after = after.get(2..).unwrap_or("");
        let end = after.find('}').ok_or_else(|| format!("a placeholder in '{text}' has no end"))?;
        let (inside, tail) = after.split_at(end);
        rest = tail.get(1..).unwrap_or("");
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let valid =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !valid {
            return Err(format!("'${{{inside}}}' names no environment variable"));
        }
        match (variable(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => filled.push_str(&value),
            (None, Some(default)) => filled.push_str(default),
            (None, None) => return Err(format!("the environment variable {name} is not set")),
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Reads the secret that a rule points to.
///
/// # Errors
/// A sentence that names the variable or file, never its contents.
pub fn read_secret(secret: &Secret) -> Result<String, String> {
    match secret {
        Secret::None => Ok(String::new()),
        Secret::Env(name) => std::env::var(&**name)
            .map_err(|_| format!("the environment variable {name} is not set, or not UTF-8")),
        Secret::File(path) => std::fs::read_to_string(path)
            .map(|text| text.trim_end_matches(['\r', '\n']).to_string())
            .map_err(|error| format!("{} can't be read: {error}", path.display())),
    }
}

/// Whether any of the problems is an error.
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}
