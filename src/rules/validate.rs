//! The document against the shapes: unknown keys, missing ones, wrong kinds, all at once.
//!
//! Owns: a walk of the document along the JSON Schema that the shapes generate. Never: knows a key
//! by name, so that schema and check can't differ.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

use crate::rules::problem::{KeyPath, Problem, suggestion};

/// The JSON Schema of the rules, for editors.
pub fn schema() -> Json {
    let mut schema = schemars::schema_for!(crate::rules::shape::RulesShape).to_value();
    if let Json::Object(schema) = &mut schema {
        schema.insert("title".to_string(), Json::from("Weir rules"));
    }
    schema
}

/// Every place where the document isn't shaped as the schema says.
pub fn validate(document: &Json) -> Vec<Problem> {
    static SCHEMA: LazyLock<Json> = LazyLock::new(schema);
    let mut walk = Walk { root: &SCHEMA, problems: Vec::new() };
    walk.value(document, &SCHEMA, &KeyPath::root());
    walk.problems
}

struct Walk<'a> {
    root: &'a Json,
    problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &Json, schema: &'a Json, path: &KeyPath) {
        let schema = self.resolve(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
            self.any_of(value, choices, path);
            return;
        }
        let words = constants(schema);
        if let (false, Some(written)) = (words.is_empty(), value.as_str()) {
            if !words.contains(&written) {
                let help = suggestion(written, words.iter().copied());
                let message = format!("'{written}' is not one of the choices");
                self.problems.push(Problem::error(path, message).help(help));
            }
            return;
        }
        let kinds = kinds(schema);
        if !kinds.is_empty() && !kinds.iter().any(|kind| is_kind(value, kind)) {
            self.wrong_kind(value, &kinds, path);
            return;
        }
        match value {
            Json::Object(map) => self.object(map, schema, path),
            Json::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.value(item, item_schema, &path.index(index));
                    }
                }
            }
            Json::Number(_) => self.range(value, schema, path),
            _ => {}
        }
    }

    fn object(&mut self, map: &Map<String, Json>, schema: &'a Json, path: &KeyPath) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let additional = schema.get("additionalProperties");
        for (key, value) in map {
            match (properties.and_then(|properties| properties.get(key)), additional) {
                (Some(property), _) => self.value(value, property, &path.key(key)),
                (None, Some(Json::Bool(false))) => {
                    let known =
                        properties.map(|map| map.keys().map(String::as_str)).into_iter().flatten();
                    let help = suggestion(key, known);
                    self.problems.push(
                        Problem::error(&path.key(key), format!("'{key}' is not known here"))
                            .help(help),
                    );
                }
                (None, Some(rest @ Json::Object(_))) => self.value(value, rest, &path.key(key)),
                (None, _) => {}
            }
        }
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        for key in required.filter_map(Json::as_str).filter(|key| !map.contains_key(*key)) {
            self.problems.push(Problem::error(path, format!("'{key}' is missing")));
        }
    }

    /// Accepted where one choice fits. Otherwise the choice of the same kind tells what is wrong.
    fn any_of(&mut self, value: &Json, choices: &'a [Json], path: &KeyPath) {
        let mut nearest: Option<Vec<Problem>> = None;
        for choice in choices {
            let mut attempt = Walk { root: self.root, problems: Vec::new() };
            attempt.value(value, choice, path);
            if attempt.problems.is_empty() {
                return;
            }
            let fits = kinds(self.resolve(choice)).iter().any(|kind| is_kind(value, kind));
            if fits && nearest.is_none() {
                nearest = Some(attempt.problems);
            }
        }
        let all: Vec<&str> =
            choices.iter().map(|choice| self.resolve(choice)).flat_map(kinds).collect();
        match nearest {
            Some(problems) => self.problems.extend(problems),
            None => self.wrong_kind(value, &all, path),
        }
    }

    fn wrong_kind(&mut self, value: &Json, kinds: &[&str], path: &KeyPath) {
        let mut expected: Vec<&str> = Vec::new();
        for name in kinds.iter().filter(|kind| **kind != "null").map(|kind| kind_name(kind)) {
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        let found = match value {
            Json::Null => "nothing".to_string(),
            Json::Bool(value) => format!("the truth value {value}"),
            Json::Number(number) => format!("the number {number}"),
            Json::String(text) => format!("the text '{text}'"),
            Json::Array(_) => "a list".to_string(),
            Json::Object(_) => "a map".to_string(),
        };
        let problem =
            Problem::error(path, format!("expected {}, found {found}", expected.join(" or ")));
        let quoted = matches!(value, Json::Number(_) | Json::Bool(_)) && kinds.contains(&"string");
        self.problems.push(if quoted { problem.help("put it in quotes") } else { problem });
    }

    fn range(&mut self, value: &Json, schema: &Json, path: &KeyPath) {
        let limit = |name: &str| schema.get(name).and_then(Json::as_f64);
        let Some(number) = value.as_f64() else { return };
        if let Some(low) = limit("minimum").filter(|low| number < *low) {
            self.problems
                .push(Problem::error(path, format!("{value} is below the smallest value, {low}")));
        }
        if let Some(high) = limit("maximum").filter(|high| number > *high) {
            self.problems
                .push(Problem::error(path, format!("{value} is above the largest value, {high}")));
        }
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        match schema
            .get("$ref")
            .and_then(Json::as_str)
            .and_then(|reference| reference.strip_prefix('#'))
        {
            Some(pointer) => self.root.pointer(pointer).unwrap_or(schema),
            None => schema,
        }
    }
}

/// The words that a schema of constants allows.
fn constants(schema: &Json) -> Vec<&str> {
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return vec![word];
    }
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
    let mut words: Vec<&str> = listed.filter_map(Json::as_str).collect();
    for choice in schema.get("oneOf").and_then(Json::as_array).into_iter().flatten() {
        words.extend(constants(choice));
    }
    words
}

fn kinds(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(kind)) => vec![kind],
        Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
        _ if !constants(schema).is_empty() => vec!["string"],
        _ => Vec::new(),
    }
}

fn is_kind(value: &Json, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a map of keys",
        _ => "a value",
    }
}
